# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that keep network managers off an experiment's devices, and when managers read them.

Programs in the search path stand in for systemctl and the managers' own, because a sandbox has no systemd. test_network_managers.py has real ones.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net.ifupdown import refuse_stanzas
from ansible_collections.deter.benito.plugins.module_utils.host.net.unmanaged import device_names, keep_unmanaged, managed_devices, release_unmanaged
from ansible_collections.deter.benito.plugins.module_utils.host.run.apply import apply, down
from ansible_collections.deter.benito.plugins.module_utils.hostplan import SubstratePlan, VnodePlan
from ansible_collections.deter.benito.tests.unit.host.plans import interface, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PATHS = ExperimentPaths("Proj.exp")
NETWORK, LINK = Path("/run/systemd/network/-benito-Proj.exp.network"), Path("/run/systemd/network/-benito-Proj.exp.link")
CONF = Path("/run/NetworkManager/conf.d/benito-Proj.exp.conf")
MADE = "bb4ekgoxqrgh4jp"  # a name as embedding/binding/identifiers.py makes them
CHANGE = ["network managers: kept off the devices of Proj.exp"]


def names_in(path, key):
    """Return the patterns of the line ``key`` of a file."""
    line = next(line for line in path.read_text().splitlines() if line.startswith(key))
    return line.removeprefix(key).replace(";", " ").split()


def managers(*running, failing=""):
    """Put programs that stand in for the managers' into the search path. Return the file with what they were asked for, and the devices at that time."""
    os.makedirs("/run/systemd/system")
    os.makedirs("/run/bin")
    states = " ".join("active" if unit in running else "inactive" for unit in ("systemd-udevd", "systemd-networkd", "NetworkManager"))
    programs = {"systemctl": f"[ $1 = is-active ] || exit 0\nprintf '%s\\n' {states}\nexit 3"}
    for name in ("udevadm", "networkctl", "nmcli"):
        programs[name] = f"echo {name} $* $(ls /sys/class/net | grep ^bb) >> /run/asked\n" + ("echo no bus >&2; exit 1" if name == failing else "")
    for name, text in programs.items():
        Path(f"/run/bin/{name}").write_text(f"#!/bin/sh\n{text}\n")
        os.chmod(f"/run/bin/{name}", 0o755)
    os.environ["PATH"] = f"/run/bin:{os.environ['PATH']}"
    return Path("/run/asked")


@sandboxed
def test_the_files_name_every_device_of_ours_and_no_others():
    os.makedirs(PATHS.run)
    assert keep_unmanaged(plan(), PATHS, dry_run=True) == (CHANGE, []) and not NETWORK.exists()
    assert keep_unmanaged(plan(), PATHS) == (CHANGE, [])
    assert keep_unmanaged(plan(), PATHS) == ([], [])
    for path, key in ((NETWORK, "Name="), (LINK, "OriginalName=")):
        patterns = names_in(path, key)
        for prefix in ("bb", "bv", "bx", "bp", "bi"):
            assert any(fnmatch.fnmatchcase(prefix + MADE[2:], pattern) for pattern in patterns), prefix
        for other in ("eth0", "br0", "bond0", "bbq0", "bvlan-of-other", "docker0", "control0", "bb4ekgoxqrgh4j", "bb4ekgoxqrgh4jp2"):
            assert not any(fnmatch.fnmatchcase(other, pattern) for pattern in patterns), other
        assert max(map(len, patterns)) <= 15, "udev ignores longer patterns"
    assert "Unmanaged=yes" in NETWORK.read_text() and "MACAddressPolicy=none" in LINK.read_text()
    patterns = names_in(CONF, "unmanaged-devices+=")
    assert patterns == names_in(CONF, "match-device=") and f"interface-name:bv{'?' * 13}" in patterns and "managed=0" in CONF.read_text()


@pytest.mark.parametrize("other", ["00-a.network", "0-a.network", "0-benito-control0.network", "10-netplan-eth0.network", "a.network"])
def test_the_file_of_networkd_comes_before_everybodys(other):
    assert NETWORK.name < other and LINK.name < other.replace(".network", ".link")


