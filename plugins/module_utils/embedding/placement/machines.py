# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines of an experiment: pnode-0000, pnode-0001, …, each with the computers of one partition."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ...errors import Problem
from ...topology.model import Topology
from ..kinds import KINDS
from ..nesting import carriers, hidden_carriers
from ..node_view import Nodes

BRIDGE_PORTS = 1023


@dataclass(frozen=True)
class Nested:
    """A virtual machine that carries processes, and so is a vhost itself. ``hidden``: it is no computer of the vtopo."""

    vhost: str
    nodes: tuple[str, ...]
    hidden: bool


@dataclass(frozen=True)
class Machine:
    """A pnode: its name, its partition, and the computers that it realises itself, in document order.

    nested  its virtual machines that carry processes
    """

    vhost: str
    partition: str
    nodes: tuple[str, ...]
    nested: tuple[Nested, ...] = ()

    @property
    def hidden(self) -> tuple[str, ...]:
        """Return the virtual machines that exist only in the ptopo."""
        return tuple(nested.vhost for nested in self.nested if nested.hidden)

    @property
    def all_nodes(self) -> tuple[str, ...]:
        """Return every computer of the vtopo on this pnode, including those inside virtual machines."""
        return (*self.nodes, *(node for nested in self.nested for node in nested.nodes))


def machines(nodes: Nodes) -> tuple[Machine, ...]:
    """Return the machines of a partitioned topology in the order (pass, lowest node), which numbers them.

    Computers with one partition share a machine; an embedded pnode has its own, whatever its partition says.
    """
    found: dict[tuple[str, str], list[str]] = {}
    order: dict[tuple[str, str], tuple[int, int]] = {}
    for index, node in enumerate(nodes.values()):
        key = (node.partition or "", node.name if KINDS[node.kind].own_machine else "")
        found.setdefault(key, []).append(node.name)
        order[key] = min(order.get(key, (node.pass_number, index)), (node.pass_number, index))
    ordered = sorted(found, key=lambda key: order[key])
    carried, hidden = carriers(nodes), hidden_carriers(nodes)
    return tuple(_machine(f"pnode-{number:04}", key[0], found[key], carried, hidden) for number, key in enumerate(ordered))


def pnode_of(carrying: tuple[Machine, ...]) -> dict[str, str]:
    """Return {computer: the pnode that it is on}."""
    return {node: machine.vhost for machine in carrying for node in machine.all_nodes}


def vhost_of(carrying: tuple[Machine, ...]) -> dict[str, str]:
    """Return {computer: the vhost that carries it: a pnode, or a virtual machine}."""
    found = {node: machine.vhost for machine in carrying for node in machine.nodes}
    return {**found, **{node: nested.vhost for machine in carrying for nested in machine.nested for node in nested.nodes}}


def _machine(vhost: str, partition: str, names: list[str], carried: dict[str, str], hidden: dict[str, list[str]]) -> Machine:
    if not carried:
        return Machine(vhost, partition, tuple(names))
    inside: dict[str, list[str]] = {}
    for name in names:
        if name in carried:
            inside.setdefault(carried[name], []).append(name)
    nested = tuple(Nested(carrier, tuple(nodes), carrier in hidden) for carrier, nodes in inside.items())
    return Machine(vhost, partition, tuple(name for name in names if name not in carried), nested)


def overfull_bridges(partitioned: Topology, carrying: tuple[Machine, ...]) -> list[Problem]:
    """Return a Problem for every substrate with more members on one machine than a bridge has ports.

    A substrate that spans several machines needs a port for its tunnel, and one more while it is probed.
    """
    place_of = pnode_of(carrying)
    problems = []
    for name, members in partitioned.attachments().items():
        counts = Counter(place_of[computer.name] for computer, _interface in members)
        room = BRIDGE_PORTS - (2 if len(counts) > 1 else 0)
        for vhost, count in counts.items():
            if count > room:
                line = next(substrate.line for substrate in partitioned.substrates if substrate.name == name)
                message = f"has {count} members on {vhost}, but a bridge carries {room} of them"
                problems.append(Problem(message, partitioned.source, line, f"substrate {name}", "choose a smaller packing, or more partitions"))
    return problems
