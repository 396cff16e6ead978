# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name servers of nodes: one decision for virtual machines, containers and cloud images."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.guest.files import read_guest_files
from ansible_collections.deter.benito.plugins.module_utils.host.guest.resolver import usable_resolv_conf
from ansible_collections.deter.benito.tests.unit.host.plans import plan, with_vnode
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

STUB = "# stub\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lab.example\n"
ASKED = "nameserver 192.0.2.53\nsearch lab.example\n"


def test_a_local_resolver_is_passed_over_for_the_servers_that_it_asks():
    assert usable_resolv_conf([STUB, ASKED]) == ASKED


def test_the_hosts_own_file_decides_where_it_names_a_server_that_nodes_can_ask():
    assert usable_resolv_conf(["nameserver 192.0.2.1\n", ASKED]) == "nameserver 192.0.2.1\n"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53", "::1", "0.0.0.0"])
def test_a_server_on_the_loopback_is_left_out(address):
    assert usable_resolv_conf([f"nameserver {address}\nnameserver 192.0.2.7\n"]) == "nameserver 192.0.2.7\n"
    assert usable_resolv_conf([f"nameserver {address}\nsearch lab.example\n"]) == ""


def test_comments_and_what_resolvers_of_other_systems_take_are_left_out():
    text = "# by hand\n; old\nlookup file bind\ndomain lab.example\noptions timeout:1\nnameserver 192.0.2.7\n"
    assert usable_resolv_conf([text]) == "domain lab.example\noptions timeout:1\nnameserver 192.0.2.7\n"


@sandboxed
def test_virtual_machines_containers_and_cloud_images_get_the_same_servers():
    paths = ExperimentPaths("Proj.exp")
    os.makedirs(os.path.dirname(paths.secret("a", "file")))
    for name in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
        Path(paths.secret("a", name)).write_text(name)
    for path, text in (("/etc/resolv.conf", STUB), ("/run/systemd/resolve/resolv.conf", ASKED)):
        show(text, path)
    for kind in ("qemu", "openvz"):
        made = with_vnode(plan(), "a", kind=kind)
        assert read_guest_files(made, made.vnodes[0], paths, "/report")["etc/resolv.conf"].text == ASKED


@sandboxed
def test_a_node_without_a_host_key_here_is_refused_by_name():
    with pytest.raises(HostError, match="a has no SSH host key on this host"):
        read_guest_files(plan(), plan().vnodes[0], ExperimentPaths("Proj.exp"), "/report")


def show(text: str, path: str) -> None:
    """Have that text where this machine has the file, in this mount namespace alone."""
    source, target = Path(f"/var/{path.replace('/', '-')}"), Path(os.path.realpath(path))
    source.write_text(text)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    subprocess.run(["mount", "--bind", source, target], check=True)
