# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of this machine, which may be a container whose control group has a limit. Swap space does not count."""

from __future__ import annotations

import os
from collections.abc import Iterator

_HIERARCHIES = (("cgroup", "memory", "memory.limit_in_bytes"), ("cgroup2", "", "memory.max"))


def memory_mb(proc: str = "/proc") -> int:
    """Return the machine's memory in MiB, or 0 when it is unknown.

    It is limited by the control group of init and by those above, of version 1 or 2.
    """
    limits = [limit for filesystem, controller, name in _HIERARCHIES for limit in _limits(proc, filesystem, controller, name)]
    total = _field(f"{proc}/meminfo", "MemTotal:")
    return min([total << 10, *limits]) >> 20 if total else 0


def available_mb(proc: str = "/proc") -> int:
    """Return the MiB that programs may still take, as the kernel estimates."""
    return _field(f"{proc}/meminfo", "MemAvailable:") >> 10


def _limits(proc: str, filesystem: str, controller: str, name: str) -> Iterator[int]:
    """Yield every limit in one hierarchy, in bytes. A container does not see the groups above it, but version 1 has their limit in ``memory.stat``."""
    mount, top = _mounted(proc, filesystem, controller)
    group = _group(proc, controller)
    if not mount or group is None:
        return
    group = group[len(top):] if top != "/" and f"{group}/".startswith(f"{top}/") else group
    parts = [] if ".." in group.split("/") else [part for part in group.split("/") if part]
    for depth in range(len(parts), -1, -1):
        directory = os.path.join(mount, *parts[:depth])
        for limit in (_number(_text(f"{directory}/{name}")), _field(f"{directory}/memory.stat", "hierarchical_memory_limit")):
            if limit:
                yield limit


def _mounted(proc: str, filesystem: str, controller: str) -> tuple[str, str]:
    """Return (mount point, mounted part) of the hierarchy, or ("", "") when it is not mounted."""
    for line in _text(f"{proc}/self/mountinfo").splitlines():
        left, _dash, right = line.partition(" - ")
        fields = right.split()
        if fields[:1] == [filesystem] and (not controller or controller in fields[-1].split(",")):
            return left.split()[4], left.split()[3]
    return "", ""


def _group(proc: str, controller: str) -> str | None:
    """Return the control group of the machine's init, or None."""
    for line in _text(f"{proc}/1/cgroup").splitlines():
        _number_of_it, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return None


def _field(path: str, name: str) -> int:
    """Return the number in the line that begins with ``name``, or 0 when there is none."""
    for line in _text(path).splitlines():
        if line.startswith(name):
            return _number(line.split()[1])
    return 0


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""
