# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A QEMU reaches no network but by its taps."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.qemu import sandbox
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.sandbox import confine_template, socket_filter

PROBE = """
import ctypes, json, os, socket, subprocess, threading
libc, found = ctypes.CDLL(None, use_errno=True), {}

def outcome(act):
    try:
        act()
        return 0
    except OSError as exc:
        return exc.errno

def call(*arguments):
    if libc.syscall(*map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), "")

for name in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_UNIX"):
    found[name] = outcome(lambda: socket.socket(getattr(socket, name), socket.SOCK_STREAM if name != "AF_PACKET" else socket.SOCK_RAW).close())
found["pair"] = outcome(socket.socketpair)
found["high bits"] = outcome(lambda: call(41, (1 << 32) | socket.AF_INET, socket.SOCK_STREAM, 0))
found["io_uring"] = outcome(lambda: call(425, 1, 0))
found["x32"] = outcome(lambda: call(0x40000000 | 41, socket.AF_INET, socket.SOCK_STREAM, 0))
thread = threading.Thread(target=lambda: found.update(thread=outcome(lambda: socket.socket(socket.AF_INET))))
thread.start()
thread.join()
found["child"] = subprocess.call(["python3", "-c", "import socket; socket.socket(socket.AF_INET)"], stderr=subprocess.DEVNULL)
found["status"] = [line.split()[1] for line in open("/proc/self/status") if line.startswith(("NoNewPrivs:", "Seccomp:"))]
print(json.dumps(found))
"""


@pytest.mark.skipif("x86_64" not in sys.implementation._multiarch, reason="the probe has numbers of system calls of x86_64")
def test_a_template_being_made_has_no_sockets_but_those_of_unix():
    done = subprocess.run([sys.executable, "-c", PROBE], preexec_fn=confine_template, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "AF_INET": 97, "AF_INET6": 97, "AF_NETLINK": 97, "AF_PACKET": 97, "AF_VSOCK": 97, "AF_UNIX": 0, "pair": 0, "high bits": 97,
        "io_uring": 1, "x32": 1, "thread": 97, "child": 1, "status": ["1", "2"]}


def test_a_machine_that_is_not_known_has_no_filter():
    assert socket_filter("vax") == b"" and len(socket_filter("aarch64")) == len(socket_filter("x86_64")) > 0


def test_a_unit_leaves_the_network_files_and_devices_to_others():
    lines = set(sandbox.UNIT.format(writable="/run/a").splitlines())
    assert lines >= {"NoNewPrivileges=yes", "CapabilityBoundingSet=CAP_SETUID CAP_SETGID", "RestrictAddressFamilies=AF_UNIX",
                     "SystemCallFilter=@system-service seccomp", "ProtectSystem=strict", "ReadWritePaths=/run/a", "DevicePolicy=closed"}
    assert any(line.startswith("SystemCallFilter=~") and "io_uring_setup" in line for line in lines), "it would open sockets past the filter"
