# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and writing files in a tree that a node's root controls. Symbolic links in a path are never followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from ...errors import HostError
from ..guest.network import GuestFile
from ..guest.report import Report, find_report, read_open_report
from .config import FIRST_ID, REPORT

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree:
    """The files below ``root``, which are owned by the node's root.

    lower  the lower tree, if ``root`` is the upper directory of an overlay: new directories get owner and mode from it
    ours   whether nobody else uses the tree now, so that obstacles are removed
    """

    def __init__(self, root: str, lower: str = "", ours: bool = False):
        self._root, self._lower, self._ours = root, lower, ours

    def write(self, path: str, file: GuestFile) -> None:
        """Make or replace a file. Raises HostError when the node has put an obstacle there."""
        try:
            with self._parent(path, make=True) as (directory, name):
                temporary = f".{name}.benito"
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=directory)
                _make(directory, temporary, file)
                os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as exc:
            raise HostError(f"/{path} cannot be written: {exc.strerror}; the node has put something else there") from exc

    def remove(self, path: str) -> None:
        """Remove a file, if it is there and no link leads to it."""
        with contextlib.suppress(OSError), self._parent(path, make=False) as (directory, name):
            os.unlink(name, dir_fd=directory)

    def report(self) -> Report:
        """Return the node's latest report."""
        try:
            with self._parent(REPORT[1:], make=False) as (directory, name):
                return read_open_report(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory))
        except OSError:
            return Report()

    def find_report(self) -> int:
        """Return a descriptor by which the node's report can be watched, or -1, see guest/report.py."""
        try:
            with self._parent(REPORT[1:], make=False) as (directory, name):
                return find_report(name, directory)
        except OSError:
            return -1

    def say(self, line: str) -> None:
        """Add a line to the node's report, if that is a regular file."""
        with contextlib.suppress(OSError), self._parent(REPORT[1:], make=False) as (directory, name):
            fd = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
            try:
                if stat.S_ISREG(os.fstat(fd).st_mode):
                    os.write(fd, f"{line}\n".encode())
            finally:
                os.close(fd)

    @contextlib.contextmanager
    def _parent(self, path: str, make: bool) -> Iterator[tuple[int, str]]:
        *parents, name = path.split("/")
        fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for depth, part in enumerate(parents):
                below = self._enter(fd, part, "/".join(parents[:depth + 1]), make)
                os.close(fd)
                fd = below
            yield fd, name
        finally:
            os.close(fd)

    def _enter(self, fd: int, part: str, path: str, make: bool) -> int:
        try:
            return os.open(part, _DIRECTORY, dir_fd=fd)
        except OSError as exc:
            if not make or exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) or (exc.errno != errno.ENOENT and not self._ours):
                raise
            if exc.errno != errno.ENOENT:  # a link, a file, or an overlay's mark of a deleted entry
                os.unlink(part, dir_fd=fd)
        mode, uid, gid = self._like_below(path)
        os.mkdir(part, 0o700, dir_fd=fd)
        made = os.open(part, _DIRECTORY, dir_fd=fd)
        os.fchown(made, uid, gid)
        os.fchmod(made, mode)
        return made

    def _like_below(self, path: str) -> tuple[int, int, int]:
        with contextlib.suppress(OSError):
            found = os.lstat(f"{self._lower}/{path}") if self._lower else None
            if found and stat.S_ISDIR(found.st_mode):
                return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
        return 0o700 if path.endswith("/.ssh") else 0o755, FIRST_ID, FIRST_ID


def _make(directory: int, name: str, file: GuestFile) -> None:
    if file.target:
        os.symlink(file.target, name, dir_fd=directory)
        os.chown(name, FIRST_ID, FIRST_ID, dir_fd=directory, follow_symlinks=False)
        return
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
    with os.fdopen(fd, "w", encoding="utf-8") as stream:
        stream.write(file.text)
        stream.flush()
        os.fchown(fd, FIRST_ID, FIRST_ID)
        os.fchmod(fd, file.mode)
