# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few system calls that Python 3.9 lacks: namespaces, mounts, inotify, timers."""

from __future__ import annotations

import ctypes
import os
import signal
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_IGNORED = 0x8000
IN_CLOEXEC = 0o2000000
_IN_NONBLOCK = 0o4000
_TFD_FLAGS = 0o2004000  # not inherited, not blocking
_CLOCK_MONOTONIC = 1

_EVENT = struct.Struct("=iIII")  # of inotify, without the name that follows

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str, path: str | None = None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}", path)
    return result


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def unshare(flags: int) -> None:
    """Give the calling process new namespaces. Raises OSError."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace that ``fd`` refers to. Raises OSError."""
    _check(_libc.setns(fd, kind), "setns")


def mount(source: str | None, target: str, filesystem: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """Call mount(2). Raises OSError that names the target."""
    _check(_libc.mount(_bytes(source), _bytes(target), _bytes(filesystem), ctypes.c_ulong(flags), _bytes(data)), f"mount {target}", target)


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """Call umount2(2), detaching by default. Raises OSError that names the target."""
    _check(_libc.umount2(_bytes(target), flags), f"umount {target}", target)


def installed(program: str) -> bool:
    """Return whether this host has the program, in the search path or where root's programs are."""
    import shutil

    return shutil.which(program) is not None or shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is not None


def prctl(option: int, value: int, more: int = 0) -> None:
    """Call prctl(2). Raises OSError."""
    _check(_libc.prctl(option, *map(ctypes.c_ulong, (value, more, 0, 0))), "prctl")


def adopt_orphans() -> None:
    """Make the calling process the parent of its descendants whose own parent ends. Raises OSError."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """Have the kernel kill the calling process when its parent ends. Raises OSError."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def is_mount_point(path: str) -> bool:
    """Return whether ``path`` itself is a mount point in this mount namespace."""
    real = os.path.realpath(path)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        return any(line.split(" ", 5)[4] == real for line in lines)


def inotify_watch(directory: str, mask: int) -> int:
    """Return a file descriptor that becomes readable when ``directory`` changes. Raises OSError."""
    fd = _check(_libc.inotify_init1(IN_CLOEXEC), "inotify_init1")
    _check(_libc.inotify_add_watch(fd, _bytes(directory), mask), f"inotify {directory}", directory)
    return fd


class Inotify:
    """An inotify descriptor that watches many files. A watch holds no file open, and ends with its file. Raises OSError."""

    def __init__(self) -> None:
        self.fd = _check(_libc.inotify_init1(IN_CLOEXEC | _IN_NONBLOCK), "inotify_init1")

    def add(self, path: str, mask: int) -> int:
        """Watch a file and return the number of the watch. A file that is watched already keeps its number."""
        return _check(_libc.inotify_add_watch(self.fd, _bytes(path), mask), f"inotify {path}", path)

    def remove(self, number: int) -> None:
        """End a watch. One that has ended already is no failure."""
        _libc.inotify_rm_watch(self.fd, number)

    def read(self) -> list[tuple[int, int]]:
        """Take all events. Return (number of the watch, mask) of each; the number is -1 when the kernel had no room for all of them."""
        found, data = [], b""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            pass
        while data:
            number, mask, _cookie, length = _EVENT.unpack_from(data)
            found.append((number, mask))
            data = data[_EVENT.size + length:]
        return found


def interval_timer(seconds: int) -> int:
    """Return a file descriptor that becomes readable every so many seconds, and holds eight bytes then. Raises OSError."""
    fd = _check(_libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_FLAGS), "timerfd_create")
    times = (ctypes.c_long * 4)(seconds, 0, seconds, 0)  # the interval and the first time, each in seconds and nanoseconds
    _check(_libc.timerfd_settime(fd, 0, times, None), "timerfd_settime")
    return fd
