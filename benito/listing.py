# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the experiments below BENITO_HOME. Reads the disk alone."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory, experiments

from .experiment import read_assignment

BROKEN = "broken"
_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


@dataclass(frozen=True)
class Entry:
    """One experiment of the list.

    name    PID/EID
    state   as Experiment.state, or "broken" if its directory cannot be read
    since   when it became so, ISO 8601 with offset; "" if it is broken
    reason  why it failed or is broken, else ""
    nodes   how many it has, None if that cannot be read
    pnodes  how many it needs, likewise
    age_s   seconds since it was created, None if that cannot be read
    """

    name: str
    state: str
    since: str
    reason: str
    nodes: int | None
    pnodes: int | None
    age_s: int | None


def listed(home: str | None = None) -> list[Entry]:
    """Return all experiments, sorted by name."""
    return [_entry(ExperimentDirectory(home, project, eid)) for project, eid in experiments(home)]


def age(seconds: int | None) -> str:
    """Return an age as text: ``40 s``, ``5 min``, ``2 h``, ``3 d``."""
    if seconds is None:
        return "-"
    return next((f"{seconds // size} {unit}" for unit, size in _UNITS if seconds >= size), f"{seconds} s")


def _entry(directory: ExperimentDirectory) -> Entry:
    try:
        state, since, reason = (found := directory.read_state()).state, found.since, found.reason
    except BenitoError as exc:
        state, since, reason = BROKEN, "", str(exc)
    try:
        assignment = read_assignment(directory)
        counts: tuple[int | None, int | None] = sum(map(len, assignment.values())), len(assignment)
    except (BenitoError, TypeError):
        counts = None, None
    return Entry(str(directory), state, since, reason, *counts, _age(directory))


def _age(directory: ExperimentDirectory) -> int | None:
    """Return the seconds since the first line of activity.log."""
    try:
        with open(directory.activity_log, encoding="utf-8", errors="replace") as handle:
            created = datetime.datetime.fromisoformat(handle.readline(200).partition(" ")[0])
        return max(0, int((datetime.datetime.now(datetime.UTC) - created).total_seconds()))
    except (OSError, ValueError, TypeError):
        return None
