# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Openvz nodes: what LXC, systemd and the node are told, and files among a hostile node's."""

from __future__ import annotations

import os
import struct

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.guest.network import GuestFile, container_network
from ansible_collections.deter.benito.plugins.module_utils.host.lxc.boot import exit_code_in
from ansible_collections.deter.benito.plugins.module_utils.host.lxc.config import lxc_config, start_text, unit_text
from ansible_collections.deter.benito.plugins.module_utils.host.lxc.disk import mounted_below, open_disk
from ansible_collections.deter.benito.plugins.module_utils.host.lxc.files import Tree
from ansible_collections.deter.benito.plugins.module_utils.host.lxc.image import namespaced_capability, shift_owners
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan
from ansible_collections.deter.benito.tests.unit.host.plans import plan, with_vnode
from ansible_collections.deter.benito.tests.unit.host.sandbox import needs_root, sandboxed

PLACE = ExperimentPaths("Proj.exp")
PLAN = with_vnode(plan(), "a", kind="openvz", memory_mb=256, cpus=2, control=ControlPlan("bvcontrol0000", "02:00:00:00:00:aa", "172.29.0.5/22", "172.29.0.1"))
NODE = PLAN.vnodes[0]


def test_a_node_has_the_devices_of_a_container_and_no_others():
    lines = lxc_config(PLACE, NODE, "/sbin/init").splitlines()
    for version in ("cgroup", "cgroup2"):
        assert f"lxc.{version}.devices.deny = a" in lines
        allowed = [line.split(" = ")[1] for line in lines if line.startswith(f"lxc.{version}.devices.allow")]
        assert len(allowed) == 9 and all(device.startswith("c ") for device in allowed)
    assert "lxc.idmap = u 0 100000 65536" in lines


def test_interfaces_are_handed_over_by_the_name_they_have_inside():
    text = lxc_config(PLACE, NODE, "/sbin/init")
    assert "lxc.net.0.link = bicontrol0000\nlxc.net.0.name = control0\n" in text
    assert f"lxc.net.1.link = bi{NODE.interfaces[0].port[2:]}\nlxc.net.1.name = inf000\n" in text


def test_limits_are_the_units_and_absent_where_there_are_none():
    assert "MemoryMax=256M\nCPUQuota=200%\n" in unit_text(PLACE, NODE)
    assert "MemoryMax" not in unit_text(PLACE, plan().vnodes[0])


def test_a_path_with_odd_characters_stays_one_word_of_the_start_script():
    assert "'nodev,lowerdir=/a b;c," in start_text(PLACE, NODE, "/a b;c")


def test_the_node_sets_its_addresses_before_its_routes():
    lines = container_network(PLAN, NODE, 1400)["var/benito/lib/network"].text.splitlines()
    assert lines == [
        "link set dev control0 addrgenmode none", "link set dev control0 mtu 1400", "address replace 172.29.0.5/22 brd + dev control0",
        "link set dev control0 up", "route replace default via 172.29.0.1 dev control0",
        "link set dev inf000 addrgenmode none", "link set dev inf000 mtu 1500", "address replace 10.0.0.1/24 brd + dev inf000",
        "link set dev inf000 up", "route replace 10.0.0.0/16 via 10.0.0.254",
    ]


@pytest.mark.parametrize(("signals", "code"), [((), 0), (("Hangup(1)", "Interrupt(2)"), 0), (("Hangup(1)", "Killed(9)"), 137)])
def test_the_log_of_lxc_says_how_init_ended(signals, code):
    assert exit_code_in("".join(f"lxc-start n INFO error - Child <526> ended on signal {signal}\n" for signal in signals)) == code


def test_a_file_capability_holds_in_the_user_namespace_of_the_nodes():
    shifted = namespaced_capability(struct.pack("<5I", 0x02000001, 0x2000, 0, 0, 0))
    assert struct.unpack("<6I", shifted) == (0x03000001, 0x2000, 0, 0, 0, 100000)


@needs_root
def test_owners_are_shifted_once_though_a_file_has_two_names(tmp_path):
    (tmp_path / "one").write_text("x")
    os.link(tmp_path / "one", tmp_path / "two")
    (tmp_path / "set").write_text("x")
    os.chmod(tmp_path / "set", 0o4755)
    os.symlink("/etc/passwd", tmp_path / "link")
    before = os.stat("/etc/passwd").st_uid
    shift_owners(str(tmp_path))
    assert os.stat(tmp_path / "two").st_uid == 100000 and os.lstat(tmp_path / "link").st_uid == 100000
    assert os.stat(tmp_path / "set").st_mode & 0o7777 == 0o4755
    assert os.stat("/etc/passwd").st_uid == before


@needs_root
def test_no_link_of_a_nodes_making_is_followed(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "etc").symlink_to(outside)
    with pytest.raises(HostError, match="the node has put something else there"):
        Tree(str(root)).write("etc/hosts", GuestFile("x"))
    Tree(str(root), ours=True).write("etc/hosts", GuestFile("x", 0o600))
    assert os.listdir(outside) == [] and (root / "etc/hosts").read_text() == "x" and not (root / "etc").is_symlink()
    (outside / "target").write_text("kept")
    (root / "etc/name").symlink_to(outside / "target")
    Tree(str(root)).write("etc/name", GuestFile("new"))
    assert (outside / "target").read_text() == "kept" and (root / "etc/name").read_text() == "new"


def test_a_report_is_watched_only_where_it_is_a_file_of_the_node_itself(tmp_path):
    """A descriptor of it is for inotify, which would follow a link to any file of the host."""
    log = tmp_path / "node/var/benito/log"
    log.mkdir(parents=True)
    (log / "report").write_text("booted\n")
    tree = Tree(str(tmp_path / "node"))
    found = tree.find_report()
    assert os.path.samestat(os.fstat(found), os.stat(log / "report"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(found, 1)
    os.close(found)
    os.unlink(log / "report")
    assert tree.find_report() == -1
    os.mkfifo(log / "report")
    assert tree.find_report() == -1
    log.rename(tmp_path / "log")
    log.symlink_to(tmp_path / "log")
    assert tree.find_report() == -1


@needs_root
def test_a_report_that_is_a_link_or_a_pipe_is_not_read(tmp_path):
    (tmp_path / "var/benito/log").mkdir(parents=True)
    (tmp_path / "booted").write_text("booted\n")
    (tmp_path / "var/benito/log/report").symlink_to(tmp_path / "booted")
    assert Tree(str(tmp_path)).report().state == "running"
    os.unlink(tmp_path / "var/benito/log/report")
    os.mkfifo(tmp_path / "var/benito/log/report")
    assert Tree(str(tmp_path)).report().state == "running"


@sandboxed
def test_a_disk_ends_where_it_was_said_to_end():
    os.makedirs("/var/n")
    open_disk("/var/n", 32)
    open_disk("/var/n", 32)
    assert mounted_below("/var/n") == ["/var/n/data"]
    size = os.statvfs("/var/n/data")
    assert size.f_blocks * size.f_frsize < 32 << 20 and os.stat("/var/n/data/upper").st_uid == 100000
