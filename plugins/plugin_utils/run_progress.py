# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a playbook run has come: its phases, and their events in events.jsonl of the experiment that it acts on."""

from __future__ import annotations

import threading
import time
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.experiment import events
from ansible_collections.deter.benito.plugins.module_utils.experiment.locks import Holder
from ansible_collections.deter.benito.plugins.plugin_utils.playbook_phases import PhaseKind
from ansible_collections.deter.benito.plugins.plugin_utils.progress import ProgressLine
from ansible_collections.deter.benito.plugins.plugin_utils.running_phase import RunningPhase

_PROGRESS_EACH_S = 1.0
_MOST_KEPT = 200
_DIRECTORIES = {"deter.benito.swap_begin": "directory", "deter.benito.node_carriers": "directory", "deter.benito.containerize": "path"}
"""Which result of which task is the directory of the experiment."""


class RunProgress:
    """The phases of a run, the one after the other. A thread may show the phase while another takes results in.

    records  whether the run writes events
    """

    def __init__(self, playbook: str, records: bool):
        self.phase: RunningPhase | None = None
        self._records, self._lock, self._began = records, threading.RLock(), time.monotonic()
        self._holder = Holder.of_playbook()
        self._run_began = events.event(events.RUN_BEGAN, self._holder, playbook=playbook, process=self._holder.as_dict(), boot_id=events.boot_id())
        self._sizes: dict[str, int] = {}  # of results of swap_begin
        self._directory, self._failed = "", False  # whether an event could not be written: trying again may take long
        self._kept: list[dict[str, Any]] = []  # events from before the directory was known
        self._progress: dict[str, Any] = {}
        self._progress_at, self._announced = 0.0, False  # whether the phase's beginning is recorded: a phase with nothing to do has no events

    def enter(self, kind: PhaseKind | None) -> RunningPhase | None:
        """Begin a phase, or go on with it if it is the same. Return the one that ended. ``kind`` is None for a play that is no phase."""
        with self._lock:
            if self.phase and kind and self.phase.kind.name == kind.name:
                self.phase.kind = kind
                return None
            ended = self.leave()
            if kind:
                self.phase, self._announced = RunningPhase(kind, self._sizes.get(kind.total)), False
            return ended

    def leave(self) -> RunningPhase | None:
        """End the phase. Return it, None if there is none."""
        with self._lock:
            ended, self.phase = self.phase, None
            if ended and ended.worked:
                self._record(events.PHASE_ENDED, **ended.counts(), seconds=ended.seconds, failed=len(ended.failed))
            return ended

    def begin_task(self, name: str) -> None:
        """Take notice of a task that begins."""
        with self._lock:
            if self.phase:
                self.phase.begin_task(name.rpartition(" : ")[2])
                self._record_progress()

    def take_result(self, name: str, action: str, result: dict[str, Any], item: bool, loops: bool) -> None:
        """Take notice of what a task returned for a host, or for an item if it loops."""
        with self._lock:
            if action == "deter.benito.swap_begin":
                self._sizes = {key: len(value) for key, value in result.items() if isinstance(value, (list, dict))}
                if self.phase and self.phase.kind.total in self._sizes:
                    self.phase.set_total(self._sizes[self.phase.kind.total])
            if isinstance(found := result.get(_DIRECTORIES.get(action, "")), str):
                self._learn(found)
            if self.phase:
                self.phase.take_result(name.rpartition(" : ")[2], action, result, item, loops)
                self._record_progress()

    def take_failure(self, host: str, task: str, message: str, handled: bool) -> None:
        """Take notice of a task that failed. ``handled``: whether the playbook goes on with the host."""
        with self._lock:
            if self.phase:
                self.phase.worked = True
                self.phase.failed.add(host)
                self.phase.unhandled |= not handled
                self._record_progress()
                where = {"phase": self.phase.kind.name, "host": host, "task": task.rpartition(" : ")[2]}
                self._record(events.TASK_FAILED, **where, message=message, handled=handled)

    def take_line(self, line: ProgressLine) -> None:
        """Take notice of what a task says that it is doing."""
        with self._lock:
            if self.phase:
                self.phase.take_line(line)
                self._record_progress()

    def end(self, status: str) -> None:
        """End the run."""
        with self._lock:
            self._record(events.RUN_ENDED, status=status, seconds=round(time.monotonic() - self._began))
            self._records = False

    @property
    def seconds(self) -> int:
        return round(time.monotonic() - self._began)

    def _record_progress(self) -> None:
        """Record that the phase has begun, and how far it has come if that has changed and the last time was a while ago."""
        if not (self.phase and self.phase.worked):
            return
        if not self._announced:
            self._announced = True
            self._record(events.PHASE_BEGAN, phase=self.phase.kind.name)
        now, progress = time.monotonic(), {**self.phase.counts(), "detail": self.phase.detail}
        if self.phase.detail and progress != self._progress and now - self._progress_at >= _PROGRESS_EACH_S:
            self._progress, self._progress_at = progress, now
            self._record(events.PHASE_PROGRESS, **progress)

    def _learn(self, directory: str) -> None:
        """From now on, events are about the experiment in ``directory``. Those from before follow the beginning of the run."""
        if directory == self._directory or not self._records:
            return
        kept, self._kept = self._kept, []
        self._directory = directory
        events.append(directory, self._run_began, *kept)

    def _record(self, kind: str, **fields: Any) -> None:
        if not self._records or (kind == events.PHASE_PROGRESS and self._failed):
            return
        found = events.event(kind, self._holder, **fields)
        if self._directory:
            self._failed |= not events.append(self._directory, found)
        else:
            self._kept = [*self._kept, found][-_MOST_KEPT:]
