# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command in a process node, with its network, host name, file systems and cgroup, or in the node that this host itself is."""

from __future__ import annotations

import os
import signal

from ...errors import HostError
from ...hostplan import HostPlan
from ..base import cgroups
from ..base.environment import start_environment
from ..base.namespaces import Home, Registry, join
from ..base.paths import ExperimentPaths, experiments_here, read_json
from ..base.plan_file import read_plan


def find_node(name: str, experiment: str | None) -> ExperimentPaths:
    """Return the experiment on this vhost that has the node. Raises HostError when there is none or more than one."""
    candidates = [experiment] if experiment else experiments_here()
    carrying = []
    for candidate in candidates:
        plan = read_plan(ExperimentPaths(candidate))
        if any(vnode.name == name for vnode in plan.vnodes):
            carrying.append(candidate)
    if not carrying:
        where = f"of {experiment} " if experiment else ""
        raise HostError(f"no node {name} {where}on this host")
    if len(carrying) > 1:
        raise HostError(f"node {name} is in {' and '.join(carrying)}: name one with -e PID.EID")
    return ExperimentPaths(carrying[0])


def enter(name: str, experiment: str | None, command: list[str]) -> None:
    """Replace this process by ``command`` inside the node; by the user's shell without a command. Never returns. Raises HostError."""
    paths = find_node(name, experiment)
    enter_planned(paths, read_plan(paths), name, command)


def enter_planned(paths: ExperimentPaths, plan: HostPlan, name: str, command: list[str]) -> None:
    """Replace this process by ``command`` inside a node of the plan, as ``enter`` does. Never returns. Raises HostError."""
    vnode = next((vnode for vnode in plan.vnodes if vnode.name == name), None)
    if vnode is None:
        raise HostError(f"no node {name} of {paths.experiment} on this host")
    if vnode.kind not in ("process", "embedded_pnode"):
        raise HostError(f"{name} is a node of kind {vnode.kind}: only process nodes can be entered, use ssh")
    unit = read_json(f"{paths.run}/supervisor.json", {}).get("cgroup")
    if not unit or not os.path.isdir(unit):
        raise HostError(f"{paths.experiment} is not running on this host: systemctl start {paths.unit}")
    directory = os.getcwd()
    variables = {key: value for key, value in os.environ.items() if key in ("TERM", "LANG", "COLORTERM") or key.startswith("LC_")}
    variables = {**start_environment(plan, vnode), **variables}
    descriptors = _namespaces(paths, name) if vnode.kind == "process" else {}
    cgroups.move_self(cgroups.node_cgroup(unit, name))
    join(descriptors)
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")
    command = command or [os.environ.get("SHELL") or "/bin/sh"]
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and the command would inherit that
    try:
        os.execvpe(command[0], command, variables)
    except OSError as exc:
        raise HostError(f"{command[0]}: {exc.strerror}") from exc


def _namespaces(paths: ExperimentPaths, name: str) -> dict[str, int]:
    registry = Registry(paths)
    if not registry.open(Home()):
        raise HostError(f"{paths.experiment} is not built on this host")
    return registry.descriptors(name)
