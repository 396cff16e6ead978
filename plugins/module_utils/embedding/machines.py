# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machines of an experiment: what pnode-0000, pnode-0001, … stand for in a partitioned topology."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..errors import Problem
from ..topology.model import Topology
from .annotate import kind_of, partition_of
from .kinds import KINDS
from .partition import pass_of

BRIDGE_PORTS = 1023


@dataclass(frozen=True)
class Machine:
    """A pnode: its name, the partition it carries and that partition's computers in document order."""

    vhost: str
    partition: str
    nodes: tuple[str, ...]


def machines(partitioned: Topology) -> tuple[Machine, ...]:
    """The machines in the order (pass, lowest node), which numbers them.

    Computers with one partition share a machine; an embedded pnode has its own, whatever its partition says.
    """
    found: dict[tuple, list[str]] = {}
    order: dict[tuple, tuple[int, int]] = {}
    for index, computer in enumerate(partitioned.computers):
        alone = computer.name if KINDS[kind_of(computer)].own_machine else ""
        key = (partition_of(computer), alone)
        found.setdefault(key, []).append(computer.name)
        order[key] = min(order.get(key, (pass_of(computer), index)), (pass_of(computer), index))
    ordered = sorted(found, key=lambda key: order[key])
    return tuple(Machine(f"pnode-{number:04}", key[0], tuple(found[key])) for number, key in enumerate(ordered))


def overfull_bridges(partitioned: Topology, carrying: tuple[Machine, ...]) -> list[Problem]:
    """A Problem for every substrate with more members on one machine than a bridge has ports.

    A substrate that goes on elsewhere needs a port for its tunnel, and one more while it is probed.
    """
    vhost_of = {node: machine.vhost for machine in carrying for node in machine.nodes}
    problems = []
    for name, members in partitioned.attachments().items():
        counts = Counter(vhost_of[computer.name] for computer, _interface in members)
        room = BRIDGE_PORTS - (2 if len(counts) > 1 else 0)
        for vhost, count in counts.items():
            if count > room:
                line = next(substrate.line for substrate in partitioned.substrates if substrate.name == name)
                message = f"has {count} members on {vhost}, but a bridge carries {room} of them"
                problems.append(Problem(message, partitioned.source, line, f"substrate {name}", "choose a smaller packing, or more partitions"))
    return problems
