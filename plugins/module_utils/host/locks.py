# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Locks on a vhost: one for each experiment, one for what its experiments share. Who needs both takes the experiment's first.

They end with the process, and leave no file: who is done removes it, and who waits for a file that is gone tries again.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress

from ..errors import HostError
from .place import RUN_ROOT, Place


def experiment_lock(place: Place, limit_s: float = 60.0):
    """Nobody else changes this experiment on this host meanwhile. Raises HostError when somebody does for too long."""
    busy = f"another benito-host has been changing {place.experiment} on this host for {limit_s:.0f} s"
    return _alone(f"{RUN_ROOT}/exp/{place.experiment}.lock", busy, limit_s)


def machine_lock(limit_s: float = 60.0):
    """Nobody else changes leases, sysctls, the unit file or installed programs meanwhile. Raises HostError when somebody does for too long."""
    busy = f"another run has been changing what the experiments on this host share for {limit_s:.0f} s"
    return _alone(f"{RUN_ROOT}/machine.lock", busy, limit_s)


@contextmanager
def _alone(path: str, busy: str, limit_s: float):
    deadline = time.monotonic() + limit_s
    while (fd := _try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise HostError(busy)
        time.sleep(0.05)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):  # somebody cleared /run
            os.unlink(path)
        os.close(fd)
        _remove_empty(os.path.dirname(path))


def _try_lock(path: str):
    """A descriptor that holds the lock, or None; the file may have been removed in between, with its lock."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileExistsError, FileNotFoundError):
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), os.stat(path)):
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None


def _remove_empty(directory: str) -> None:
    """The folders made for the lock, if nothing else is in them."""
    while directory.startswith(RUN_ROOT):
        try:
            os.rmdir(directory)
        except OSError:
            return
        directory = os.path.dirname(directory)
