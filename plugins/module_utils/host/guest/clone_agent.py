# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a virtual machine, not on the host. It waits in a warm template, and turns each clone of the template into a node.

Through the port ``org.benito.identity`` the host sends the time and fresh randomness, one line each time, then a line about the node, then the
node's files. warm_start.py is the other end. This is a file of the guest: Python 3.9 and its standard library alone.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable

IDENTITY_PORT = "/dev/virtio-ports/org.benito.identity"
REPORT_PORT = "/dev/virtio-ports/org.benito.report"
JOURNAL = "systemd-journald.service"
SSH_OPTIONS = "/etc/systemd/system/ssh.service.d/benito-template.conf"
JOURNAL_OPTIONS = f"/etc/systemd/system/{JOURNAL}.d/benito-template.conf"
OWN = ("/etc/systemd/system/benito-template.service", "/etc/systemd/system/multi-user.target.wants/benito-template.service",
       "/etc/systemd/system/multi-user.target.wants/network.target", "/var/benito/lib/clone_agent.py", SSH_OPTIONS,
       JOURNAL_OPTIONS)
BEGUN = ("network", "node")
"""Units ``benito-NAME`` that a template has started. Their scripts wait for a line on the pipe ``/run/benito-wait-NAME``."""
WAIT = "/run/benito-wait-"
IS_SET = "/run/benito-network"
"""This file exists once the node's whole network is set up, see guest/network.py."""
WHOLE_PROC = "/run/benito-proc"
"""A second /proc with nothing mounted over its parts. Without one the kernel does not let user namespaces, as containers have, mount their own."""
_USED = (("ip", "-V"), ("useradd", "--help"), ("getent", "passwd", "root"), ("sshd", "-V"), ("runuser", "--version"),
         ("setsid", "--version"), ("date",), ("grep", "-V"), ("cut", "--version"), ("chown", "--version"), ("udevadm", "--version"))
"""Programs that every node runs. Running them here keeps their files in the memory that clones share."""
_QUIET, _QUIET_LIMIT_S = 0.95, 60.0
_LIMIT_S, _SETTLED_S = 30.0, 30.0
_ADD_ENTROPY, _RESEED = 0x40085203, 0x5207  # ioctls of /dev/urandom, random(4)
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND = 2, 4, 8, 4096


def main() -> int:
    """Prepare the template, report that it is ready, wait for the host, become the node. Return the exit status."""
    with open(REPORT_PORT, "w", encoding="ascii") as report:
        try:
            journal = prepare()
            lines = Lines(os.open(IDENTITY_PORT, os.O_RDWR))
            report.write("ready\n")
        except Exception as exc:
            report.write(f"failed: {type(exc).__name__}: {exc}\n".replace("\n", " "))
            raise
    become(lines)
    settle(lines, journal)
    return 0


def prepare() -> int:
    """Wait until the system is idle, with everything that a node needs in its memory. Return the process id of the journal, which is stopped."""
    subprocess.run(["systemctl", "is-system-running", "--wait"], check=False, stdout=subprocess.DEVNULL)
    for module in ("virtio_net", "vmgenid"):  # there is no network card yet; not every kernel has vmgenid
        subprocess.run(["modprobe", "--quiet", module], check=False)
    for command in _USED:
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name in BEGUN:
        os.mkfifo(WAIT + name, 0o600)
    subprocess.run(["systemctl", "start", "--no-block", *(f"benito-{name}.service" for name in BEGUN)], check=True)
    subprocess.run(["udevadm", "settle"], check=False)
    wait_for_rest()
    os.sync()
    # work that can wait does so until the host reports that its other clones are up: see settle
    subprocess.run(["udevadm", "control", "--stop-exec-queue"], check=True)
    journal = int(subprocess.run(["systemctl", "show", "--property=MainPID", "--value", JOURNAL], check=True, capture_output=True).stdout)
    os.kill(journal, signal.SIGSTOP)
    return journal


def wait_for_rest() -> None:
    """Wait until the system is idle, for a minute at most."""
    deadline = time.monotonic() + _QUIET_LIMIT_S
    before = idle()
    while time.monotonic() < deadline:
        time.sleep(1)
        now = idle()
        if now[0] - before[0] >= _QUIET * (now[1] - before[1]):
            break
        before = now


def wait_for(there: Callable[[], bool], what: str) -> None:
    """Wait until ``there()`` is true. Raises TimeoutError."""
    deadline = time.monotonic() + _LIMIT_S
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError(f"timeout: no {what} after {_LIMIT_S:.0f} s")
        time.sleep(0.02)


def go_on(name: str) -> None:
    """Let a unit that waits on its pipe continue. Raises OSError when it does not wait."""
    pipe = os.open(WAIT + name, os.O_WRONLY | os.O_NONBLOCK)
    os.write(pipe, b"go\n")
    os.close(pipe)
    os.unlink(WAIT + name)


