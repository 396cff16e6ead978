# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an openvz or qemu node says of itself while it lives, without anybody logging in: lines of text, written by guest/files.py's script.

    booting BOOT_ID              its own system has begun to start
    booted                       its system is up, its addresses are there
    started STAMP                its start command runs
    ended STATUS STAMP           it has ended
    stopping                     its system shuts down, or reboots

The node's root may write anything there: nothing in it is believed beyond being one of these, and only the end of it is read.
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
    """state: ``running`` or ``booted``; start_command: ``""`` (nothing said), ``running`` or ``ended``, then with its exit_status."""

    state: str = "running"
    start_command: str = ""
    exit_status: int | None = None


def parse_report(text: str) -> Report:
    """The latest word of a node on each matter."""
    state, command, status = "running", "", None
    for line in text.splitlines():
        word = line.split(" ", 1)[0]
        ended = _ENDED.fullmatch(line)
        if word == "booting":
            state, command, status = "running", "", None
        elif word in ("booted", "stopping"):
            state = "booted" if word == "booted" else "running"
        elif word == "started":
            command, status = "running", None
        elif ended:
            command, status = "ended", int(ended[1])
    return Report(state, command, status)


def read_report(path: str) -> Report:
    """The report in a file that the node may have replaced by anything: of what is not a plain file, nothing is read."""
    try:
        return read_open_report(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return Report()


def read_open_report(fd: int) -> Report:
    """The same of an open file, which is closed. Raises OSError."""
    with os.fdopen(fd, "rb") as stream:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return Report()
        stream.seek(max(0, found.st_size - _READ))
        return parse_report(stream.read(_READ).decode(errors="replace"))
