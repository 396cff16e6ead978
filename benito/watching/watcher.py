# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following one experiment: its state, the runs on it, and each of its nodes, as events."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment import events as recorded
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory, ExperimentState
from ansible_collections.deter.benito.plugins.module_utils.experiment.machine_access import SECRETS
from ansible_collections.deter.benito.plugins.module_utils.experiment.runs import Run, RunHistory

from ..experiment import Experiment
from ..reach.clients import Client, client_commands
from ..reach.members import Members
from .stream import ALIVE_S, Stream
from .view import View, now

PROGRAM = "/usr/local/sbin/benito-host"
LOOK_S = 0.3  # at the files of the experiment
MOST_WAITING = 10_000  # events for one subscriber; beyond that it gets a new snapshot
SETTLE_S = 10.0
_POLL_S = 0.05
_READ = ("allocation.json", "partitioned.xml", SECRETS)  # what says which vhosts there are and how they are reached
_RUN_EVENTS = (recorded.RUN_BEGAN, recorded.RUN_ENDED, recorded.PHASE_BEGAN, recorded.PHASE_PROGRESS, recorded.PHASE_ENDED, recorded.TASK_FAILED)


class Watcher:
    """Follows an experiment while ``run`` is awaited. docs/status.md describes the events.

    view  its nodes and vhosts; without any while it is swapped out
    runs  RunHistory of the playbooks on it
    """

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.view = View({})
        self.runs = RunHistory()
        self._directory = ExperimentDirectory(experiment.home, experiment.pid, experiment.eid)
        self._reader = recorded.EventReader(experiment.directory)
        self._state: ExperimentState | None = None
        self._fault = ""
        self._lent: list[tuple[int, ...]] = [()] * len(_READ)
        self._streams: dict[str, Stream] = {}
        self._tasks: list[asyncio.Task] = []
        self._ending: set[asyncio.Task] = set()
        self._commands: _Commands | None = None
        self._subscribers: set[_Subscriber] = set()

    @property
    def state(self) -> dict[str, str]:
        """Return {"state", "since", "reason"} of the experiment. The state is ``broken`` if it cannot be read, and ``terminated`` when it is gone."""
        if self._state is None:
            return {"state": "broken" if self._fault else recorded.TERMINATED, "since": "", "reason": self._fault}
        return {"state": self._state.state, "since": self._state.since, "reason": self._state.reason}

    @property
    def run_now(self) -> Run | None:
        """The run that works on the experiment now, else the last one; None if there was none."""
        latest = self.runs.runs[::-1]
        return next((run for run in latest if run.status == recorded.RUNNING), latest[0] if latest else None)

    def snapshot(self) -> dict[str, Any]:
        """Return all that is known as an event."""
        run = run_dict(self.run_now) if self.run_now else None
        return {"event": "snapshot", "time": now(), "experiment": str(self.experiment), **self.state, "run": run, **self.view.as_dict()}

    async def run(self) -> None:
        """Follow the experiment until it has been terminated or this task is cancelled."""
        with self._reader:
            try:
                self._look(first=True)
                while self._directory.exists():
                    await asyncio.sleep(LOOK_S)
                    self._look()
            finally:
                self._publish(*([] if self._directory.exists() else [{"event": "gone", "time": now(), "experiment": str(self.experiment)}]))
                self._end_streams()
                await asyncio.gather(*self._ending, return_exceptions=True)

    async def settled(self, limit_s: float = SETTLE_S) -> None:
        """Wait until every vhost has answered or could not be reached, at most for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not self.view.settled:
                    await asyncio.sleep(_POLL_S)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield a snapshot and then each event as it comes. A reader that is too slow gets another snapshot. Ends when the experiment has been terminated."""
        subscriber = _Subscriber(self.snapshot)
        self._subscribers.add(subscriber)
        try:
            yield self.snapshot()
            while True:
                event = await subscriber.next()
                yield event
                if event["event"] == "gone":
                    return
        finally:
            self._subscribers.discard(subscriber)

    def _look(self, first: bool = False) -> None:
        """Look at the experiment's files and publish what has changed."""
        found = self._reader.poll()
        for event in found:
            self.runs.take(event)
        gone = self.runs.settle()
        changes = [] if first else [event for event in found if event["event"] in _RUN_EVENTS]
        changes += [] if first else [{"event": recorded.RUN_ENDED, "time": now(), "run": run.name, "status": run.status} for run in gone]
        before = self.state
        try:
            self._state, self._fault = self._directory.read_state(), ""
        except BenitoError as exc:
            self._state, self._fault = None, str(exc) if self._directory.exists() else ""
        if (self.state["state"], self.state["reason"]) != (before["state"], before["reason"]) and not first:
            # before the end of the run that has made it so
            changes.insert(0, {"event": "state", "time": now(), "experiment": str(self.experiment), **self.state})
        self._publish(*changes)
        if any(event["event"] in (recorded.PHASE_ENDED, recorded.RUN_ENDED) for event in found):
            for stream in self._streams.values():
                stream.hurry()
        lent = [_signature(self._directory.file(name)) for name in _READ]
        if lent != self._lent:
            self._lent = lent
            self._begin_streams()

    def _begin_streams(self) -> None:
        """Follow the vhosts that the experiment has now, and no others."""
        self._end_streams()
        carried: dict[str, dict[str, str]] = {}
        if self._directory.exists() and os.path.exists(self._directory.allocation):
            with contextlib.suppress(BenitoError):  # it is broken, and the next change of its files makes it whole
                members = Members(self._directory)
                carried = members.carried if members.source.pool_hosts else {}
                self._commands = _Commands(members, list(carried))
        known = bool(self.view.carried)
        view = self.view = View(carried)
        for vhost in carried:
            self._streams[vhost] = self._stream(view, vhost)
            self._tasks.append(asyncio.create_task(self._streams[vhost].run()))
        if known or carried:
            self._publish(self.snapshot())

    def _stream(self, view: View, vhost: str) -> Stream:
        commands = self._commands
        assert commands
        return Stream(lambda: commands.of(vhost), lambda line: self._publish(*view.take(vhost, line)), lambda why: self._publish(*view.lose(vhost, why)))

    def _publish(self, *changes: dict[str, Any]) -> None:
        for subscriber in self._subscribers:
            for change in changes:
                subscriber.put(change)

    def _end_streams(self) -> None:
        """Cancel the streams. A client may need a moment to end."""
        for task in self._tasks:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        self._tasks, self._streams, self._commands = [], {}, None


