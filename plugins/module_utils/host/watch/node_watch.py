# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch that the supervisor keeps of its nodes, and publishes: a snapshot for each client, then a line for each change.

The supervisor itself knows what becomes of the start commands of processes and of the machine that is a node. What boots is watched by a child
(``boot_watch``). Everything is looked at again when somebody asks, and every half minute in case that an event was missed.
"""

# a program of its own, not a module: it prints
# pylint: disable=ansible-bad-function
from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable

from ...errors import BenitoError
from ..base import syscalls
from ..base.os_errors import message
from ..base.paths import ExperimentPaths
from ..base.watch_socket import listen_for_questions
from ..run.kinds import KIND_PARTS, unbuilt
from ..start_commands.start_command import outcome
from .boot_watch import fork_boot_watch
from .plan_cache import PlanCache
from .publisher import Publisher
from .states import NodeStates, now

BURST_S = 0.05
"""Events within this time are acted on together."""
_SLOW_S = 30
_SHORT_LIFE_S = 5.0
_PATIENCE = 4  # slow looks that the child may leave without an answer
_CHUNK, _MOST_ANSWER = 1 << 20, 16 << 20  # bytes


class NodeWatch:
    """A watch of all nodes of the plan. ``fd`` is readable when something has happened: then call ``read``, and ``act`` soon if it returns true."""

    def __init__(self, paths: ExperimentPaths):
        self._paths = paths
        self._poll = select.epoll()
        self.fd = self._poll.fileno()
        self._plan = PlanCache(paths)
        self._states = NodeStates(paths)
        self._publisher = Publisher(paths, self._poll)
        self._questions = listen_for_questions(paths)
        self._poll.register(self._questions.fileno(), select.EPOLLIN)
        self._timer = syscalls.interval_timer(_SLOW_S)
        self._poll.register(self._timer, select.EPOLLIN)
        self._child: socket.socket | None = None
        self._child_pid = 0
        self._child_began = 0.0
        self._unanswered = 0
        self._rest = b""
        self._looks = True
        self._ticked = False
        self._planned: object = None
        self._vhost = ""
        self._startup: tuple[int, str] | None = None
        self._failure = ""

    def read(self) -> bool:
        """Take what has happened. Return whether there is anything to act on."""
        acts = False
        for fd, events in self._poll.poll(0):
            if fd == self._timer:
                acts = self._on_timer() or acts
            elif self._child and fd == self._child.fileno():
                self._on_child(self._child)
                acts = True
            elif fd == self._questions.fileno():
                self._take_questions()
                self._looks = acts = True
            else:
                self._publisher.on_event(fd, events)
        return acts or self._publisher.is_awaited

    def act(self) -> None:
        """Look at what has to be looked at, and publish what has changed. A failure is printed, and what was known stays."""
        try:
            if self._looks:
                self._looks = False
                self._look()
        except (BenitoError, OSError) as exc:
            print(f"benito-host: the state of nodes is not known: {message(exc)}", file=sys.stderr, flush=True)
        self._publish()

    def on_start_commands(self, names: Iterable[str]) -> None:
        """Note that start commands which the supervisor runs have started or ended."""
        for name in names:
            if self._states.get(name):
                run = outcome(self._paths, name) or {"state": "running", "exit_status": None}
                self._states.update(name, {"start_command": run["state"], "exit_status": run["exit_status"]})
        self._publish()

    def on_failure(self, reason: str) -> None:
        """Note why the startup of this machine has failed, "" that it has not."""
        self._failure = reason
        self._looks = True
        self.act()

    def _take_questions(self) -> None:
        try:
            while self._questions.recv(_CHUNK):
                pass
        except OSError:
            pass  # that was all

    def _on_timer(self) -> bool:
        try:
            os.read(self._timer, 8)
        except BlockingIOError:
            return False
        self._looks = self._ticked = True
        self._unanswered += 1
        if self._child and self._unanswered > _PATIENCE:  # it hangs: when its socket ends, another one is started
            os.kill(self._child_pid, signal.SIGKILL)
        return True

    def _look(self) -> None:
        """Look at the nodes that do not boot. Have the child look at the others."""
        plan = self._plan()
        if plan is not self._planned and plan != self._planned:
            self._states.expect({vnode.name: vnode.kind for vnode in plan.vnodes})
            self._vhost = plan.vhost
            self._publisher.greet_again()
        self._planned = plan
        kinds = {vnode.kind for vnode in plan.vnodes}
        for part in KIND_PARTS:
            if part.kind in kinds and not part.boots:
                for name, node in part.status(plan, self._paths).items():
                    self._states.update(name, node)
        if any(part.boots and part.kind in kinds for part in KIND_PARTS):
            self._ask_child()
        missing = unbuilt(plan, self._paths)
        reason = (self._failure or missing) if missing else ""
        startup = (1 if reason else 0, reason)
        if startup != self._startup:
            self._startup = startup
            self._publisher.publish(self._line("vhost", startup=startup))

    def _ask_child(self) -> None:
        if self._child is None:
            self._child, self._child_pid = fork_boot_watch(self._paths, self._plan)
            self._rest, self._unanswered, self._child_began = b"", 0, time.monotonic()
            self._poll.register(self._child.fileno(), select.EPOLLIN)
            return  # its first act is a look
        try:
            self._child.send(b"look\n")
        except OSError:
            pass  # it is busy with earlier looks, or has ended, which its socket will show

    def _on_child(self, child: socket.socket) -> None:
        """Take the answers of the child. If it has ended, another one is started, at once unless it was short-lived."""
        try:
            data = child.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(self._rest) > _MOST_ANSWER:
            self._poll.unregister(child.fileno())
            child.close()
            self._child = None
            self._looks = self._looks or time.monotonic() - self._child_began > _SHORT_LIFE_S
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._unanswered = 0
            for name, node in json.loads(line).items():
                self._states.update(name, node, node["process"])

    def _publish(self) -> None:
        changed = self._states.take_changed()
        if changed:
            stamp = now()
            self._publisher.publish(b"".join(_json({"event": "node", "time": stamp, "node": name, **node}) for name, node in changed.items()))
        if self._publisher.is_awaited and (self._states.complete or self._ticked):
            self._publisher.greet(self._snapshot())

    def _snapshot(self) -> bytes:
        return self._line("snapshot", startup=self._startup or (1, "this machine has not looked at its nodes yet"), nodes=self._states.nodes)

    def _line(self, event: str, **fields: object) -> bytes:
        return _json({"event": event, "time": now(), "experiment": self._paths.experiment, "vhost": self._vhost, **fields})


def _json(line: dict) -> bytes:
    return json.dumps(line).encode() + b"\n"