def idle() -> tuple:
    """Return (idle, total) processor time since the boot, in the kernel's ticks."""
    with open("/proc/stat", encoding="ascii") as stream:
        ticks = [int(word) for word in stream.readline().split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def become(lines: Lines) -> None:
    """Receive the node's identity from the host and apply it. Every error is reported to the host."""
    try:
        order = lines.order()
        while "time_ns" in order:
            time.clock_settime_ns(time.CLOCK_REALTIME, order["time_ns"])
            reseed(bytes.fromhex(order["entropy"]))
            lines.say("set")
            order = lines.order()
        time.clock_settime_ns(time.CLOCK_REALTIME, time.clock_gettime_ns(time.CLOCK_REALTIME) + order["late_ns"])
        write(json.loads(lines.block(order["length"])))
        rename(order["boot_id"])
        wait_for(lambda: len(os.listdir("/sys/class/net")) > order["cards"], f"{order['cards']} network cards")
        go_on("network")
        wait_for(lambda: os.path.exists(IS_SET), "addresses and routes")
        go_on("node")
    except Exception as exc:  # whatever it is, it is reported to the host
        lines.say(f"failed: {type(exc).__name__}: {exc}")
        raise
    lines.say("applied")


def settle(lines: Lines, journal: int) -> None:
    """Do the work that could wait, after the delay that the host sends.

    sshd starts, unless a login has started it already. udev processes the network cards. The journal starts anew, because it has the
    template's machine id; log lines since the clone's start are in its queue.
    """
    time.sleep(float(lines.wait(_SETTLED_S) or 0))
    subprocess.run(["systemctl", "start", "--no-block", "ssh.service"], check=True)
    for name in os.listdir("/run/log/journal"):
        shutil.rmtree(f"/run/log/journal/{name}", ignore_errors=True)
    os.kill(journal, signal.SIGKILL)  # by SIGKILL, for it must not write its queue; systemd starts it again
    subprocess.run(["udevadm", "control", "--start-exec-queue"], check=True)


class Lines:
    """The port, read by lines and blocks. A read returns nothing while the host is not connected."""

    def __init__(self, port: int):
        self._port = port
        self._rest = b""

    def order(self) -> dict:
        """Return the next line, a JSON object."""
        while b"\n" not in self._rest:
            self._more()
        line, self._rest = self._rest.split(b"\n", 1)
        return json.loads(line)

    def block(self, length: int) -> bytes:
        """Return the next ``length`` bytes."""
        while len(self._rest) < length:
            self._more()
        found, self._rest = self._rest[:length], self._rest[length:]
        return found

    def wait(self, limit_s: float) -> bytes:
        """Return data from the host, or b"" when none came within ``limit_s`` seconds."""
        deadline, found = time.monotonic() + limit_s, b""
        while not found and time.monotonic() < deadline:
            time.sleep(0.25)
            found = os.read(self._port, 100)
        return found

    def say(self, text: str) -> None:
        os.write(self._port, text.replace("\n", " ").encode() + b"\n")

    def _more(self) -> None:
        found = os.read(self._port, 1 << 16)
        if found:
            self._rest += found
        else:
            time.sleep(0.02)


def reseed(entropy: bytes) -> None:
    """Feed the host's randomness to the kernel's generator at once, beside the reseeding that the VM generation id causes."""
    with open("/dev/urandom", "wb", buffering=0) as generator:
        fcntl.ioctl(generator, _ADD_ENTROPY, struct.pack("ii", 8 * len(entropy), len(entropy)) + entropy)
        fcntl.ioctl(generator, _RESEED)


def write(files: list, root: str = "/") -> None:
    """Write the node's files over those of the template, and remove the template's own.

    files  [path, kind, mode, text or target] each, folders first, as ``warm_start.listed`` makes them
    """
    for path in OWN:
        forget(root + path)
    folders = set()
    for name, kind, mode, text in files:
        path = os.path.join(root, name)
        folder = path if kind == "folder" else os.path.dirname(path)
        if folder not in folders:
            os.makedirs(folder, exist_ok=True)
            folders.add(folder)
        if kind == "folder":
            os.chmod(path, mode)
            continue
        forget(path)
        if kind == "link":
            os.symlink(text, path)
            continue
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(text.encode())
            os.fchmod(stream.fileno(), mode)


def forget(path: str) -> None:
    """Remove a file, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def rename(boot_id: str) -> None:
    """Give the running system its new host name, boot id and sysctls."""
    with open("/etc/hostname", encoding="utf-8") as stream:
        socket.sethostname(stream.read().strip())
    own = "/run/benito-boot-id"
    with open(own, "w", encoding="ascii") as stream:
        stream.write(boot_id + "\n")
    os.makedirs(WHOLE_PROC, mode=0o700)
    mount("proc", WHOLE_PROC, "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    mount(own, "/proc/sys/kernel/random/boot_id", None, _MS_BIND)
    with open("/etc/sysctl.d/90-benito.conf", encoding="ascii") as stream:
        for line in stream:
            name, _equals, value = line.partition("=")
            with open(f"/proc/sys/{name.strip().replace('.', '/')}", "w", encoding="ascii") as setting:
                setting.write(value.strip())


def mount(what: str, where: str, filesystem: str | None, flags: int) -> None:
    """Call mount(2). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(what.encode(), where.encode(), filesystem and filesystem.encode(), ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), where)


if __name__ == "__main__":
    raise SystemExit(main())
