# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks on a vhost: one for each experiment, one for what its experiments share. A process that needs both takes the experiment's first.

A removal announces itself first (``removal_lock``). Nodes may take minutes to boot: a process that waits for them while it holds
the experiment's lock gives up when a removal is announced (``removal_blocked``).

A lock ends with its process. Its last holder removes its file.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from ...errors import HostError
from ...file_lock import take_lock
from .paths import RUN_ROOT, ExperimentPaths, make_run_root, remove_empty

TYPE_CHECKING = False  # typing, which has it, takes longer to read than all that is imported here
if TYPE_CHECKING:
    from ...hostplan import ImagePlan


def experiment_lock(paths: ExperimentPaths, limit_s: float = 60.0) -> AbstractContextManager[None]:
    """Keep other processes from changing this experiment on this host. Raises HostError when another keeps the lock for ``limit_s`` seconds."""
    busy = f"another benito-host has been changing {paths.experiment} on this host for {limit_s:.0f} s"
    return _locked(f"{RUN_ROOT}/exp/{paths.experiment}.lock", busy, limit_s)


def frame_check_lock(paths: ExperimentPaths, limit_s: float = 60.0) -> AbstractContextManager[None]:
    """Keep other processes from sending frames across the experiment's bridges. Raises HostError as above."""
    busy = f"another benito-host has been sending frames across the bridges of {paths.experiment} for {limit_s:.0f} s"
    return _locked(f"{RUN_ROOT}/exp/{paths.experiment}.frames", busy, limit_s)


def machine_lock(limit_s: float = 60.0) -> AbstractContextManager[None]:
    """Keep other processes from changing what experiments share: leases, sysctls, the unit file, installed programs. Raises HostError as above."""
    busy = f"another run has been changing what the experiments on this host share for {limit_s:.0f} s"
    return _locked(f"{RUN_ROOT}/machine.lock", busy, limit_s)


def image_lock(image: ImagePlan, limit_s: float = 900.0) -> AbstractContextManager[None]:
    """Keep other experiments from unpacking this image. Raises HostError as above."""
    busy = f"another benito-host has been unpacking image {image.name} on this host for {limit_s:.0f} s"
    return _locked(f"{RUN_ROOT}/image-{image.digest}.lock", busy, limit_s)


def removal_lock(paths: ExperimentPaths, limit_s: float = 60.0) -> AbstractContextManager[None]:
    """Announce that the experiment is being removed from this host. Taken before the experiment's lock. Raises HostError as above."""
    busy = f"another benito-host has been removing {paths.experiment} from this host for {limit_s:.0f} s"
    return _locked(_removal_path(paths), busy, limit_s)


def removal_blocked(paths: ExperimentPaths) -> AbstractContextManager[None]:
    """Keep a removal of the experiment from beginning. Any number may hold this. Raises HostError when a removal has begun."""
    return _locked(_removal_path(paths), f"{paths.experiment} is being removed from this host", 1.0, fcntl.LOCK_SH)


def _removal_path(paths: ExperimentPaths) -> str:
    return f"{RUN_ROOT}/exp/{paths.experiment}.leaving"


@contextmanager
def _locked(path: str, busy: str, limit_s: float, lock_type: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the lock on the file ``path``, which goes with its last holder. Raises HostError with the message ``busy`` after ``limit_s`` seconds."""
    deadline = time.monotonic() + limit_s
    while (fd := try_lock(path, lock_type)) is None:
        if time.monotonic() > deadline:
            raise HostError(busy)
        time.sleep(0.05)
    try:
        yield
    finally:
        with suppress(FileNotFoundError, BlockingIOError):  # /run was cleared; others hold it too
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        os.close(fd)
        remove_empty(os.path.dirname(path), stop=os.path.dirname(RUN_ROOT))


def try_lock(path: str, lock_type: int = fcntl.LOCK_EX) -> int | None:
    """Return an open descriptor that holds the lock on the file ``path``, or None when there is no getting it now."""
    try:
        make_run_root()
        return take_lock(path, lock_type)
    except (BlockingIOError, FileExistsError, FileNotFoundError):  # the latter two: folders come and go with other holders
        return None
