# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a qemu node from inside: the script that its boot runs, on real interfaces with the names that a kernel gives."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.guest.clone_agent import IS_SET
from ansible_collections.deter.benito.plugins.module_utils.host.guest.network import machine_network
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan
from ansible_collections.deter.benito.tests.unit.host.plans import interface, plan, with_vnode
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

CONTROL = ControlPlan("bvcontrol0000", "02:00:00:00:00:aa", "172.29.0.5/22", "172.29.0.1")
STRANGER = "02:00:00:00:ff:ff"


def node_of(*names):
    """Node ``a`` with a control interface and experiment interfaces of those names, on lan0."""
    wires = tuple(dataclasses.replace(interface("a", number, "lan0", f"10.0.{number}.1/24"), name=name) for number, name in enumerate(names))
    return with_vnode(plan(), "a", kind="qemu", control=CONTROL, interfaces=wires)


def boot(made, cards) -> subprocess.CompletedProcess:
    """What the node's script says in a machine whose kernel has found ``cards`` {name: MAC address}."""
    for name, mac in cards.items():
        subprocess.run(["ip", "link", "add", name, "address", mac, "type", "bridge"], check=True)
    for path, file in machine_network(made, made.vnodes[0], 1400).items():
        if path.startswith("var/benito/lib/"):
            Path(f"/{path}").parent.mkdir(parents=True, exist_ok=True)
            Path(f"/{path}").write_text(file.text)
    return run()


def run() -> subprocess.CompletedProcess:
    return subprocess.run(["sh", "/var/benito/lib/network-up"], capture_output=True, text=True, timeout=120, check=False)


def interfaces() -> dict[str, tuple]:
    """{name: (MAC address, its IPv4 addresses, MTU, whether it is up)} of all but lo."""
    found = json.loads(subprocess.run(["ip", "-json", "address"], capture_output=True, check=True).stdout)
    return {link["ifname"]: (link["address"], [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"], link["mtu"],
                             "UP" in link["flags"]) for link in found if link["ifname"] != "lo"}


def routes() -> set[str]:
    lines = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.removesuffix(" ").removesuffix(" linkdown") for line in lines}


MACS = [CONTROL.mac_address, "02:00:00:00:61:00", "02:00:00:00:61:01"]
WANTED = {"control0": (MACS[0], ["172.29.0.5/22"], 1400, True)}


@pytest.mark.parametrize(("names", "found"), [
    (("inf000", "inf001"), ("eth0", "eth1", "eth2")),
    (("eth0", "eth1"), ("eth0", "eth1", "eth2")),  # each has another's name
    (("eth2", "eth1"), ("eth0", "eth1", "eth2")),  # one exchange, one as it should be
    (("inf000", "inf001"), ("ens8f0", "inf001", "inf000")),
])
def test_interfaces_get_their_names_by_mac_address_whatever_the_kernel_calls_them(names, found):
    @sandboxed
    def body():
        made = node_of(*names)
        done = boot(made, dict(zip(found, MACS, strict=True)))
        assert (done.returncode, done.stderr) == (0, "")
        assert interfaces() == {**WANTED, names[0]: (MACS[1], ["10.0.0.1/24"], 1500, True), names[1]: (MACS[2], ["10.0.1.1/24"], 1500, True)}
        assert {"default via 172.29.0.1 dev control0", f"10.0.0.0/16 via 10.0.0.254 dev {names[0]}"} <= routes()
        assert Path(IS_SET).exists()
        before = interfaces()
        assert run().returncode == 0 and interfaces() == before, "a second run changes nothing"

    body()


@sandboxed
def test_a_card_that_is_not_the_nodes_gives_its_name_up_to_one_that_is():
    done = boot(node_of("eth3"), {"eth0": MACS[0], "eth1": MACS[1], "eth3": STRANGER})
    assert (done.returncode, done.stderr) == (0, "")
    assert {name: link[0] for name, link in interfaces().items()} == {"control0": MACS[0], "eth3": MACS[1], "benito-eth3": STRANGER}


@sandboxed
def test_a_missing_card_is_said_and_the_others_are_set_up():
    made = node_of("inf000")
    Path("/run/sleep").write_text("#!/bin/sh\n")  # the script would wait 30 s
    Path("/run/sleep").chmod(0o755)
    os.environ["PATH"] = "/run:/usr/sbin:/usr/bin:/sbin:/bin"  # of this sandbox's process alone
    done = boot(made, {"eth0": MACS[0]})
    assert done.returncode == 1 and "not all interfaces of this node could be set up; 1 of 2 are missing" in done.stderr
    assert interfaces() == WANTED and not Path(IS_SET).exists()
