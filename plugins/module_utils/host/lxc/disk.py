# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of an openvz node's own files: a directory, or for a limited disk a file system in a sparse file, mounted by a loop device."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import struct
import subprocess
from collections.abc import Iterator

from ...errors import HostError
from ..base import syscalls
from ..base.os_errors import why
from .config import FIRST_ID

_SET_FD, _CLR_FD, _SET_STATUS64, _GET_FREE = 0x4C00, 0x4C01, 0x4C04, 0x4C82
_AUTOCLEAR = 4  # the device is free again when nothing is mounted from it
_INFO = struct.Struct("=QQQQQIIII64s64s32s2Q")  # struct loop_info64
_TRIES = 64
_LEAST_MB = 16


def open_disk(directory: str, disk_mb: int) -> None:
    """Make ``data/upper`` and ``data/work`` in a node's directory, in a file system of ``disk_mb`` MiB unless that is 0. Raises HostError."""
    data = f"{directory}/data"
    os.makedirs(data, mode=0o700, exist_ok=True)
    if disk_mb and not syscalls.is_mount_point(data):
        if disk_mb < _LEAST_MB:
            raise HostError(f"a disk of {disk_mb} MiB is too small: the minimum is {_LEAST_MB} MiB")
        _make_file(f"{directory}/disk", disk_mb)
        _mount_loop(f"{directory}/disk", data)
    elif not disk_mb and _file_system(data) == "overlay":
        raise HostError(f"{data} is on an overlay, which cannot hold the node's own overlay: mount another file system there, or give the node a disk size")
    for name in ("upper", "work"):
        with contextlib.suppress(FileExistsError):
            os.mkdir(f"{data}/{name}", 0o755)
            if name == "upper":
                os.chown(f"{data}/upper", FIRST_ID, FIRST_ID)


def mounted_below(directory: str) -> list[str]:
    """Return the mount points in a directory, the innermost first."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        points = [line.split(" ", 5)[4] for line in lines]
    return sorted((point for point in points if point.startswith(f"{directory}/")), reverse=True)


def _make_file(path: str, disk_mb: int) -> None:
    if os.path.exists(path):
        return
    partial = f"{path}.new"
    with open(partial, "wb") as stream:
        stream.truncate(disk_mb << 20)
    options = ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "-L", "benito"]
    made = subprocess.run([_mkfs(), *options, partial], capture_output=True, text=True, check=False)
    if made.returncode:
        raise HostError(f"making a file system of {disk_mb} MiB in {path} failed: {made.stderr.strip()}")
    os.rename(partial, path)


def _mkfs() -> str:
    found = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if not found:
        raise HostError("mkfs.ext4 is missing on this host: install the package e2fsprogs")
    return found


def _mount_loop(path: str, target: str) -> None:
    """Mount a file as ext4. The /dev of a container may lack the loop devices: then they are made temporarily."""
    backing = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        with _device("/dev/loop-control", stat.S_IFCHR, os.makedev(10, 237)) as control:
            for _try in range(_TRIES):
                number = fcntl.ioctl(control, _GET_FREE)
                with _device(f"/dev/loop{number}", stat.S_IFBLK, os.makedev(7, number)) as loop:
                    try:
                        fcntl.ioctl(loop, _SET_FD, backing)
                    except OSError as exc:
                        if exc.errno == errno.EBUSY:  # another process was faster
                            continue
                        raise
                    try:
                        fcntl.ioctl(loop, _SET_STATUS64, _info(path))
                        syscalls.mount(f"/dev/loop{number}", target, "ext4", syscalls.MS_NODEV, "noinit_itable")
                    except OSError:
                        with contextlib.suppress(OSError):
                            fcntl.ioctl(loop, _CLR_FD)
                        raise
                return
        raise HostError("there is no free loop device on this host")
    except OSError as exc:
        raise HostError(f"{path} cannot be mounted by a loop device, which a node with a disk limit needs: {why(exc, path)}") from exc
    finally:
        os.close(backing)


def _info(path: str) -> bytes:
    name = os.fsencode(path)[-63:]
    return _INFO.pack(0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR, name, b"", b"", 0, 0)


@contextlib.contextmanager
def _device(path: str, kind: int, number: int) -> Iterator[int]:
    made = False
    if not os.path.exists(path):
        os.mknod(path, kind | 0o600, number)
        made = True
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)
    finally:
        if made:
            os.unlink(path)


def _file_system(path: str) -> str:
    """Return the type of the file system that holds ``path``."""
    device, best = os.stat(path).st_dev, ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            left, right = line.split(" - ", 1)
            if left.split()[2] == f"{os.major(device)}:{os.minor(device)}":
                best = right.split()[0]
    return best
