# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting the virtual machines of an experiment, a few at a time, and waiting until all have booted."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ...errors import HostError
from ...hostplan import QEMU_MB, HostPlan, VnodePlan
from ..base.jobs import progress
from ..base.locks import removal_blocked
from ..base.paths import ExperimentPaths, remove_file
from ..base.systemctl import systemctl
from ..base.watch_socket import ask_for_a_look
from ..guest.report import read_report
from .command import DEFAULT_MEMORY_MB, Card, Hardware, MachinePaths
from .disk import make_disk
from .logs import console_end
from .templates import Template, remember_private
from .units import machine_processes, machine_units
from .warm_choice import WARM
from .warm_start import forget_clone, make_clone, prepare_clone, settle

_POLL_S = 0.1
_SETTLE_S = 1.0  # between two clones: each settles for about as long, and start commands have priority


@dataclass(frozen=True)
class Start:
    """A virtual machine to be started.

    template  of which it becomes a clone, or None when it boots from its disk
    """

    vnode: VnodePlan
    where: MachinePaths
    hardware: Hardware
    cards: list[Card]
    template: Template | None = None


class Starter:
    """Starts virtual machines.

    machine_paths  {node: its paths} of all nodes that are to run, whether they are started now or were before
    """

    def __init__(self, plan: HostPlan, paths: ExperimentPaths, machine_paths: dict[str, MachinePaths]):
        self._plan = plan
        self._paths = paths
        self._machine_paths = machine_paths
        self._cloning: dict[str, Future] = {}
        self._booting: dict[str, float] = {}
        self._cloned: set[str] = set()
        self._failed: dict[str, str] = {}
        self._changes: list[str] = []

    def run(self, starting: list[Start]) -> list[str]:
        """Start as many at a time as processors and memory allow, and wait until all nodes run.

        Return notes for a person. Raises HostError that names the nodes which do not boot, or when the experiment is being removed.
        """
        if starting:
            systemctl("daemon-reload")
        waiting, starts = list(starting), {start.vnode.name: start for start in starting}
        self._booting = {name: time.monotonic() for name in self._machine_paths if name not in starts}
        pool = ThreadPoolExecutor(max_workers=_processors())
        try:
            while waiting or self._cloning or self._booting:
                while waiting and self._room([starts[name] for name in (*self._cloning, *self._booting) if name in starts], waiting[0]):
                    self._start(waiting.pop(0), pool)
                for name in [name for name, future in self._cloning.items() if future.done()]:
                    self._finish_clone(starts[name], self._cloning.pop(name))
                self._look()
                missing = len(waiting) + len(self._cloning) + len(self._booting)
                progress(f"{len(self._machine_paths) - missing - len(self._failed)} of {len(self._machine_paths)} virtual machines are up")
                with removal_blocked(self._paths):
                    pass
                if self._cloning or self._booting:
                    time.sleep(_POLL_S)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # a removal does not wait for a clone's answer
        for number, name in enumerate(self._cloned):
            settle(self._machine_paths[name], _SETTLE_S * (number + 2))
        if self._failed:
            logs = {name: console_end(self._machine_paths[name]) for name in self._failed}
            raise HostError("\n".join(f"qemu node {name} {why}; the end of its console:\n{logs[name]}" for name, why in self._failed.items()))
        self._measure([start for start in starting if start.vnode.name in self._cloned])
        return self._changes

    def _start(self, start: Start, pool: ThreadPoolExecutor) -> None:
        name = start.vnode.name
        remove_file(start.where.report)
        if start.template:
            prepare_clone(start.template, start.hardware, start.where)
        systemctl("reset-failed", "--quiet", self._paths.node_unit(name), check=False)
        systemctl("start", self._paths.node_unit(name))
        ask_for_a_look(self._paths)
        if start.template:
            self._cloning[name] = pool.submit(make_clone, start.template, start.where, start.cards)
        else:
            self._booting[name] = time.monotonic()

    def _finish_clone(self, start: Start, future: Future) -> None:
        """Note a finished clone. If it failed, discard it and boot the node from its disk, unless the plan insists on clones."""
        name, exc = start.vnode.name, future.exception()
        if exc is None:
            self._booting[name] = time.monotonic()
            self._cloned.add(name)
            return
        if not isinstance(exc, (HostError, OSError)):
            raise exc
        if self._plan.qemu_start == WARM:
            self._failed[name] = f"could not be cloned from its template: {exc}"
            return
        systemctl("stop", self._paths.node_unit(name))
        forget_clone(start.where)
        make_disk(start.hardware.image, start.hardware.disk_mb, f"{start.where.directory}/disk.qcow2")
        systemctl("start", self._paths.node_unit(name))
        ask_for_a_look(self._paths)
        self._changes.append(f"qemu node {name}: booted from its disk, because the warm start failed: {exc}")
        self._booting[name] = time.monotonic()

    def _look(self) -> None:
        states = machine_units(self._paths, list(self._booting))
        for name, began in list(self._booting.items()):
            state, code = states[name]
            if state == "dead":
                self._failed[name] = f"ended during its boot with exit code {code}"
            elif time.monotonic() - began > self._plan.boot_limit_s:
                self._failed[name] = f"has not booted within {self._plan.boot_limit_s} s"
            elif read_report(self._machine_paths[name].report).state != "booted":
                continue
            del self._booting[name]

    def _room(self, together: list[Start], more: Start) -> bool:
        """Return whether one more may start now. One always may: the choice of this machine has checked that all nodes fit."""
        if not together:
            return True
        if len(together) >= _processors():
            return False
        needed = sum((start.vnode.memory_mb or DEFAULT_MEMORY_MB) + QEMU_MB for start in (*together, more))
        return bool(more.template) or needed <= _available_mb()

    def _measure(self, cloned: list[Start]) -> None:
        """Note how much private memory the clones use, for later planning."""
        for name, process in machine_processes(self._paths, [start.vnode.name for start in cloned]).items():
            template = next(start.template for start in cloned if start.vnode.name == name)
            if template:
                remember_private(template.key, _private_mb(process))


def _private_mb(process: int) -> int:
    """Return the private memory of a process in MiB."""
    try:
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as stream:
            return -(-sum(map(int, re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", stream.read(), re.MULTILINE))) // 1024)
    except OSError:
        return 0  # it has ended


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _available_mb() -> int:
    with open("/proc/meminfo", encoding="ascii") as stream:
        return next(int(line.split()[1]) >> 10 for line in stream if line.startswith("MemAvailable:"))
