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
    os.makedirs(f"{RUN_ROOT}/exp", mode=0o700, exist_ok=True)
    fd = os.open(f"{RUN_ROOT}/exp/{place.experiment}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + limit_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                if time.monotonic() > deadline:
                    raise HostError(f"another benito-host has been changing {place.experiment} on this host for {limit_s:.0f} s") from exc
                time.sleep(0.1)
        yield
    finally:
        os.close(fd)


def _read(path: str) -> HostPlan | None:
    try:
        with open(path, encoding="utf-8") as stream:
            return from_json(stream.read(), path)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as exc:
        raise HostError(f"{path} is damaged: {exc}") from exc
