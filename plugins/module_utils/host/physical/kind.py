# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of kind embedded_pnode as one of the kinds of run/kinds.py: the host is the node.

The host keeps its host name, its system, its control network and its default route. It gets the experiment's interfaces, addresses,
routes and names, and below /var/benito what every node has there. The supervisor runs its start command as root.
"""

from __future__ import annotations

import os
import subprocess

from ...errors import HostError
from ...hostplan import HostPlan, VnodePlan
from ..base.hosts_file import HostsFile
from ..base.paths import ROOT, ExperimentPaths, experiments_here, write_atomically
from ..net import netlink
from ..net.inside import differences, look_inside
from ..net.ports import Medium, Port, is_interface, remove_interfaces
from ..net.probe import close_endpoints
from ..start_commands.start_command import forget, has_started, outcome, output_end
from .hosts_block import apply_hosts, remove_hosts
from .links import apply_links, ports_by_interface

KIND = "embedded_pnode"
_SEEN = ("pid", "eid", "hosts", "log")  # below /var/benito, as on every node


def apply_physical_node(plan: HostPlan, paths: ExperimentPaths, applied: HostPlan | None, dry_run: bool) -> list[str]:
    """See kinds.Part."""
    vnode = _node(plan)
    if vnode is None:
        return [] if dry_run or not _traces(paths) else remove_physical_node(paths)
    earlier = _node(applied) if applied else None
    _refuse_another(paths)
    if not dry_run:
        close_endpoints(paths)
    changes = apply_links(plan, vnode, paths, earlier, dry_run)
    changes += _files(plan, vnode, paths, dry_run)
    changes += apply_hosts(paths, _names(plan, vnode), dry_run)
    if earlier is None and not dry_run and not has_started(paths, vnode.name):
        forget(paths, vnode.name)
    return [f"{vnode.name}: {change}" for change in changes]


def remove_physical_node(paths: ExperimentPaths) -> list[str]:
    """See kinds.Part."""
    changes = remove_hosts(paths) + remove_interfaces(paths)
    for name in _SEEN:
        path = f"{ROOT}/{name}"
        if _is_ours(path, paths):
            os.unlink(path)
            changes.append(f"{path}: removed")
    return changes


def reboot_physical_node(_plan: HostPlan, paths: ExperimentPaths, names: tuple[str, ...]) -> list[str]:
    """See kinds.Part. The machine goes down after a second, so the caller gets an answer first."""
    command = ["systemd-run", "--quiet", "--collect", "--on-active=1s", "--timer-property=AccuracySec=100ms", "systemctl", "reboot"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise HostError(f"{paths.experiment}: systemd does not reboot this machine: {result.stderr.strip()}")
    return [f"{name}: rebooted, as this machine" for name in names]


def physical_status(plan: HostPlan, paths: ExperimentPaths) -> dict[str, dict]:
    """See kinds.Part. The machine runs, because it answers. It is the node when its interfaces are there."""
    found = {}
    live = netlink.links()
    for vnode in plan.vnodes:
        if vnode.kind != KIND:
            continue
        if vnode.ghost:
            found[vnode.name] = {"state": "ghost", "exit_code": None, "start_command": "", "exit_status": None}
            continue
        links = [live.get(interface.name) for interface in vnode.interfaces]
        stands = all(link and is_interface(link, paths) and link.up for link in links) and _is_ours(f"{ROOT}/eid", paths)
        run = (outcome(paths, vnode.name) or {"state": "running"}) if has_started(paths, vnode.name) else {"state": "waiting"}
        found[vnode.name] = {
            "state": "booted" if stands else "missing",
            "exit_code": None,
            "start_command": run.get("state", "running") if vnode.start_command else "",
            "exit_status": run.get("exit_status") if vnode.start_command else None,
        }
    return found


def physical_texts(_plan: HostPlan, paths: ExperimentPaths, name: str, lines: int) -> dict[str, str]:
    """See kinds.Part."""
    return output_end(paths, name, lines)


def physical_ports(vnode: VnodePlan, on: dict[str, Medium]) -> list[Port]:
    """See kinds.Part."""
    return list(ports_by_interface(vnode, on).values())


def inside_physical(plan: HostPlan, _paths: ExperimentPaths, names: list[str], mtus: dict[str, int]) -> dict[str, list[str]]:
    """See kinds.Part. The network inside is that of the machine."""
    return {vnode.name: differences(vnode, look_inside(), mtus) for vnode in plan.vnodes if vnode.name in names}


def _node(plan: HostPlan) -> VnodePlan | None:
    return next((vnode for vnode in plan.vnodes if vnode.kind == KIND and not vnode.ghost), None)


def _names(plan: HostPlan, vnode: VnodePlan) -> str:
    """Return the lines for /etc/hosts. A node without an address in the experiment still resolves its own name."""
    lines = HostsFile(plan.hosts).lines(vnode.aliases)
    return lines if any(vnode.name in entry.names for entry in plan.hosts) else f"{lines}127.0.1.1\t{vnode.name}\n"


def _files(plan: HostPlan, vnode: VnodePlan, paths: ExperimentPaths, dry_run: bool) -> list[str]:
    """Write the node's own folder, and link to it from where nodes look for it."""
    changes = []
    directory = paths.node(vnode.name)
    for name, text in (("pid", plan.pid + "\n"), ("eid", plan.eid + "\n"), ("hosts", HostsFile(plan.hosts).text(vnode.aliases))):
        if _text(f"{directory}/{name}") != text:
            changes.append(f"{directory}/{name}: written")
            if not dry_run:
                os.makedirs(f"{directory}/log", exist_ok=True)
                write_atomically(f"{directory}/{name}", text, 0o644)
    for name in _SEEN:
        path, target = f"{ROOT}/{name}", f"{directory}/{name}"
        if not os.path.islink(path) or os.readlink(path) != target:
            changes.append(f"{path}: points to {target}")
            if not dry_run:
                _link(path, target)
    return changes


def _link(path: str, target: str) -> None:
    temporary = f"{path}.new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.replace(temporary, path)


def _refuse_another(paths: ExperimentPaths) -> None:
    others = [name for name in experiments_here() if name != paths.experiment]
    if others:
        raise HostError(f"this machine also carries {' and '.join(others)}: a machine that is a node itself is shared with no other experiment")
    for name in _SEEN:
        path = f"{ROOT}/{name}"
        if os.path.lexists(path) and not _is_ours(path, paths):
            whose = f"points to {os.readlink(path)}" if os.path.islink(path) else "is not ours"
            raise HostError(f"{path} exists on this host and {whose}: a machine can be a node of one experiment only")


def _is_ours(path: str, paths: ExperimentPaths) -> bool:
    return os.path.islink(path) and os.readlink(path).startswith(f"{paths.directory}/")


def _traces(paths: ExperimentPaths) -> bool:
    return any(_is_ours(f"{ROOT}/{name}", paths) for name in _SEEN) or any(is_interface(link, paths) for link in netlink.links().values())


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
