# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cgroup for each node below the experiment's unit, so that no process of a node outlives the unit.

Uses the version 2 hierarchy if there is one, also the one without controllers of a hybrid host. Otherwise uses
systemd's own version 1 hierarchy. systemd delegates the subtree (Delegate=yes).
"""

from __future__ import annotations

import errno
import os
import signal
import time

from ...errors import HostError


def own_cgroup() -> str:
    """Return the directory of the calling process's cgroup. Raises HostError when no hierarchy is mounted."""
    paths = {}
    with open("/proc/self/cgroup", encoding="utf-8") as lines:
        for line in lines:
            _number, controllers, path = line.rstrip("\n").split(":", 2)
            paths[controllers] = path
    for controllers, filesystem, option in (("", "cgroup2", None), ("name=systemd", "cgroup", "name=systemd")):
        root = _mounted(filesystem, option)
        if controllers in paths and root:
            directory = root + paths[controllers]
            if os.path.isdir(directory):
                return directory.rstrip("/")
    raise HostError("no cgroup hierarchy is mounted on this host: the processes of a node could not be ended together")


def _mounted(filesystem: str, option: str | None) -> str:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            left, right = line.split(" - ", 1)
            kind, _source, options = right.split()[:3]
            if kind == filesystem and (option is None or option in options.split(",")):
                return left.split()[4]
    return ""


def node_cgroup(unit_cgroup: str, name: str) -> str:
    """Return the directory of a node's cgroup, which is made if it is missing."""
    path = f"{unit_cgroup}/node-{name}"
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        pass
    return path


def move_self(cgroup: str) -> None:
    """Put the calling process into a cgroup. Raises OSError."""
    fd = os.open(f"{cgroup}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"0")
    finally:
        os.close(fd)


def kill_all(cgroups: list[str], limit_s: float = 10.0) -> None:
    """Kill every process in these cgroups and remove the cgroups. Raises HostError that names the processes still there after ``limit_s`` seconds."""
    deadline = time.monotonic() + limit_s
    left = [path for path in cgroups if os.path.isdir(path)]
    while left:
        for path in left:
            _kill(path)
        left = [path for path in left if not _removed(path)]
        if left and time.monotonic() > deadline:
            raise HostError(f"processes in {left[0]} were killed and still run: {' '.join(map(str, members(left[0])))}")
        if left:
            time.sleep(0.01)


def members(cgroup: str) -> list[int]:
    """Return the process ids in a cgroup, none when it is gone."""
    try:
        with open(f"{cgroup}/cgroup.procs", encoding="ascii") as lines:
            return [int(line) for line in lines]
    except (FileNotFoundError, OSError):
        return []


def _kill(cgroup: str) -> None:
    try:
        with open(f"{cgroup}/cgroup.kill", "w", encoding="ascii") as stream:
            stream.write("1")
        return
    except OSError:  # version 1 or a kernel before 5.14
        pass
    for pid in members(cgroup):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _removed(cgroup: str) -> bool:
    try:
        os.rmdir(cgroup)
    except FileNotFoundError:
        return True
    except OSError as exc:
        if exc.errno in (errno.EBUSY, errno.ENOTEMPTY):
            return False
        raise
    return True
