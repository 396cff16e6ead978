# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the operating system are explained: real files, mounts, processes and limits."""

from __future__ import annotations

import errno
import os
import socket
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import syscalls
from ansible_collections.deter.benito.plugins.module_utils.host.base.os_errors import explained, general_reason, holders_of_socket, program_error, why
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import write_atomically
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed


def raised(action, *arguments):
    with pytest.raises(OSError) as caught:
        action(*arguments)
    return caught.value


@pytest.mark.parametrize(("make", "kind"), [
    (os.mkdir, "a folder"), (lambda path: os.close(os.open(path, os.O_CREAT)), "a file"), (os.mkfifo, "a special file"),
])
def test_what_exists_already_is_described(tmp_path, make, kind):
    path = f"{tmp_path}/it"
    make(path)
    assert explained(raised(os.mkdir, path)) == f"{path}: File exists: it is {kind} of user {os.getuid()}: remove or rename it"


def test_a_link_that_exists_already_is_followed_to_its_target(tmp_path):
    os.symlink("/somewhere/else", tmp_path / "it")
    assert explained(raised(os.mkdir, f"{tmp_path}/it")).endswith("File exists: it is a symbolic link to /somewhere/else: remove or rename it")


@sandboxed
def test_a_busy_mount_is_explained_by_the_process_in_it():
    os.mkdir("/run/place")
    syscalls.mount("tmpfs", "/run/place", "tmpfs")
    with subprocess.Popen(["cat"], cwd="/run/place", stdin=subprocess.PIPE) as holder:
        busy = raised(syscalls.umount, "/run/place", 0)
        assert explained(busy) == f"umount /run/place: Device or resource busy: in use by process {holder.pid} (cat)"
        holder.stdin.close()
    syscalls.umount("/run/place", 0)


@sandboxed
def test_a_folder_that_cannot_be_removed_is_explained_by_the_mount_on_it():
    os.mkdir("/run/place")
    syscalls.mount("tmpfs", "/run/place", "tmpfs")
    assert explained(raised(os.rmdir, "/run/place")) == "/run/place: Device or resource busy: /run/place is a mount point"


@sandboxed
def test_a_full_file_system_is_named_and_told_from_one_without_inodes():
    for name, options, text in (("full", "size=64k", "is full"), ("inodes", "nr_inodes=1", "has no inodes left")):
        os.mkdir(f"/run/{name}")
        syscalls.mount("tmpfs", f"/run/{name}", "tmpfs", 0, options)
        with pytest.raises(HostError, match=f"^cannot write /run/{name}/file: No space left on device: no space left: the file system of /run/{name} {text}$"):
            write_atomically(f"/run/{name}/file", "x" * 100000)


def test_a_limit_of_the_kernel_is_told_from_a_full_file_system():
    assert "or a kernel limit is reached, of mounts (sysctl fs.mount-max)" in why(OSError(errno.ENOSPC, "mount /run: No space left on device", "/proc"))


@sandboxed
def test_the_process_that_has_a_port_is_found():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", 4790))
        assert holders_of_socket("udp", 4790).startswith(f"process {os.getpid()} (")
        assert holders_of_socket("udp", 4791) == ""


def test_errors_in_the_messages_of_programs_are_explained_too():
    assert program_error("nft: Could not process rule: No buffer space available") == (
        f"nft: Could not process rule: No buffer space available ({general_reason(errno.ENOBUFS)})")
    assert program_error("syntax error") == "syntax error"
