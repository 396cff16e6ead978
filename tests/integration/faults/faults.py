# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that hit a run: processes killed, machines rebooted, a full disk, a lost network, too little memory. Each is real and bounded in time.

A fault is one row of FAULTS: name -> function of a Scene. The function returns what it did, for the table, and puts nothing back that a
person would not put back: a killed process stays dead. It ends what it took away for a while: the disk's space, the network, the memory.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NETWORK_LOST_S = 30.0
DISK_FULL_S = 8.0
MEMORY_SHORT_S = 4.0
MEMORY_LEFT = 8 << 20  # bytes
LOOK_S = 0.1


@dataclass(frozen=True)
class Scene:
    """The run that is hit, and where.

    run      the process of ansible-playbook; it leads a process group
    sockets  directory of the run's shared SSH connections
    testbed  support.Testbed; ``folder`` has a folder of each pnode, with the configuration of its container
    pnode    the machine that is hit
    disk     a directory on the file system of the pnodes and the experiment directories
    rng      decides what is left open: which of several processes
    """

    run: subprocess.Popen
    sockets: Path
    testbed: object
    folder: Path
    pnode: str
    disk: Path
    rng: random.Random

    def setting(self, name: str) -> str:
        """Return a setting of the pnode's container."""
        return re.search(rf"^{re.escape(name)} = (.*)$", (self.folder / self.pnode / "config").read_text(), re.MULTILINE)[1]


def kill_controller(scene: Scene) -> str:
    os.killpg(scene.run.pid, signal.SIGKILL)
    return "ansible-playbook and its workers"


def kill_ssh(scene: Scene) -> str:
    address = scene.testbed.hosts[scene.pnode]["ansible_host"]
    for _look in _looks(scene):
        found = [pid for pid, command in _commands() if command[0].endswith("ssh") and str(scene.sockets) in " ".join(command) and address in command]
        if found:
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return f"{len(found)} of it"
    return "none ran"


def kill_benito_host(scene: Scene) -> str:
    find = "for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$file 2>/dev/null | grep -q 'benito-host' && basename $(dirname $file); done"
    for _look in _looks(scene):
        found = scene.testbed.ssh(scene.pnode, find, check=False).stdout.split()
        victim = scene.rng.choice(found) if found else ""
        if victim and scene.testbed.ssh(scene.pnode, f"tr '\\0' ' ' </proc/{victim}/cmdline && kill -9 {victim}", check=False).returncode == 0:
            return f"one of {len(found)}"
    return "none ran"


def reboot(scene: Scene) -> str:
    scene.testbed.ssh(scene.pnode, "systemctl reboot --force --force", check=False)
    return "without notice"


def fill_disk(scene: Scene) -> str:
    with full_disk(scene.disk):
        _wait_for_end(scene, DISK_FULL_S)
    return f"for {DISK_FULL_S:.0f} s"


@contextlib.contextmanager
def full_disk(directory: Path) -> Iterator[None]:
    """Take all free space of a file system while the block runs."""
    file = directory / "fault"
    free = os.statvfs(directory).f_bavail * os.statvfs(directory).f_frsize
    try:
        subprocess.run(["fallocate", "-l", str(free), str(file)], check=False, capture_output=True)
        with contextlib.suppress(OSError), open(file, "ab", buffering=0) as stream:
            while stream.write(bytes(1 << 20)):  # what fallocate could not get
                pass
        yield
    finally:
        file.unlink(missing_ok=True)


def lose_control_network(scene: Scene) -> str:
    port = scene.setting("lxc.net.0.veth.pair")
    subprocess.run(["ip", "link", "set", port, "down"], check=True)
    try:
        time.sleep(NETWORK_LOST_S)  # the fault's length, not a wait for something
    finally:
        subprocess.run(["ip", "link", "set", port, "up"], check=True)
    return f"for {NETWORK_LOST_S:.0f} s"


def run_out_of_memory(scene: Scene) -> str:
    group = scene.setting("lxc.cgroup.dir.container")
    version_1, version_2 = Path("/sys/fs/cgroup/memory") / group, Path("/sys/fs/cgroup") / group
    limit, used, events, none = (
        (version_1 / "memory.limit_in_bytes", version_1 / "memory.usage_in_bytes", version_1 / "memory.oom_control", "-1") if version_1.exists()
        else (version_2 / "memory.max", version_2 / "memory.current", version_2 / "memory.events", "max"))
    before = _oom_kills(events)
    try:
        with contextlib.suppress(OSError):  # EBUSY: the kernel could not free enough, and the limit stays as it was
            limit.write_text(str(int(used.read_text()) + MEMORY_LEFT))
        deadline = time.monotonic() + MEMORY_SHORT_S
        while _oom_kills(events) == before and time.monotonic() < deadline:
            time.sleep(LOOK_S)
    finally:
        limit.write_text(none)
    return f"{_oom_kills(events) - before} killed"


FAULTS = {
    "SIGKILL of the controller": kill_controller,
    "SIGKILL of benito-host": kill_benito_host,
    "SIGKILL of ssh": kill_ssh,
    "reboot": reboot,
    "full disk": fill_disk,
    "control network lost": lose_control_network,
    "out of memory": run_out_of_memory,
}


def _oom_kills(events: Path) -> int:
    return int(re.search(r"^oom_kill (\d+)$", events.read_text(), re.MULTILINE)[1])


def _looks(scene: Scene) -> Iterator[None]:
    """Yield at once, then again and again until the run has ended."""
    yield
    while scene.run.poll() is None:
        time.sleep(LOOK_S)
        yield


def _wait_for_end(scene: Scene, limit_s: float) -> None:
    """Wait until the run ends, at most ``limit_s`` seconds."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        scene.run.wait(limit_s)


def _commands() -> Iterator[tuple[int, list[str]]]:
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            command = Path("/proc", name, "cmdline").read_bytes().decode(errors="replace").split("\0")
            if command[0]:
                yield int(name), command
