# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Swapping in and out as the controller sees it: states, and what is said at the end; allocate.py has what lies between.

What happens on the machines stands between ``begin`` and ``finish``, in the playbooks. Each function
here is one task: it reads the experiment directory, changes it, and says whether it did.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from ..embedding.kinds import EMBEDDED_PNODE, PROCESS, QEMU
from ..embedding.node_view import read_nodes
from ..embedding.placement.allocation import Allocation, PoolHost
from ..embedding.placement.machines import Machine, machines, pnode_of
from ..errors import ExperimentError
from ..experiment.access import KNOWN_HOSTS, SSH_CONFIG
from ..experiment.directory import ACTIVATING, ACTIVE, FAILED, STATES, SWAPPED, SWAPPING, ExperimentDirectory
from ..experiment.locks import Holder
from ..hostplan import HostPlan, from_json
from ..topology.topdl.reader import read_topdl
from .allocate import read_allocation


@dataclass(frozen=True)
class Begun:
    """What a run has to know before it turns to the machines.

    machines     the experiment's machines, in order
    allocation   what an earlier run was lent, empty when nothing is
    owner        who leases machines for this experiment
    crosses      whether any substrate has members on several machines
    kinds        every kind that its nodes are realised as
    processes    whether processes run on the machines themselves: they see its files, those inside virtual machines do not
    """

    changed: bool
    machines: tuple[Machine, ...]
    allocation: Allocation
    owner: str
    crosses: bool = False
    kinds: tuple[str, ...] = ()
    processes: bool = False


def begin_swapin(directory: ExperimentDirectory, dry_run: bool = False) -> Begun:
    """Enter ``activating``; an experiment that is active already stays so.

    Raises ExperimentError or InputError: no such experiment, another run at it.
    """
    directory.require()
    topology, _warnings = read_topdl(directory.partitioned)
    nodes = read_nodes(topology)
    carrying = machines(nodes)
    place_of = pnode_of(carrying)
    crosses = any(len({place_of[computer.name] for computer, _i in members}) > 1 for members in topology.attachments().values())
    before = directory.read_state()
    changed = before.state != ACTIVE
    if changed and not dry_run:
        directory.begin(ACTIVATING, (SWAPPED, FAILED), Holder.of_playbook())
    kinds = {*(node.kind for node in nodes.values()), *([QEMU] if any(machine.hidden for machine in carrying) else [])}
    processes = any(nodes[name].kind == PROCESS for machine in carrying for name in machine.nodes)
    return Begun(changed, carrying, read_allocation(directory), owner(directory), crosses, tuple(sorted(kinds)), processes)


def begin_swapout(directory: ExperimentDirectory, dry_run: bool = False) -> Begun:
    """Enter ``swapping`` from whatever state, also a broken one; an experiment that is swapped stays so.

    Raises ExperimentError: no such experiment, another run at it.
    """
    directory.require()
    allocation = read_allocation(directory)
    try:
        before = directory.read_state()
        changed = before.state != SWAPPED or bool(allocation.hosts)
    except ExperimentError:
        changed = True
        if not dry_run:
            directory.write_state(FAILED, "state.json was broken")
    if changed and not dry_run:
        directory.begin(SWAPPING, STATES, Holder.of_playbook())
    return Begun(changed, (), allocation, owner(directory))


def finish_swapin(directory: ExperimentDirectory, failures: dict[str, str], dry_run: bool = False) -> bool:
    """``active``, or ``failed`` with each host and its reason. Whether the state changed."""
    lent = read_allocation(directory).hosts
    reason = "; ".join(f"{_called(vhost, lent)}: {why}" for vhost, why in sorted(failures.items()))
    before = directory.read_state()
    state = FAILED if failures else ACTIVE
    changed = before.state != state or (bool(reason) and before.reason != reason)
    if changed and not dry_run:
        directory.write_state(state, reason)
    return changed


def finish_swapout(directory: ExperimentDirectory, failures: dict[str, str], dry_run: bool = False) -> bool:
    """``swapped`` when every machine is clean; else ``failed``, and the machines that are not stay allocated."""
    before, lent = directory.read_state(), read_allocation(directory).hosts
    if dry_run or (before.state == SWAPPED and not lent and not failures):
        return before.state != SWAPPED
    left = {vhost: host for vhost, host in lent.items() if vhost in failures}
    if left:
        directory.write("allocation.json", Allocation(left).to_json())
        directory.write_state(FAILED, "; ".join(f"{_called(vhost, lent)}: {why}" for vhost, why in sorted(failures.items())))
    else:
        directory.discard("allocation.json")
        for name in ("plan", "secrets/plan", KNOWN_HOSTS, SSH_CONFIG):
            directory.discard(name)
        directory.write_state(SWAPPED)
    return True


def failures_of(reports: dict[str, dict]) -> dict[str, str]:
    """{vhost: reason} from what came of every vhost: {"failure": reason}, {"built": True}, {"done": True}, or {} when it was lost."""
    lost = "the connection to it was lost"
    return {vhost: report.get("failure") or lost for vhost, report in reports.items() if not report.get("built") and not report.get("done")}


