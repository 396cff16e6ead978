# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching the nodes that boot, in a child of the supervisor: it may wait for systemd and QEMU, and reads the modules of their kinds.

The kernel tells when the process of a node ends (pidfd) and when a node writes its report (inotify). Then the node is looked at, as ``status`` does.
The child gets the line ``look`` to look at all nodes. It answers each look by a line of JSON, {node: {"state", …, see kinds.Part, and "process"}}.
"""

# a program of its own, not a module: it prints
# pylint: disable=ansible-bad-function
from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NoReturn

from ...errors import BenitoError
from ...hostplan import HostPlan
from ..base import syscalls
from ..base.os_errors import message
from ..base.paths import ExperimentPaths
from ..run.kinds import KIND_PARTS

_REPORT = syscalls.IN_MODIFY | syscalls.IN_ATTRIB | syscalls.IN_MOVE_SELF | syscalls.IN_DELETE_SELF
_AGAIN_S = (0.2, 1.0, 3.0)  # looks after an end or a request: systemd may not have seen yet what the kernel has told
_BURST_S = 0.05
_PAUSE, _LONGEST_PAUSE_S = 5, 1.0  # times the processor time of a look, which is followed by a pause: hostile nodes cannot keep the processor busy


class BootWatch:
    """Looks at the nodes of the kinds that boot, when something happens to them.

    plan    () -> the present plan
    answer  called with what each look has found
    """

    def __init__(self, paths: ExperimentPaths, plan: Callable[[], HostPlan], answer: Callable[[dict[str, dict]], None]):
        self._paths, self._plan, self._answer = paths, plan, answer
        self._poll = select.epoll()
        self._inotify = syscalls.Inotify()
        self._poll.register(self._inotify.fd, select.EPOLLIN)
        self._processes: dict[str, tuple[int, int]] = {}  # {node: (process id, its pidfd)}
        self._ends: dict[int, str] = {}  # {pidfd: node}
        self._reports: dict[int, str] = {}  # {inotify watch: node}
        self._due: dict[str, list[float]] = {}  # {node: when to look, sorted}
        self._earliest = 0.0  # when the next look may be

    def register(self, fd: int) -> None:
        """Make ``step`` return when this descriptor is readable."""
        self._poll.register(fd, select.EPOLLIN)

    def ask(self) -> None:
        """Look at every node soon, and again a few times."""
        self._look_soon([vnode.name for part in self._parts() for vnode in self._plan().vnodes if vnode.kind == part.kind], again=True)

    def step(self, limit_s: float | None = None) -> list[int]:
        """Wait until something happens or a look is due, at most ``limit_s`` seconds, and look. Return the registered descriptors that are readable."""
        waits = [max(0.0, min(times[0] for times in self._due.values()) - time.monotonic(), self._earliest - time.monotonic())] if self._due else []
        waits += [limit_s] if limit_s is not None else []
        readable = []
        for fd, _events in self._poll.poll(min(waits, default=None)):
            if fd == self._inotify.fd:
                self._on_reports()
            elif fd in self._ends:
                self._on_end(fd)
            else:
                readable.append(fd)
        now = time.monotonic()
        names = [name for name, times in self._due.items() if times[0] <= now]
        if names and now >= self._earliest:
            before = _processor_s()
            self._look(names, now)
            self._earliest = time.monotonic() + min(_PAUSE * (_processor_s() - before), _LONGEST_PAUSE_S)
        return readable

    def _on_reports(self) -> None:
        for number, mask in self._inotify.read():
            name = self._reports.pop(number, "") if mask & syscalls.IN_IGNORED else self._reports.get(number, "")
            if name:
                self._look_soon([name])
            elif number < 0:
                self.ask()

    def _on_end(self, fd: int) -> None:
        name = self._ends[fd]
        self._forget_process(name)
        self._look_soon([name], again=True)

    def _look_soon(self, names: Iterable[str], again: bool = False) -> None:
        now = time.monotonic()
        for name in names:
            earlier = self._due.get(name, [])
            first = min([now + _BURST_S, *earlier])
            later = [now + delay for delay in _AGAIN_S] if again else [due for due in earlier if due > now + _BURST_S]
            self._due[name] = [first, *later]

    def _look(self, names: list[str], began: float) -> None:
        for name in names:
            self._due[name] = [due for due in self._due[name] if due > began]
            if not self._due[name]:
                del self._due[name]
        found: dict[str, dict] = {}
        plan = self._plan()
        for part in self._parts():
            some = dataclasses.replace(plan, vnodes=tuple(vnode for vnode in plan.vnodes if vnode.kind == part.kind and vnode.name in names))
            if some.vnodes and part.signs:
                try:
                    signs = part.signs(some, self._paths)
                    for name, (process, report) in signs.items():
                        self._watch(name, process, report)
                    found.update({name: {**node, "process": signs.get(name, (0, -1))[0]} for name, node in part.status(some, self._paths).items()})
                except (BenitoError, OSError) as exc:
                    print(f"benito-host: the state of nodes is not known: {message(exc)}", file=sys.stderr, flush=True)
        self._answer(found)

    def _parts(self) -> list:
        kinds = {vnode.kind for vnode in self._plan().vnodes}
        return [part for part in KIND_PARTS if part.boots and part.kind in kinds]

    def _watch(self, name: str, process: int, report: int) -> None:
        """Watch a node's process and report. Closes the descriptor ``report``."""
        if process != self._processes.get(name, (0, -1))[0]:
            self._forget_process(name)
            with suppress(OSError):  # it has ended meanwhile, or the kernel has no pidfd
                fd = os.pidfd_open(process) if process else -1
                if fd >= 0:
                    self._processes[name] = process, fd
                    self._ends[fd] = name
                    self._poll.register(fd, select.EPOLLIN)
        number = -1
        if report >= 0:
            with suppress(OSError):
                number = self._inotify.add(f"/proc/self/fd/{report}", _REPORT)
            os.close(report)
        for old in [old for old, whose in self._reports.items() if whose == name and old != number]:
            del self._reports[old]
            self._inotify.remove(old)
        if number >= 0:
            self._reports[number] = name

    def _forget_process(self, name: str) -> None:
        _process, fd = self._processes.pop(name, (0, -1))
        if fd >= 0:
            del self._ends[fd]
            self._poll.unregister(fd)
            os.close(fd)


def _processor_s() -> float:
    """Return the processor time of this process and its children."""
    return sum(os.times()[:4])


def fork_boot_watch(paths: ExperimentPaths, plan: Callable[[], HostPlan]) -> tuple[socket.socket, int]:
    """Fork the child. Return the socket by which it is asked and answers, and its process id."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        _run(paths, plan, theirs)
    theirs.close()
    ours.setblocking(False)
    return ours, child


def _run(paths: ExperimentPaths, plan: Callable[[], HostPlan], sock: socket.socket) -> NoReturn:
    """Watch until the supervisor has gone, in the child. Never returns."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(3, sock.fileno())  # the supervisor's: a client must see it when the supervisor hangs up
        os.closerange(sock.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        watch = BootWatch(paths, plan, lambda found: sock.sendall(json.dumps(found).encode() + b"\n"))
        watch.register(sock.fileno())
        watch.ask()
        while True:
            if watch.step():
                if not sock.recv(4096):
                    break
                watch.ask()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the supervisor has gone
    except BaseException as exc:  # whatever it is, the supervisor starts another child
        print(f"benito-host: watching nodes ended: {type(exc).__name__}: {exc}", file=sys.stderr, flush=True)
    finally:
        os._exit(0)
