# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of container kinds on a vhost, with the functions that build, remove, reboot and look at nodes. A new kind is one line here.

The module of a kind is imported at the first call of one of its functions. Importing all of them takes seconds on a vhost under emulation, and most
vhosts have nodes of one kind.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...hostplan import HostPlan
from ..base.paths import ExperimentPaths
from ..base.plan_file import is_applied


@dataclass(frozen=True)
class Part:
    """The part of a plan that one kind of nodes is. Each function is idempotent and raises HostError.

    name    of the part in ``benito-host apply --part``, and in the module of the kind's role
    kind    of the nodes
    apply   (plan, paths, plan that was applied last or None, dry_run) -> changes as text; brings up the nodes, except ghosts
    remove  (paths) -> changes as text; removes all nodes of the kind, whatever plan there is
    status  (plan, paths) -> {node: {"state", "exit_code", "start_command", "exit_status"}} of the plan's nodes of this kind:
            state is ``running`` (started, not booted), ``booted``, ``dead`` (then with its exit_code, or None), ``paused``, ``missing`` or ``ghost``;
            start_command "" for none, else ``waiting``, ``running``, ``ended`` (then with its exit_status), ``failed`` or ``lost``
    reboot  (plan, paths, names of nodes of this kind) -> changes as text; reboots these nodes without waiting until they are up;
            None for a kind that cannot
    boots   whether its nodes have systems of their own, which take time to boot
    """

    name: str
    kind: str
    apply: Callable[[HostPlan, ExperimentPaths, HostPlan | None, bool], list[str]]
    remove: Callable[[ExperimentPaths], list[str]]
    status: Callable[[HostPlan, ExperimentPaths], dict[str, dict]]
    reboot: Callable[[HostPlan, ExperimentPaths, tuple[str, ...]], list[str]] | None = None
    boots: bool = False


_HOST = __package__.rpartition(".")[0]


def _part(name: str, kind: str, module: str, apply: str, remove: str, status: str, reboot: str, boots: bool = False) -> Part:
    """Return the Part whose functions have these names in ``module``, which is named by its path below ``host``."""
    call = partial(partial, _call, module)
    return Part(name, kind, call(apply), call(remove), call(status), call(reboot), boots)


def _call(module: str, name: str, *arguments: Any) -> Any:
    return getattr(importlib.import_module(f"{_HOST}.{module}"), name)(*arguments)


KIND_PARTS = (
    _part("processes", "process", "process.kind", "apply_process_nodes", "remove_process_nodes", "process_status", "reboot_process_nodes"),
    _part("physical", "embedded_pnode", "physical.kind", "apply_physical_node", "remove_physical_node", "physical_status", "reboot_physical_node"),
    _part("containers", "openvz", "lxc.kind", "apply_containers", "remove_containers", "containers_status", "reboot_containers", boots=True),
    _part("machines", "qemu", "qemu.kind", "apply_machines", "remove_machines", "machines_status", "reboot_machines", boots=True),
)


def is_built(plan: HostPlan, paths: ExperimentPaths, boots: bool = False) -> bool:
    """Return whether every kind of the plan was applied since the host's boot, among the kinds with this value of ``boots``, see Part."""
    kinds = {vnode.kind for vnode in plan.vnodes}
    some = [part for part in KIND_PARTS if part.boots == boots]
    needed = [part for part in some if part.kind in kinds] or ([] if boots else some)
    return all(is_applied(paths, part.name) for part in needed)