def failure_message(directory: ExperimentDirectory, operation: str, failures: dict[str, str]) -> list[str]:
    """Every failure on a line of its own, and what to do next; [] when there is none."""
    if not failures:
        return []
    lent = read_allocation(directory).hosts
    lines = [f"  {_called(vhost, lent)}: {why}" for vhost, why in sorted(failures.items())]
    verb, again = ("in", "run it again to go on, or swap out") if operation == "swapin" else ("out", "run it again when the machine can be reached")
    return [f"experiment {directory} failed to swap {verb}: {again}", *lines]


def summary(directory: ExperimentDirectory, reports: dict[str, dict]) -> list[dict]:
    """A row for each node: node, kind, pnode, machine, state, start_command; from what the vhosts say of themselves.

    Of a process inside a virtual machine, pnode is ``pnode-0000/its-machine``.
    """
    lent, plans, rows = read_allocation(directory).hosts, read_plans(directory), []
    outside = {vnode.name: vhost for vhost, plan in plans.items() for vnode in plan.vnodes}
    for vhost, plan in plans.items():
        pnode = vhost if vhost in lent else outside.get(vhost, vhost)
        nodes = reports.get(vhost, {}).get("status", {}).get("nodes", {})
        for vnode in plan.vnodes:
            found = nodes.get(vnode.name, {})
            rows.append({"node": vnode.name, "kind": vnode.kind, "pnode": vhost if pnode == vhost else f"{pnode}/{vhost}",
                         "machine": lent[pnode].name if pnode in lent else "",
                         "state": found.get("state", "unknown"), "start_command": _outcome(found)})
    return rows


def table(rows: list[dict], most: int = 60) -> list[str]:
    """The rows as aligned lines of text; of many, first those that are not as they should be."""
    if not rows:
        return []
    odd = [row for row in rows if row["state"] != "booted" or row["start_command"] in ("failed", "lost")]
    shown = rows if len(rows) <= most else (odd + [row for row in rows if row not in odd])[:most]
    columns = ("node", "kind", "pnode", "machine", "state", "start_command")
    lines = [tuple(column.replace("_", " ").upper() for column in columns), *(tuple(row[column] for column in columns) for row in shown)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return [*text, f"… and {len(rows) - len(shown)} more nodes"] if len(shown) < len(rows) else text


@dataclass(frozen=True)
class Carrier:
    """A machine with some of an experiment's nodes. embedded: whether it is the node itself; variables: how to reach it."""

    nodes: tuple[str, ...]
    embedded: bool
    variables: dict


def carriers(directory: ExperimentDirectory, nodes: list[str]) -> dict[str, Carrier]:
    """{vhost: its share} of these nodes, in the plans' order. Raises ExperimentError: not swapped in, no such nodes, ghosts."""
    directory.require()
    lent, plans = read_allocation(directory).hosts, read_plans(directory)
    state = directory.read_state().state
    if state != ACTIVE:
        raise ExperimentError(f"experiment {directory} is {state}, not {ACTIVE}: swap it in first")
    known = {vnode.name: vnode for plan in plans.values() for vnode in plan.vnodes}
    unknown = [name for name in dict.fromkeys(nodes) if name not in known]
    if unknown or not nodes:
        some = ", ".join([*known][:10]) + (", …" if len(known) > 10 else "")
        raise ExperimentError(f"experiment {directory} has no node {' and no node '.join(unknown)}; it has {some}" if unknown else "no node is named")
    ghosts = [name for name in nodes if known[name].ghost]
    if ghosts:
        raise ExperimentError(f"{' and '.join(ghosts)} of experiment {directory} never runs: a ghost")
    found = {}
    for vhost, plan in plans.items():
        mine = tuple(vnode.name for vnode in plan.vnodes if vnode.name in nodes)
        if mine:
            found[vhost] = Carrier(mine, any(known[name].kind == EMBEDDED_PNODE for name in mine), lent[vhost].variables if vhost in lent else {})
    return found


def remove(directory: ExperimentDirectory, dry_run: bool = False) -> bool:
    """Take away the directory of an experiment that has no machines. Whether there was one. Raises ExperimentError."""
    if not directory.exists():
        return False
    if read_allocation(directory).hosts and not dry_run:
        raise ExperimentError(f"experiment {directory} still has machines: swap it out first")
    if not dry_run:
        directory.remove()
    return True


def read_plans(directory: ExperimentDirectory) -> dict[str, HostPlan]:
    """The plans of all vhosts, in order; none when the experiment is not swapped in. Raises BenitoError."""
    names = sorted(name for name in os.listdir(directory.plans) if name.endswith(".json")) if os.path.isdir(directory.plans) else []
    return {name[:-5]: from_json(directory.read("plan", name), directory.file("plan", name)) for name in names}


def owner(directory: ExperimentDirectory) -> str:
    """Who leases machines for it: the controller and the experiment's place on it."""
    return f"{socket.gethostname()}:{directory.home}"


def _called(vhost: str, lent: dict[str, PoolHost]) -> str:
    return f"{vhost} ({lent[vhost].name})" if vhost in lent else vhost


def _outcome(node: dict) -> str:
    state, status = node.get("start_command", ""), node.get("exit_status")
    return f"exit {status}" if state == "ended" else state or "-"
