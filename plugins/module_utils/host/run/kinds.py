# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of container kinds on a vhost: who builds, removes and looks at the nodes of each. A new kind is one line here.

The module of a kind is imported when one of its functions is called for the first time: to read those of all kinds takes a vhost under emulation seconds,
and most vhosts have nodes of one.
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
    """One kind's share of a vhost's work. Every function is idempotent and raises HostError.

    name    what ``benito-host apply --part`` calls it, and the module behind the kind's role
    kind    of the nodes that it is about
    apply   (plan, place, plan that was applied last or None, dry_run) -> changes in words; brings the nodes up, unless they are ghosts
    remove  (place) -> changes in words; takes all of them away, whatever plan there is or was, or none
    status  (plan, place) -> {node: {"state", "exit_code", "start_command", "exit_status"}} of the plan's nodes of this kind:
            state is ``running`` (started, not booted), ``booted``, ``dead`` (then with its exit_code, or None), ``missing`` or ``ghost``;
            start_command "" for none, else ``waiting``, ``running``, ``ended`` (then with its exit_status), ``failed`` or ``lost``
    reboot  (plan, place, names of nodes of this kind) -> changes in words; ends these nodes and has them come up again, without waiting until
            they are; None for a kind that cannot
    boots   whether its nodes have systems of their own that boot, which takes long
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
    """Whether every kind that the plan has was applied since this host's boot; ``boots`` chooses which kinds, see Part."""
    kinds = {vnode.kind for vnode in plan.vnodes}
    some = [part for part in KIND_PARTS if part.boots == boots]
    needed = [part for part in some if part.kind in kinds] or ([] if boots else some)
    return all(is_applied(paths, part.name) for part in needed)
