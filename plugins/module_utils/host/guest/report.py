# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an openvz or qemu node: lines of text that the script of guest/files.py writes, so that nobody has to log in.

    booting BOOT_ID              the node's system has started to boot
    booted                       the system is up and has its addresses
    started STAMP                the start command runs
    ended STATUS STAMP           the start command has ended
    stopping                     the system shuts down or reboots

The node's root may write anything there. Other lines are ignored, and only the end of the file is read.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass

_READ = 65536  # bytes
_ENDED = re.compile(r"ended ([0-9]{1,3}) \S+")


@dataclass(frozen=True)
class Report:
    """state: ``running`` or ``booted``; start_command: ``""`` (not reported), ``running``, or ``ended`` with its exit_status."""

    state: str = "running"
    start_command: str = ""
    exit_status: int | None = None


def parse_report(text: str) -> Report:
    """Return the node's latest report on its state and on its start command."""
    state, command, status = "running", "", None
    for line in text.splitlines():
        event = line.split(" ", 1)[0]
        ended = _ENDED.fullmatch(line)
        if event == "booting":
            state, command, status = "running", "", None
        elif event in ("booted", "stopping"):
            state = "booted" if event == "booted" else "running"
        elif event == "started":
            command, status = "running", None
        elif ended:
            command, status = "ended", int(ended[1])
    return Report(state, command, status)


def read_report(path: str) -> Report:
    """Read the report. The node may have replaced the file by anything: only a regular file is read."""
    try:
        return read_open_report(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return Report()


def find_report(path: str, directory: int | None = None) -> int:
    """Return a descriptor of the report that can be watched and not read, or -1 where it is no regular file.

    directory  descriptor of the folder that ``path`` is relative to
    """
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return -1
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return -1


def read_open_report(fd: int) -> Report:
    """Read the report from an open file and close it. Raises OSError."""
    with os.fdopen(fd, "rb") as stream:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return Report()
        stream.seek(max(0, found.st_size - _READ))
        return parse_report(stream.read(_READ).decode(errors="replace"))
