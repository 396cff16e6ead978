# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories of the controller that appear whole or not at all, and leave nothing when they fail. A lock on a file."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import errno
import os
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from .errors import BenitoError, HostError
from .file_lock import take_lock

_NOTE_S = 1.0  # for the holder of a lock to write who it is
NEW = ".new-"  # prefix of an unfinished file or directory, until it is renamed


def create_tree(path: str, files: dict[str, str | bytes], directories: tuple[str, ...], prefix: str) -> None:
    """Make the directory ``path`` with ``files`` (path inside: content) and the empty ``directories``.

    It is filled under a temporary name that begins with ``prefix``, flushed to the disk and renamed.
    Raises OSError. After any exception nothing is left.
    """
    new = tempfile.mkdtemp(prefix=prefix, dir=os.path.dirname(path))
    try:
        _fill(new, files, directories)
        os.rename(new, path)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _flush(os.path.dirname(path))


def private_directory(path: str) -> None:
    """Make the directory ``path``, and the parents that are missing, for its owner alone. If it exists, keep others from entering it. Raises OSError.

    A directory of another user stays as it is: that user decides.
    """
    missing, parent = [], os.path.abspath(path)
    while not os.path.isdir(parent):
        missing.append(parent)
        parent = os.path.dirname(parent)
    for directory in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o700)
    found = os.stat(path)
    if found.st_mode & 0o077 and os.geteuid() in (0, found.st_uid):
        os.chmod(path, 0o700)


@contextlib.contextmanager
def parents_while_needed(path: str) -> Iterator[None]:
    """Make the directory ``path`` with its parents for the block. Afterwards remove those of them that are empty.

    Raises OSError when a directory cannot be made; then nothing is left.
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
def signals_as_exceptions() -> Iterator[None]:
    """End the block by an exception on SIGTERM and SIGHUP, as on an interrupt, so that it can clean up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fill(root: str, files: dict[str, str | bytes], directories: tuple[str, ...]) -> None:
    """Write all files, then flush them together: an experiment may have thousands."""
    relative = {parent for name in (*directories, *(os.path.dirname(name) for name in files)) for parent in _with_parents(name)}
    folders = [os.path.join(root, name) for name in sorted(relative)]
    for folder in folders:
        os.mkdir(folder, 0o700)
    for name, content in files.items():
        _write_new(os.path.join(root, name), as_bytes(content))
    _flush_file_system(root)


def _with_parents(relative: str) -> Iterator[str]:
    while relative:
        yield relative
        relative = os.path.dirname(relative)


def _write_new(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(data)


def replace_file(path: str, data: bytes, like_before: bool = False) -> None:
    """Give ``path`` the content ``data``, flushed to the disk. Raises OSError; then the old content stands.

    like_before  keep the owner and mode that the file has, or give a new one those of new files; else the mode is 0600
    """
    _replace(path, data, lambda descriptor: _make_like(descriptor, path) if like_before else None, durable=True)


def write_text(path: str, text: str, mode: int = 0o644) -> None:
    """Give ``path`` the content ``text`` and the mode ``mode``. Its folder is made as needed. Raises OSError; then the old content stands.

    The file is not flushed. Use this for files that are made again after a crash.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    _replace(path, text.encode(), lambda descriptor: os.fchmod(descriptor, mode), durable=False)


def read_text(path: str, default: str = "") -> str:
    """Return the text of ``path``, or ``default`` when there is no such file."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return default


def _replace(path: str, data: bytes, prepare: Callable[[int], None], durable: bool) -> None:
    descriptor, new = tempfile.mkstemp(prefix=NEW, dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as handle:
            prepare(handle.fileno())
            handle.write(data)
            if durable:
                handle.flush()
                os.fsync(handle.fileno())
        os.rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    if durable:
        _flush(os.path.dirname(path))


def _make_like(descriptor: int, path: str) -> None:
    """Give an open file the owner and mode of the file ``path``, or of a new one if there is none."""
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
    """Flush a file or directory to the disk, if its file system supports that."""
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
    """Return ``content``, text as UTF-8."""
    return content if isinstance(content, bytes) else content.encode()


@contextlib.contextmanager
def locked(path: str, what: str, error: type[BenitoError] = HostError, limit_s: float = 0.0,
           remove_if: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Hold an exclusive lock on the file ``path`` for the block. The file and its folder are made as needed.

    what       the name of the locked object, for the message
    limit_s    seconds to wait for another holder
    remove_if  asked at the end: whether the lock file itself is removed
    Raises ``error`` that names the holder when another process keeps the lock, OSError when the file cannot be made.
    """
    descriptor = _wait_for_lock(path, what, error, time.monotonic() + limit_s)
    try:
        with contextlib.suppress(OSError):  # the note helps others; a full disk is no reason to fail here
            since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {os.uname().nodename} since {since}".encode(), 0)
        yield
    finally:
        os.ftruncate(descriptor, 0)
        if remove_if():
            with contextlib.suppress(OSError):
                os.unlink(path)
        os.close(descriptor)


def _wait_for_lock(path: str, what: str, error: type[BenitoError], deadline: float) -> int:
    while True:
        try:
            descriptor = take_lock(path)
            if descriptor is not None:
                return descriptor
        except BlockingIOError:
            holder = read_text(path)  # empty for a moment after it took the lock, and before it releases it
            if time.monotonic() >= deadline + (0.0 if holder else _NOTE_S):
                raise error(f"{what} is locked by {holder or 'another run'}: wait for it to finish") from None
            time.sleep(0.2 if holder else 0.02)
