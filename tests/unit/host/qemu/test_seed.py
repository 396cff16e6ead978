# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a virtual machine is handed: its identity as a tar archive, and what cloud-init is told."""

from __future__ import annotations

import io
import json
import tarfile

from ansible_collections.deter.benito.plugins.module_utils.host.guest.network import GuestFile
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.seed import cloud_init_files, seed_tar
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan
from ansible_collections.deter.benito.tests.unit.host.plans import plan, with_vnode

PLAN = with_vnode(plan(), "a", kind="qemu", control=ControlPlan("bvcontrol0000", "02:00:00:00:00:aa", "172.29.0.5/22", "172.29.0.1"))
NODE = PLAN.vnodes[0]


def test_cloud_init_finds_the_interfaces_by_their_addresses_and_routes_by_their_gateways():
    cards = json.loads(cloud_init_files(PLAN, NODE)["network-config"])["ethernets"]
    assert cards["control0"]["match"] == {"macaddress": "02:00:00:00:00:aa"} and cards["control0"]["set-name"] == "control0"
    assert cards["control0"]["addresses"] == ["172.29.0.5/22"] and cards["control0"]["routes"] == [{"to": "0.0.0.0/0", "via": "172.29.0.1"}]
    assert cards["inf000"]["addresses"] == ["10.0.0.1/24"] and cards["inf000"]["routes"] == [{"to": "10.0.0.0/16", "via": "10.0.0.254"}]


def test_cloud_init_makes_no_host_keys_and_leaves_what_is_the_images():
    text = cloud_init_files(PLAN, NODE)["user-data"]
    said = json.loads(text.removeprefix("#cloud-config\n"))
    assert said["ssh_deletekeys"] is False and said["ssh_genkeytypes"] == ["ed25519"]  # that one is there already; none at all is against its schema
    assert said["locale"] is False and said["apt"] == {"preserve_sources_list": True} and said["manage_etc_hosts"] is False
    assert "benito-seed" in said["bootcmd"][0][2]


def test_the_archive_is_roots_the_same_each_time_and_keeps_modes_and_links():
    files = {"etc/hostname": GuestFile("a\n"), "root/.ssh/authorized_keys": GuestFile("key\n", 0o600), "var/containers": GuestFile(target="/var/benito")}
    content = seed_tar(files)
    assert content == seed_tar(dict(reversed(files.items())))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        entries = {entry.name: entry for entry in archive}
        assert archive.extractfile("etc/hostname").read() == b"a\n"
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
    assert entries["root/.ssh"].mode == 0o700 and entries["root/.ssh/authorized_keys"].mode == 0o600
    assert entries["var/containers"].linkname == "/var/benito"
