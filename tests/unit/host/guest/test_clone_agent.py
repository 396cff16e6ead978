# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside a clone, as far as it can be tried outside of one: what it reads from the host, and the files it puts over the template's."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.guest import clone_agent
from ansible_collections.deter.benito.plugins.module_utils.host.guest.network import GuestFile
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.seed import seed_tar, template_files
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.warm_start import listed


@pytest.fixture
def ends():
    """(the host's end, the guest's) of a port."""
    host, guest = socket.socketpair()
    with host, guest:
        yield host, clone_agent.Lines(guest.fileno())


def test_lines_and_blocks_arrive_however_they_are_cut(ends):
    host, lines = ends
    sent = b'{"time_ns": 1}\n{"length": 300000}\n' + b"x" * 300_000 + b'{"more": 2}\n'
    sender = threading.Thread(target=lambda: [host.sendall(sent[start:start + 7001]) for start in range(0, len(sent), 7001)])
    sender.start()
    assert lines.order() == {"time_ns": 1}
    assert lines.block(lines.order()["length"]) == b"x" * 300_000
    assert lines.order() == {"more": 2}
    sender.join(20)


def test_what_went_wrong_is_one_line_for_the_host(ends):
    host, lines = ends
    lines.say("failed: a\nb")
    assert host.recv(100) == b"failed: a b\n"


def test_a_node_has_its_own_files_and_nothing_of_what_made_it_wait(tmp_path):
    root = str(tmp_path) + "/"

    def put(files):
        (tmp_path / "seed.tar").write_bytes(seed_tar(files))
        clone_agent.write(json.loads(json.dumps(listed(str(tmp_path / "seed.tar")))), root)
        (tmp_path / "seed.tar").unlink()

    put(template_files())
    assert (tmp_path / "var/benito/lib/clone_agent.py").stat().st_mode & 0o777 == 0o700
    assert os.readlink(tmp_path / "etc/systemd/system/multi-user.target.wants/benito-template.service")
    template_id = (tmp_path / "etc/machine-id").read_text()
    (tmp_path / "elsewhere").write_text("not the node's")
    os.symlink(tmp_path / "elsewhere", tmp_path / "etc/hosts")
    own = {"etc/machine-id": GuestFile("f" * 32 + "\n", 0o444), "etc/hosts": GuestFile("10.0.0.1 a\n"), "var/containers": GuestFile(target="/var/benito")}
    put(own)
    assert (tmp_path / "etc/machine-id").read_text() == "f" * 32 + "\n" != template_id
    assert (tmp_path / "etc/hosts").read_text() == "10.0.0.1 a\n" and (tmp_path / "elsewhere").read_text() == "not the node's"
    assert os.readlink(tmp_path / "var/containers") == "/var/benito"
    left = {os.path.relpath(os.path.join(folder, name), tmp_path) for folder, _folders, names in os.walk(tmp_path) for name in names}
    assert left == {"elsewhere", "var/containers", "etc/hosts", "etc/hostname", "etc/machine-id", "etc/systemd/system/benito-node.service",
                    "etc/systemd/system/benito-network.service", "var/benito/lib/boot", "var/benito/lib/network-up"}


def test_a_template_has_no_key_and_no_address():
    files = template_files()
    assert not [path for path in files if "ssh_host" in path or "authorized" in path or "network/" in path]