@sandboxed
def test_interfaces_of_a_node_that_is_this_machine_and_cards_that_join_a_substrate_are_named():
    os.makedirs(PATHS.run)
    subprocess.run(["ip", "link", "add", "mgmt", "address", "52:54:00:00:00:07", "type", "veth", "peer", "name", "far"], check=True)
    node = VnodePlan("n", "embedded_pnode", "n", (dataclasses.replace(interface("n", 0, "lan0"), name="left"),))
    keep_unmanaged(plan(vnodes=(node,), substrates=(SubstratePlan("lan0", "bblan00000000", 1500, uplink="52:54:00:00:00:07"),)), PATHS)
    assert names_in(NETWORK, "Name=")[-1:] == ["left"] and names_in(LINK, "OriginalName=")[-1:] == ["left"]
    assert names_in(CONF, "match-device=")[-1:] == ["interface-name:=left"]
    assert "bblan00000000" in device_names(plan()) and "left" in device_names(plan(vnodes=(node,)))


@sandboxed
def test_managers_that_run_read_the_files_before_there_are_devices_and_after_they_are_gone():
    asked = managers("systemd-networkd", "NetworkManager")
    local = plan(substrates=plan().substrates[:1], vnodes=())
    paths = install_plan(local)
    assert apply(paths, ("network",))["changes"][0] == CHANGE[0]
    assert asked.read_text() == "networkctl reload\nnmcli general reload conf\n"
    assert "bblan00000000" in netlink.links() and apply(paths, ("network",))["changes"] == []
    asked.unlink()
    assert f"{NETWORK}: removed" in down(paths)["changes"]
    assert asked.read_text() == "networkctl reload\nnmcli general reload conf\n"
    assert not NETWORK.exists() and not LINK.exists() and not os.path.exists("/run/NetworkManager")


@sandboxed
def test_managers_are_told_again_if_a_run_ended_before_they_were():
    os.makedirs(PATHS.run)
    keep_unmanaged(plan(), PATHS)
    os.unlink(f"{PATHS.run}/unmanaged")  # written when they have been told
    asked = managers("systemd-udevd")
    assert keep_unmanaged(plan(), PATHS) == (CHANGE, [])
    assert asked.read_text() == "udevadm control --reload\n"


@pytest.mark.parametrize("path", [NETWORK, LINK, CONF])
@sandboxed
def test_a_file_that_was_removed_or_changed_is_written_again(path):
    os.makedirs(PATHS.run)
    keep_unmanaged(plan(), PATHS)
    text = path.read_text()
    for damage in (path.unlink, lambda: path.write_text("")):
        damage()
        assert keep_unmanaged(plan(), PATHS) == (CHANGE, []) and path.read_text() == text


@sandboxed
def test_a_manager_that_does_not_read_the_files_is_a_warning():
    managers("systemd-networkd", failing="networkctl")
    paths = install_plan(plan(substrates=plan().substrates[:1], vnodes=()))
    result = apply(paths, ("network",))
    refusal = "systemd-networkd does not read its files again (networkctl reload: no bus)"
    assert result["warnings"] == [f"{refusal}, and may take devices of the experiment: restart it"]


@sandboxed
def test_one_experiment_that_leaves_does_not_expose_another():
    other = ExperimentPaths("Proj.other")
    for paths in (PATHS, other):
        os.makedirs(paths.run)
        keep_unmanaged(plan(), paths)
    assert len(release_unmanaged(PATHS)) == 3 and release_unmanaged(PATHS) == []
    assert sorted(os.listdir("/run/systemd/network")) == ["-benito-Proj.other.link", "-benito-Proj.other.network"]
    assert os.listdir("/run/NetworkManager/conf.d") == ["benito-Proj.other.conf"]


@sandboxed
def test_devices_that_a_manager_has_are_listed():
    paths = install_plan(plan(substrates=plan().substrates[:1], vnodes=()))
    apply(paths, ("network",))
    assert managed_devices(paths) == {}
    os.makedirs("/run/systemd/netif/links")
    state = Path(f"/run/systemd/netif/links/{netlink.links()['bblan00000000'].index}")
    state.write_text("# This is private data.\nADMIN_STATE=configuring\nNETWORK_FILE=/etc/systemd/network/90-ether.network\n")
    assert managed_devices(paths) == {"bblan00000000": "systemd-networkd (/etc/systemd/network/90-ether.network)"}
    state.write_text("ADMIN_STATE=unmanaged\n")
    assert managed_devices(paths) == {}


@sandboxed
def test_a_plan_is_refused_where_ifupdown_would_configure_its_devices(tmp_path):
    program, file = tmp_path / "ifup", tmp_path / "interfaces"
    program.write_text("")
    file.write_text("auto /b*=lan\niface lan inet dhcp\n")
    with pytest.raises(HostError, match=rf"^{file}:1: 'auto /b\*=lan' makes ifupdown configure bblan00000000, a device of this experiment: "):
        refuse_stanzas(device_names(plan()), str(file), str(program))
