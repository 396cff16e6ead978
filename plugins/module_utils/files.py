# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories that appear whole or not at all, and leave nothing when they fail."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import stat
import tempfile
import threading

NEW = ".new-"  # what an unfinished file or directory is called until it is renamed


def create_tree(path: str, files: dict[str, str | bytes], directories: tuple[str, ...], prefix: str) -> None:
    """Make the directory ``path`` with ``files`` (path inside: content) and the empty ``directories``.

    It is filled beside its place as ``prefix`` and a random word, flushed to the disk and renamed.
    Raises OSError; then, as after any exception, nothing is left.
    """
    new = tempfile.mkdtemp(prefix=prefix, dir=os.path.dirname(path))
    try:
        _fill(new, files, directories)
        os.rename(new, path)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _flush(os.path.dirname(path))


@contextlib.contextmanager
def parents_while_needed(path: str):
    """Make the directory ``path`` with its parents for the block; what was made and is empty afterwards goes again.

    Raises OSError when it cannot be made; then nothing is left either.
    """
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    made = []
    try:
        for directory in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory, 0o700)
                made.append(directory)
        yield
    finally:
        for directory in reversed(made):
            with contextlib.suppress(OSError):
                os.rmdir(directory)


def remove_empty(path: str, stop: str) -> None:
    """Remove ``path`` and its parents below ``stop`` as far as they are empty."""
    while path != stop and path.startswith(stop):
        try:
            os.rmdir(path)
        except OSError:
            return
        path = os.path.dirname(path)


@contextlib.contextmanager
def signals_as_exceptions():
    """SIGTERM and SIGHUP end the block as an interrupt does, so that it can tidy up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number, _frame):
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fill(root: str, files: dict[str, str | bytes], directories: tuple[str, ...]) -> None:
    """Write everything, then flush it in one go: an experiment may have thousands of files."""
    relative = {parent for name in (*directories, *(os.path.dirname(name) for name in files)) for parent in _with_parents(name)}
    folders = [os.path.join(root, name) for name in sorted(relative)]
    for folder in folders:
        os.mkdir(folder, 0o700)
    for name, content in files.items():
        _write_new(os.path.join(root, name), as_bytes(content))
    _flush_file_system(root)


def _with_parents(relative: str):
    while relative:
        yield relative
        relative = os.path.dirname(relative)


def _write_new(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(data)


def replace_file(path: str, data: bytes, like_before: bool = False) -> None:
    """Give ``path`` the content ``data``. Raises OSError; then the old content stands.

    like_before  with the owner and mode that it has, or that new files have; else with mode 0600
    """
    descriptor, new = tempfile.mkstemp(prefix=NEW, dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as handle:
            if like_before:
                _make_like(handle.fileno(), path)
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    _flush(os.path.dirname(path))


def _make_like(descriptor: int, path: str) -> None:
    """Give an open file the owner and mode of the file ``path``, or of a new one where there is none."""
    try:
        before = os.stat(path)
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        os.fchmod(descriptor, 0o666 & ~mask)
        return
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _flush(path: str) -> None:
    """Flush a file or directory to the disk, where its file system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.EROFS, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _flush_file_system(path: str) -> None:
    """Flush the file system that holds ``path``; Python has no ``syncfs`` of its own."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(descriptor)


def as_bytes(content: str | bytes) -> bytes:
    """``content``, text as UTF-8."""
    return content if isinstance(content, bytes) else content.encode()
