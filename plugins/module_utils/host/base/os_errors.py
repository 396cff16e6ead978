# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain errors of the operating system: what is in the way, who has it, and which setting helps.

Errors become messages here. Callers add only what they wanted to do.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from .text_files import text_or_none

_MOST_NAMED = 3  # processes in a message
_GENERAL = {
    errno.EMFILE: "this process has too many open files: raise its limit (LimitNOFILE of its unit, ulimit -n)",
    errno.ENFILE: "this machine has too many open files: raise the sysctl fs.file-max",
    errno.EPERM: "not permitted: benito-host must run as root, and a container must allow namespaces and mounts",
    errno.EACCES: "not permitted: benito-host must run as root",
    errno.ENOBUFS: "the kernel has no buffer left for this: end other experiments, or give the machine more memory",
    errno.ENOMEM: "the kernel has no memory left for this: end other experiments, or give the machine more memory",
    errno.EOPNOTSUPP: "this kernel or file system does not have that feature",
    errno.ENOSYS: "this kernel does not have that feature",
    errno.EROFS: "this file system can only be read: mount it for writing",
    errno.EXFULL: "a table of the kernel is full",
}


def explained(exc: OSError) -> str:
    """Return the error as text: the file, the kernel's words, and what was found out about it."""
    path = _path(exc)
    return why(exc) if path in (exc.strerror or "") else f"{path}: {why(exc)}"


def why(exc: OSError, path: str = "") -> str:
    """Return the same without the file. ``path`` is what it is about, if the error does not say so."""
    path = _path(exc) or path
    found = _full(path) if exc.errno == errno.ENOSPC else general_reason(exc.errno or 0)
    if path and exc.errno == errno.EBUSY:
        found = _holders(path)
    if path and exc.errno == errno.EEXIST:
        found = _present(path)
    return ": ".join(part for part in (exc.strerror or str(exc), found) if part)


def message(exc: BaseException) -> str:
    """Return any error that was raised on purpose as text."""
    return explained(exc) if isinstance(exc, OSError) else str(exc)


def general_reason(number: int) -> str:
    """Return what an error number means here, "" if its name says all."""
    return _GENERAL.get(number, "")


def program_error(text: str) -> str:
    """Return the error message of a program, with what the error of the kernel in it means here."""
    known = next((meaning for number, meaning in _GENERAL.items() if os.strerror(number) in text), "")
    return f"{text} ({known})" if known else text


def holders_of_socket(protocol: str, port: int) -> str:
    """Return the processes that have a socket on this port of the current network namespace, as text. "" if no process has it.

    protocol  ``udp`` or ``tcp``
    """
    inodes = {f"socket:[{inode}]" for name in (protocol, f"{protocol}6") for inode in _inodes(f"/proc/net/{name}", port)}
    return _named(pid for pid in _processes() if inodes & set(_open_files(pid)))


def holders_of_tap(name: str) -> str:
    """Return the processes that have the tap open, as text."""
    return _named(pid for pid in _processes() if any(f"iff:\t{name}\n" in (text_or_none(f"/proc/{pid}/fdinfo/{number}") or "") for number in _taps(pid)))


def _path(exc: OSError) -> str:
    return os.fsdecode(exc.filename) if isinstance(exc.filename, (str, bytes)) else ""


def _taps(pid: str) -> list[str]:
    return [number for number, target in _descriptors(pid) if target == "/dev/net/tun"]


def _inodes(table: str, port: int) -> list[str]:
    fields = [line.split() for line in (text_or_none(table) or "").splitlines()[1:]]
    return [words[9] for words in fields if len(words) > 9 and int(words[1].rpartition(":")[2], 16) == port and words[9] != "0"]


def _holders(path: str) -> str:
    """Return who uses a cgroup, or a folder or file that cannot be unmounted or removed."""
    members = (text_or_none(f"{path}/cgroup.procs") or "").split()
    using = _named(members) if members else _named(pid for pid in _processes() if any(_below(found, path) for found in _places(pid)))
    if using:
        return f"in use by {using}"
    below = sorted(point for point in _mount_points() if _below(point, path))
    return f"{below[-1]} is a mount point" if below else ""


def _present(path: str) -> str:
    try:
        found = os.lstat(path)
    except OSError:
        return ""
    if stat.S_ISLNK(found.st_mode):
        return f"it is a symbolic link to {os.readlink(path)}: remove or rename it"
    kind = "folder" if stat.S_ISDIR(found.st_mode) else "file" if stat.S_ISREG(found.st_mode) else "special file"
    return f"it is a {kind} of user {found.st_uid}: remove or rename it"


def _full(path: str) -> str:
    """Return what is full: a file system, or else a limit of the kernel."""
    place = path
    while place and place != "/" and not os.path.exists(place):
        place = os.path.dirname(place)
    try:
        space = os.statvfs(place or "/var")
    except OSError:
        return ""
    where = place or "/var"
    if space.f_blocks and not space.f_bavail:
        return f"no space left: the file system of {where} is full"
    if space.f_files and not space.f_favail:
        return f"no space left: the file system of {where} has no inodes left"
    return (f"no space left: the file system of {where} was full, or a kernel limit is reached, of mounts (sysctl fs.mount-max), "
            "of namespaces (user.max_net_namespaces, user.max_mnt_namespaces) or of watches (fs.inotify.max_user_watches)")


def _processes() -> Iterator[str]:
    return (name for name in os.listdir("/proc") if name.isdigit())


def _places(pid: str) -> Iterator[str]:
    for name in ("cwd", "root", "exe"):
        yield _target(f"/proc/{pid}/{name}")
    yield from _open_files(pid)


def _open_files(pid: str) -> list[str]:
    return [target for _number, target in _descriptors(pid)]


def _descriptors(pid: str) -> list[tuple[str, str]]:
    try:
        return [(number, _target(f"/proc/{pid}/fd/{number}")) for number in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return []


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _mount_points() -> list[str]:
    return [line.split(" ", 5)[4] for line in (text_or_none("/proc/self/mountinfo") or "").splitlines()]


def _named(pids: Iterator[str] | list[str]) -> str:
    found = []
    for pid in pids:
        found.append(f"process {pid} ({(text_or_none(f'/proc/{pid}/comm') or '').strip()})")
        if len(found) > _MOST_NAMED:
            return ", ".join(found[:_MOST_NAMED]) + " and others"
    return ", ".join(found)
