# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process nodes as one of the kinds of run/kinds.py."""

from __future__ import annotations

import os
import time

from ...errors import HostError
from ...hostplan import HostPlan, VnodePlan
from ..base import cgroups
from ..base.namespaces import Registry, home, remove_registry
from ..base.paths import ExperimentPaths, read_json
from ..base.plan_file import read_applied
from ..net.inside import Inside, differences, look_inside
from ..net.ports import Medium, Port
from ..net.probe import close_endpoints
from ..start_commands.start_command import outcome, output_end
from .nodes import apply_processes, ports_by_interface


def apply_process_nodes(plan: HostPlan, paths: ExperimentPaths, applied: HostPlan | None, dry_run: bool) -> list[str]:
    """See kinds.Part."""
    if not dry_run:
        close_endpoints(paths)
    return apply_processes(plan, paths, applied, dry_run)


def remove_process_nodes(paths: ExperimentPaths) -> list[str]:
    """See kinds.Part. Also kills what the unit has left behind, because it ended before its nodes did."""
    unit = read_json(f"{paths.run}/supervisor.json", {}).get("cgroup", "")
    left = [entry.path for entry in os.scandir(unit) if entry.name.startswith("node-")] if os.path.isdir(unit) else []
    cgroups.kill_all(left)
    changes = [f"processes of {len(left)} nodes: killed"] if left else []
    close_endpoints(paths)
    return [*changes, "namespaces: removed"] if remove_registry(paths) else changes


def reboot_process_nodes(plan: HostPlan, paths: ExperimentPaths, names: tuple[str, ...]) -> list[str]:
    """See kinds.Part. A process node has no system to reboot, so it is made anew. Its own files stay."""
    unit = read_json(f"{paths.run}/supervisor.json", {}).get("cgroup", "")
    with home() as origin:
        registry = Registry(paths)
        if not registry.open(origin):
            raise HostError(f"{paths.experiment} is not built on this host: benito-host apply builds it")
        running = [name for name in names if name in registry.started() and outcome(paths, name) is None] if os.path.isdir(unit) else []
        registry.close()
    cgroups.kill_all([f"{unit}/node-{name}" for name in names] if unit else [])
    _await_ends(paths, running)
    with home() as origin:
        registry = Registry(paths)
        registry.open(origin)
        for name in names:
            registry.unpin(name)
        registry.close()
    made = [f"process node {name}: made" for name in names]
    others = [change for change in apply_processes(plan, paths, read_applied(paths, "processes")) if change not in made]
    return [*(f"{name}: rebooted" for name in names), *others]


def _await_ends(paths: ExperimentPaths, names: list[str], limit_s: float = 5.0) -> None:
    """Wait until the supervisor has noted how the killed start commands ended, so that it does not note it for the next run.

    A node that prevents the note spoils its own files only, so the wait has a limit.
    """
    deadline = time.monotonic() + limit_s
    while any(outcome(paths, name) is None for name in names) and time.monotonic() < deadline:
        time.sleep(0.02)


def process_status(plan: HostPlan, paths: ExperimentPaths) -> dict[str, dict]:
    """See kinds.Part. A process node does not boot: it is there, or it is not."""
    with home() as origin:
        registry = Registry(paths)
        built, started = (registry.nodes(), registry.started()) if registry.open(origin) else (set(), set())
        registry.close()
    return {vnode.name: _node(paths, vnode, built, started) for vnode in plan.vnodes if vnode.kind == "process"}


def process_texts(_plan: HostPlan, paths: ExperimentPaths, name: str, lines: int) -> dict[str, str]:
    """See kinds.Part."""
    return output_end(paths, name, lines)


def process_ports(vnode: VnodePlan, on: dict[str, Medium]) -> list[Port]:
    """See kinds.Part."""
    return list(ports_by_interface(vnode, on).values())


def inside_processes(plan: HostPlan, paths: ExperimentPaths, names: list[str], mtus: dict[str, int]) -> dict[str, list[str]]:
    """See kinds.Part."""
    vnodes = {vnode.name: vnode for vnode in plan.vnodes}
    with home() as origin:
        registry = Registry(paths)
        found = {name: differences(vnodes[name], _inside(registry, name), mtus) for name in names} if registry.open(origin) else {}
        registry.close()
    return found


def _inside(registry: Registry, name: str) -> Inside:
    with registry.network(name):
        return look_inside()


def _node(paths: ExperimentPaths, vnode: VnodePlan, built: set[str], started: set[str]) -> dict:
    if vnode.ghost:
        return {"state": "ghost", "exit_code": None, "start_command": "", "exit_status": None}
    run = outcome(paths, vnode.name) if vnode.start_command and vnode.name in started else None
    state = (run or {}).get("state", "running" if vnode.name in started else "waiting")
    return {
        "state": "booted" if vnode.name in built else "missing",
        "exit_code": None,
        "start_command": state if vnode.start_command else "",
        "exit_status": (run or {}).get("exit_status"),
    }
