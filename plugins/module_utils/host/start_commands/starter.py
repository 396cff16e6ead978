# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting the start commands of many nodes: a worker for each processor goes from node to node and spawns them.

Forking the supervisor once for each node took three times as long. A worker is a child of the supervisor and exits after its last node.
The supervisor then adopts what the worker has spawned (PR_SET_CHILD_SUBREAPER), and sees it end.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import NoReturn

from ...errors import BenitoError
from ...hostplan import HostPlan, VnodePlan
from ..base import cgroups
from ..base.namespaces import Home, Registry, home
from ..base.paths import ExperimentPaths
from .start_command import StartCommand, has_started, mark_started

_MACHINE = "embedded_pnode"  # the node is this host: there is nothing to enter
_MOST_WORKERS, _WORTH_A_WORKER = 4, 50  # processes; nodes


@dataclass(frozen=True)
class Started:
    """The result for one node: the process id and the start time (seconds since the epoch), or the error."""

    name: str
    pid: int = 0
    began: float = 0.0
    error: str = ""


def waiting(paths: ExperimentPaths, plan: HostPlan) -> list[VnodePlan]:
    """Return the nodes whose start command has not been started since they were made. Raises HostError."""
    begun = started(paths, plan)
    return [vnode for vnode in plan.vnodes if vnode.start_command and not vnode.ghost and begun.get(vnode.name) is False]


def started(paths: ExperimentPaths, plan: HostPlan) -> dict[str, bool]:
    """Return {node: whether its start command was started since it was made} of the nodes whose start commands this host runs.

    Process nodes are left out until they are built. Raises HostError.
    """
    with home() as origin:
        registry = Registry(paths)
        inside = registry.started() if registry.open(origin) else None
        registry.close()
    found = {vnode.name: vnode.name in inside for vnode in plan.vnodes if vnode.kind == "process" and inside is not None}
    return {**found, **{vnode.name: has_started(paths, vnode.name) for vnode in plan.vnodes if vnode.kind == _MACHINE}}


def start(paths: ExperimentPaths, plan: HostPlan, vnodes: list[VnodePlan], unit_cgroup: str) -> list[Started]:
    """Start the start commands of these nodes. The caller becomes their parent. Return one Started for each node, in order."""
    processors = min(len(os.sched_getaffinity(0)), _MOST_WORKERS, 1 + len(vnodes) // _WORTH_A_WORKER)
    workers = [_fork_worker(paths, plan, vnodes[number::processors], unit_cgroup) for number in range(processors)]
    results = {started.name: started for reader, worker in workers for started in _results(reader, worker)}
    return [results.get(vnode.name) or Started(vnode.name, error="the supervisor was interrupted") for vnode in vnodes]


def _fork_worker(paths: ExperimentPaths, plan: HostPlan, vnodes: list[VnodePlan], unit_cgroup: str) -> tuple[int, int]:
    """Fork a worker. Return a descriptor that yields its results, and its process id."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    worker = os.fork()
    if worker == 0:
        os.close(reader)
        _work(paths, plan, vnodes, unit_cgroup, writer)
    os.close(writer)
    return reader, worker


def _results(reader: int, worker: int) -> list[Started]:
    with os.fdopen(reader, encoding="utf-8") as lines:
        results = [Started(**json.loads(line)) for line in lines if line.endswith("\n")]
    os.waitpid(worker, 0)
    return results


def _work(paths: ExperimentPaths, plan: HostPlan, vnodes: list[VnodePlan], unit_cgroup: str, writer: int) -> NoReturn:
    """Start the commands of these nodes, in the child. Never returns."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        with os.fdopen(writer, "w", encoding="utf-8") as results:
            registry, origin = Registry(paths), Home()
            registry.open(origin)
            for vnode in vnodes:
                results.write(json.dumps(_start_one(paths, plan, vnode, registry, origin, unit_cgroup).__dict__) + "\n")
                results.flush()
        os._exit(0)
    finally:
        os._exit(1)


def _start_one(paths: ExperimentPaths, plan: HostPlan, vnode: VnodePlan, registry: Registry, origin: Home, unit_cgroup: str) -> Started:
    command = StartCommand(paths, plan, vnode)
    try:
        if vnode.kind == _MACHINE:
            origin.enter()
            mark_started(paths, vnode.name)
            namespaces = {}
        else:
            registry.enter()
            registry.mark_started(vnode.name)
            namespaces = registry.descriptors(vnode.name)
        pid = command.begin(namespaces, cgroups.node_cgroup(unit_cgroup, vnode.name))
    except (OSError, BenitoError) as exc:
        return Started(vnode.name, error=str(exc))
    return Started(vnode.name, pid, command.began)
