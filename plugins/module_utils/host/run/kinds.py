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
from typing import TYPE_CHECKING, Any

from ...hostplan import HostPlan, VnodePlan
from ..base.paths import ExperimentPaths
from ..base.plan_file import is_applied

if TYPE_CHECKING:
    from ..net.ports import Medium, Port


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
    ports   (node, {name: medium} of this host) -> the ports that a running node of this kind has here, see net/ports.py
    inside  (plan, paths, names of nodes of this kind, {substrate: MTU}) -> {node: how the network inside it differs from the plan, as text};
            None for a kind whose inside is not looked at
    reboot  (plan, paths, names of nodes of this kind) -> changes as text; reboots these nodes without waiting until they are up;
            None for a kind that cannot
    texts   (plan, paths, name of a node of this kind, number of lines) -> the last lines of what it has printed, cleaned, by name:
            ``console``, or ``output`` and ``errors`` of the start command of a node without a system of its own
    signs   (plan, paths) -> {node: (process id, descriptor)} by which to see that something happened to a node: of the process that it is, 0 for none,
            and of its report, -1 for none; None for a kind whose nodes do not boot
    boots   whether its nodes have systems of their own, which take time to boot
    """

    name: str
    kind: str
    apply: Callable[[HostPlan, ExperimentPaths, HostPlan | None, bool], list[str]]
    remove: Callable[[ExperimentPaths], list[str]]
    status: Callable[[HostPlan, ExperimentPaths], dict[str, dict]]
    ports: Callable[[VnodePlan, dict[str, Medium]], list[Port]]
    texts: Callable[[HostPlan, ExperimentPaths, str, int], dict[str, str]]
    inside: Callable[[HostPlan, ExperimentPaths, list[str], dict[str, int]], dict[str, list[str]]] | None = None
    reboot: Callable[[HostPlan, ExperimentPaths, tuple[str, ...]], list[str]] | None = None
    signs: Callable[[HostPlan, ExperimentPaths], dict[str, tuple[int, int]]] | None = None
    boots: bool = False


_HOST = __package__.rpartition(".")[0]


def _part(name: str, kind: str, module: str, functions: dict[str, str], boots: bool = False) -> Part:
    """Return the Part whose functions have these names in ``module``, which is named by its path below ``host``."""
    return Part(name, kind, boots=boots, **{field: partial(_call, module, function) for field, function in functions.items()})


def _call(module: str, name: str, *arguments: Any) -> Any:
    return getattr(importlib.import_module(f"{_HOST}.{module}"), name)(*arguments)


KIND_PARTS = (
    _part("processes", "process", "process.kind", {
        "apply": "apply_process_nodes", "remove": "remove_process_nodes", "status": "process_status", "ports": "process_ports", "inside": "inside_processes",
        "reboot": "reboot_process_nodes", "texts": "process_texts"}),
    _part("physical", "embedded_pnode", "physical.kind", {
        "apply": "apply_physical_node", "remove": "remove_physical_node", "status": "physical_status", "ports": "physical_ports", "inside": "inside_physical",
        "reboot": "reboot_physical_node", "texts": "physical_texts"}),
    _part("containers", "openvz", "lxc.kind", {
        "apply": "apply_containers", "remove": "remove_containers", "status": "containers_status", "ports": "container_ports", "inside": "inside_containers",
        "reboot": "reboot_containers", "texts": "container_texts", "signs": "containers_signs"}, boots=True),
    _part("machines", "qemu", "qemu.kind", {
        "apply": "apply_machines", "remove": "remove_machines", "status": "machines_status", "ports": "machine_ports", "reboot": "reboot_machines",
        "texts": "machine_texts", "signs": "machines_signs"}, boots=True),
)


def is_built(plan: HostPlan, paths: ExperimentPaths, boots: bool = False) -> bool:
    """Return whether every kind of the plan was applied since the host's boot, among the kinds with this value of ``boots``, see Part."""
    kinds = {vnode.kind for vnode in plan.vnodes}
    some = [part for part in KIND_PARTS if part.boots == boots]
    needed = [part for part in some if part.kind in kinds] or ([] if boots else some)
    return all(is_applied(paths, part.name) for part in needed)


def unbuilt(plan: HostPlan, paths: ExperimentPaths) -> str:
    """Return why not all of the plan was applied since the host's boot, "" if it was."""
    kinds = {vnode.kind for vnode in plan.vnodes}
    left = [part.name for part in KIND_PARTS if part.kind in kinds and not is_applied(paths, part.name)]
    return f"{' and '.join(left)}: not built on this machine since it has started" if left else ""
