# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs that a virtual machine writes on this host, its console and its report, each in a small file system of its own.

A hostile guest can fill its own log and nothing else. A log that is more than half full is cut to its end at the next start.
"""

from __future__ import annotations

import glob
import os

from ...clean_text import clean_end
from ..base import syscalls
from ..base.text_files import read_end
from .command import MachinePaths

_CONSOLE_KB, _REPORT_KB = 1024, 256
_KEPT = 65536  # bytes
_LINES = 15  # of the console that are shown


def make_logs(where: MachinePaths) -> None:
    """Make the file systems of both logs."""
    for path, size in ((where.console, _CONSOLE_KB), (where.report, _REPORT_KB)):
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not syscalls.is_mount_point(folder):
            syscalls.mount("benito", folder, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC, f"mode=0700,size={size}k,nr_inodes=16")
        _shorten(path, size * 1024)


def remove_logs(folder: str) -> None:
    """Unmount the file systems below a node's folder of sockets."""
    for path in glob.glob(f"{glob.escape(folder)}/*.d"):
        if syscalls.is_mount_point(path):
            syscalls.umount(path)


def console_end(where: MachinePaths, lines: int = _LINES) -> str:
    """Return the last lines of the console, for a person."""
    try:
        text = read_end(where.console, lines)
    except FileNotFoundError:
        text = ""
    return clean_end(text, lines) or "(nothing)"


def _shorten(path: str, size: int) -> None:
    """Keep only the end of a log that is more than half full. QEMU appends to the file, so it continues after that."""
    try:
        with open(path, "r+b") as stream:
            length = os.fstat(stream.fileno()).st_size
            if length <= size // 2:
                return
            stream.seek(length - _KEPT)
            end = stream.read(_KEPT)
            stream.truncate(0)
            stream.seek(0)
            stream.write(end)
    except FileNotFoundError:
        pass
