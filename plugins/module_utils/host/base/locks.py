# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks on a vhost: one for each experiment, one for what its experiments share. Whoever needs both takes the experiment's first.

A removal announces itself first (``removal_lock``). Nodes may take minutes to boot: a process that waits for them while it holds
the experiment's lock gives up when a removal is announced (``removal_blocked``).

A lock ends with its process. Its file is removed by the last holder; a process that waits on a removed file opens it anew.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress

from ...errors import HostError
from .paths import RUN_ROOT, ExperimentPaths, make_run_root


def experiment_lock(paths: ExperimentPaths, limit_s: float = 60.0):
    """Nobody else changes this experiment on this host meanwhile. Raises HostError when somebody does for too long."""
    busy = f"another benito-host has been changing {paths.experiment} on this host for {limit_s:.0f} s"
    return _alone(f"{RUN_ROOT}/exp/{paths.experiment}.lock", busy, limit_s)


def machine_lock(limit_s: float = 60.0):
    """Nobody else changes leases, sysctls, the unit file or installed programs meanwhile. Raises HostError when somebody does for too long."""
    busy = f"another run has been changing what the experiments on this host share for {limit_s:.0f} s"
    return _alone(f"{RUN_ROOT}/machine.lock", busy, limit_s)


def removal_lock(paths: ExperimentPaths, limit_s: float = 60.0):
    """The experiment is being taken away from this host meanwhile. Taken before its lock. Raises HostError when somebody else does that for too long."""
    busy = f"another benito-host has been taking {paths.experiment} away from this host for {limit_s:.0f} s"
    return _alone(_removal_path(paths), busy, limit_s)


def removal_blocked(paths: ExperimentPaths):
    """Nobody begins to take the experiment away meanwhile; any number may hold this. Raises HostError when somebody has begun."""
    return _alone(_removal_path(paths), f"{paths.experiment} is being taken away from this host", 1.0, fcntl.LOCK_SH)


def _removal_path(paths: ExperimentPaths) -> str:
    return f"{RUN_ROOT}/exp/{paths.experiment}.leaving"


@contextmanager
def _alone(path: str, busy: str, limit_s: float, lock_type: int = fcntl.LOCK_EX):
    deadline = time.monotonic() + limit_s
    while (fd := try_lock(path, lock_type)) is None:
        if time.monotonic() > deadline:
            raise HostError(busy)
        time.sleep(0.05)
    try:
        yield
    finally:
        with suppress(FileNotFoundError, BlockingIOError):  # somebody cleared /run; others hold it too
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        os.close(fd)
        _remove_empty(os.path.dirname(path))


def try_lock(path: str, lock_type: int = fcntl.LOCK_EX):
    """A descriptor that holds the lock, or None; the file may have been removed in between, with its lock."""
    try:
        make_run_root()
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileExistsError, FileNotFoundError):
        return None
    try:
        fcntl.flock(fd, lock_type | fcntl.LOCK_NB)
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
