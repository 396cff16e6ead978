# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs of playbooks on an experiment, as its events tell them: who started which, how far it came, and how it ended."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import events
from .locks import Holder

MOST_RUNS = 200


@dataclass
class Phase:
    """A phase of a run.

    began, ended  times; ``ended`` is "" while it runs
    done, of      its counts, None where it has none
    detail        what it was at last
    failed        how many hosts failed in it
    """

    name: str
    began: str
    ended: str = ""
    done: int | None = None
    of: int | None = None
    detail: str = ""
    failed: int = 0


@dataclass
class Run:
    """A run of a playbook.

    name          identifies it
    by            user@host
    began, ended  times; ``ended`` is "" while it runs, and for a run that was killed
    status        one of events.RUNNING, SUCCESSFUL, UNSUCCESSFUL and INTERRUPTED
    failures      the events of failed tasks that nothing handled
    """

    name: str
    playbook: str
    by: str
    began: str
    holder: Holder | None
    boot_id: str
    ended: str = ""
    status: str = events.RUNNING
    phases: list[Phase] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)


class RunHistory:
    """The runs of an experiment, kept while its events come.

    runs  the last MOST_RUNS, the oldest first
    """

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._last: dict[str, Run] = {}  # one process may run several playbooks, the one after the other

    def take(self, found: dict[str, Any]) -> None:
        """Take in an event."""
        name = found.get("run")
        if not isinstance(name, str):  # of another version
            return
        if found["event"] == events.RUN_BEGAN:
            self._last[name] = _begun(found)
            self.runs.append(self._last[name])
            if len(self.runs) > MOST_RUNS:
                self.runs = self.runs[-MOST_RUNS:]
                self._last = {name: run for name, run in self._last.items() if run in self.runs}
        elif name in self._last:
            _take_in(self._last[name], found)

    def settle(self) -> list[Run]:
        """Return the runs that have no end and whose process is gone since the last call. They are interrupted."""
        gone = [run for run in self.runs if run.status == events.RUNNING and not _lives(run)]
        for run in gone:
            run.status = events.INTERRUPTED
        return gone


def runs_of(found: Iterable[dict[str, Any]]) -> list[Run]:
    """Return the runs that the events tell of, the oldest first. A run without an end whose process is gone is interrupted."""
    history = RunHistory()
    for each in found:
        history.take(each)
    history.settle()
    return history.runs


def _begun(found: dict[str, Any]) -> Run:
    try:
        holder = Holder.from_dict(found.get("process"))
    except TypeError:  # of another version
        holder = None
    return Run(found["run"], found.get("playbook", ""), found.get("by", ""), found.get("time", ""), holder, found.get("boot_id", ""))


def _take_in(run: Run, found: dict[str, Any]) -> None:
    kind, phase = found["event"], run.phases[-1] if run.phases else None
    if kind == events.PHASE_BEGAN:
        run.phases.append(Phase(found.get("phase", ""), found.get("time", "")))
    elif kind in (events.PHASE_PROGRESS, events.PHASE_ENDED) and phase:
        phase.done, phase.of, phase.detail = found.get("done"), found.get("of"), found.get("detail", "")
        if kind == events.PHASE_ENDED:
            phase.ended, phase.failed = found.get("time", ""), found.get("failed", 0)
    elif kind == events.TASK_FAILED and not found.get("handled"):
        run.failures.append(found)
    elif kind == events.RUN_ENDED:
        run.ended, run.status = found.get("time", ""), found.get("status", events.UNSUCCESSFUL)


def _lives(run: Run) -> bool:
    """Return whether a run's process still runs. One on another machine cannot be asked, and counts as running."""
    if run.holder is None:
        return False
    if run.holder.host == socket.gethostname() and run.boot_id != events.boot_id():
        return False
    return run.holder.lives()