class _Commands:
    """The clients of the vhosts. They are made together, because Ansible takes a second to start. What cannot be used again is made again."""

    def __init__(self, members: Members, vhosts: list[str]):
        self._members = members
        self._lock = asyncio.Lock()
        self._made: dict[str, Client | str] = {}
        self._wanted = set(vhosts)

    async def of(self, vhost: str) -> Client | str:
        """Return the client of a vhost, or why there is none."""
        self._wanted.add(vhost)
        async with self._lock:
            if vhost not in self._made:
                self._made |= await self._make(sorted(self._wanted - self._made.keys()))
            self._wanted.discard(vhost)
            found = self._made[vhost]
            if isinstance(found, str) or found.once:
                del self._made[vhost]
            return found

    async def _make(self, vhosts: list[str]) -> dict[str, Client | str]:
        experiment = self._members.directory
        text = shlex.join([PROGRAM, "watch", "-e", f"{experiment.pid}.{experiment.eid}", "--alive", str(ALIVE_S)])
        try:
            return await client_commands(self._members, dict.fromkeys(vhosts, text))
        except BenitoError as exc:
            return dict.fromkeys(vhosts, str(exc))


class _Subscriber:
    """Events on their way to one reader. A reader that lags behind by MOST_WAITING gets a snapshot in their place."""

    def __init__(self, snapshot: Callable[[], dict[str, Any]]):
        self._snapshot = snapshot
        self._waiting: deque[dict[str, Any]] = deque()
        self._any = asyncio.Event()

    def put(self, event: dict[str, Any]) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self._waiting.append(self._snapshot())
        self._waiting.append(event)
        self._any.set()

    async def next(self) -> dict[str, Any]:
        await self._any.wait()
        event = self._waiting.popleft()
        if not self._waiting:
            self._any.clear()
        return event


def run_dict(run: Run) -> dict[str, Any]:
    """Return a run's fields for JSON."""
    fields = asdict(run)
    return {name: fields[name] for name in ("name", "playbook", "by", "began", "ended", "status", "phases", "failures")}


def _signature(path: str) -> tuple[int, ...]:
    """Return what changes when a file is replaced, () if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size
