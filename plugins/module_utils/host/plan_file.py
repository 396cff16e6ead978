# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of an experiment where it lies on the vhost: read, locked, remembered when applied."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager

from ..errors import HostError
from ..hostplan import HostPlan, from_json, to_json
from .place import RUN_ROOT, Place, write_atomically
from .plan_check import check_plan


def read_plan(place: Place) -> HostPlan:
    """The plan that this host was given. Raises HostError when there is none or it is of another experiment."""
    plan = _read(place.plan)
    if plan is None:
        raise HostError(f"no experiment {place.experiment} on this host: there is no {place.plan}")
    if plan.experiment != place.experiment:
        raise HostError(f"{place.plan} is the plan of {plan.experiment}, not of {place.experiment}")
    return plan


def read_applied(place: Place) -> HostPlan | None:
    """The plan that was applied last since this host's boot."""
    return _read(f"{place.run}/applied.json")


def remember_applied(place: Place, plan: HostPlan) -> None:
    write_atomically(f"{place.run}/applied.json", to_json(plan))


@contextmanager
def locked(place: Place, limit_s: float = 60.0):
    """Nobody else changes this experiment on this host meanwhile. Raises HostError when somebody does for too long."""
    deadline = time.monotonic() + limit_s
    while (fd := _try_lock(lock_file(place))) is None:
        if time.monotonic() > deadline:
            raise HostError(f"another benito-host has been changing {place.experiment} on this host for {limit_s:.0f} s")
        time.sleep(0.1)
    try:
        yield
    finally:
        os.close(fd)


def lock_file(place: Place) -> str:
    """The file whose lock ``locked`` takes; who has the lock may remove it."""
    return f"{RUN_ROOT}/exp/{place.experiment}.lock"


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


def _read(path: str) -> HostPlan | None:
    try:
        with open(path, encoding="utf-8") as stream:
            plan = from_json(stream.read(), path)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as exc:
        raise HostError(f"{path} is damaged: {exc}") from exc
    check_plan(plan, path)
    return plan
