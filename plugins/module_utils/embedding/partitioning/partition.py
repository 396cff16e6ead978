# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The partitioning of vnodes: which of them share a pnode (design §5.11, §5.14; spec/semantics.md §8).

Every computer of the result has ``containers:partition``. Partitions are numbered "0", "1", … in the order (pass, lowest node).
Partitions that the author chose stay unchanged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ...errors import Problem
from ...topology.attributes import PARTITION
from ...topology.model import Computer, Interface, Substrate, Topology
from ..computers import with_values
from ..kinds import KINDS
from ..nesting import carriers, hidden_carriers
from ..node_view import Nodes, is_partitioned, read_nodes
from ..settings import ORIGINAL_PASSES, EmbeddingSettings
from .hypergraph import Hypergraph
from .packing import pack, split
from .passes import PassRule, idle_options, missing_passes, refuse_wrong_passes, rule_of, unused_passes, with_original_passes

_ASSUMED_KBPS = 100_000  # of a substrate without capacity, as in the original (spec/topdl.md)
_HEAVIEST = 1000


def partition(topology: Topology, settings: EmbeddingSettings) -> tuple[Topology, tuple[Problem, ...]]:
    """Return (the topology with a partition on every computer, warnings).

    topology  with realised kinds (``assign_kinds.realise``)

    A topology with any partition is not partitioned again. Its computers without one, which are
    physical, get one each. Raises InputError for a PartitionPass that is not a number.
    """
    nodes = read_nodes(topology)
    refuse_wrong_passes(nodes)
    chosen = is_partitioned(nodes.values())
    if settings.passes == ORIGINAL_PASSES and not chosen:
        topology = with_original_passes(topology, nodes)
        nodes = read_nodes(topology)
    failures: list[str] = []  # of Mt-KaHyPar
    partitions = _chosen_partitions(nodes) if chosen else _automatic_partitions(topology, nodes, settings, failures)
    by_author = [*_shared_machines(nodes, partitions), *idle_options(settings)] if chosen else missing_passes(nodes)
    return with_values(topology, PARTITION, [partitions[name] for name in nodes]), (*by_author, *unused_passes(nodes, settings), *map(_simpler_method, failures[:1]))


def _simpler_method(failure: str) -> Problem:
    return Problem(f"{failure}. So a simpler method chose the partitions: more links may be cut than need be, and other ones than on another controller. "
                   "See docs/partitioning.md")


def without_partitions(topology: Topology) -> Topology:
    """Return the topology without the partitions that its author chose (``force_partition``)."""
    return with_values(topology, PARTITION, [None] * len(topology.computers))


def _chosen_partitions(nodes: Nodes) -> dict[str, str]:
    """Return the author's partitions, and numbers that nobody uses for computers without one."""
    used = {node.partition for node in nodes.values()}
    numbers = (str(number) for number in range(len(used) + len(nodes)) if str(number) not in used)
    return {node.name: node.partition or next(numbers) for node in nodes.values()}


def _shared_machines(nodes: Nodes, partitions: dict[str, str]) -> Iterator[Problem]:
    sharers = defaultdict(list)
    for node in nodes.values():
        sharers[partitions[node.name]].append(node)
    for name, together in sharers.items():
        for node in together if len(together) > 1 else ():
            if KINDS[node.kind].own_machine:
                yield node.problem(f"shares partition {name} with others, but is a machine by itself: it gets its own")


def _automatic_partitions(topology: Topology, nodes: Nodes, settings: EmbeddingSettings, failures: list[str]) -> dict[str, str]:
    """Return {computer: partition}: each pass divided by itself, machines of their own beside them."""
    carried = carriers(nodes)
    hidden = {processes[0]: carrier for carrier, processes in hidden_carriers(nodes).items()}
    blocks: list[tuple[int, int, tuple[str, ...]]] = []
    index = {name: place for place, name in enumerate(nodes)}
    passes: dict[int, list[str]] = defaultdict(list)
    for node in nodes.values():
        vertex = hidden.get(node.name, node.name)  # a hidden virtual machine stands where its first process does
        index.setdefault(vertex, index[node.name])
        if KINDS[node.kind].own_machine:
            blocks.append((node.pass_number, index[node.name], (node.name,)))
        elif vertex not in carried:
            passes[node.pass_number].append(vertex)
    for number, names in passes.items():
        for block in _divided(topology, names, carried, rule_of(number, settings), settings.seed, failures):
            blocks.append((number, index[block[0]], block))
    partitions = {name: str(number) for number, (_pass, _index, names) in enumerate(sorted(blocks)) for name in names}
    partitions.update({process: partitions[carrier] for process, carrier in carried.items()})
    return partitions


def _divided(topology: Topology, names: list[str], carried: dict[str, str], rule: PassRule, seed: int,
             failures: list[str]) -> list[tuple[str, ...]]:
    """Return blocks of ``names``, each in document order; a process counts as its carrier."""
    hypergraph = hypergraph_of(topology, names, carried)
    parts = rule.parts or -(-len(names) // rule.packing)
    numbers = split(hypergraph, parts, seed, failures) if rule.even else pack(hypergraph, rule.packing, seed, failures)
    blocks: dict[int, list[str]] = defaultdict(list)
    for name, block in zip(names, numbers, strict=True):
        blocks[block].append(name)
    return [tuple(block) for block in blocks.values()]


def hypergraph_of(topology: Topology, names: list[str], carried: dict[str, str]) -> Hypergraph:
    """Return the hypergraph whose vertices are ``names`` and whose edges are the substrates between them, weighted by capacity from 1 to 1000.

    carried  {process: its carrier, which stands for it}
    """
    vertex = {name: place for place, name in enumerate(names)}
    edges, rates = [], []
    for substrate, members in zip(topology.substrates, _members(topology), strict=True):
        pins = sorted({vertex[carried.get(c.name, c.name)] for c, _i in members if carried.get(c.name, c.name) in vertex})
        if len(pins) > 1:
            edges.append(tuple(pins))
            rates.append(_rate_kbps(substrate, [interface for _c, interface in members]))
    return Hypergraph(len(names), tuple(edges), _weights(rates))


def _members(topology: Topology) -> Iterator[list[tuple[Computer, Interface]]]:
    attachments = topology.attachments()
    return (attachments[substrate.name] for substrate in topology.substrates)


def _rate_kbps(substrate: Substrate, interfaces: list[Interface]) -> float:
    """Return the most that a substrate can carry. Its members' own capacities count before its own; 0 and none are unshaped."""
    rates = [(interface.capacity or substrate.capacity) for interface in interfaces]
    return max((capacity.rate_kbps for capacity in rates if capacity and capacity.rate_kbps > 0), default=_ASSUMED_KBPS)


def _weights(rates: list[float]) -> tuple[int, ...]:
    """Return rates as small integers, equal rates as 1."""
    if len(set(rates)) < 2:
        return (1,) * len(rates)
    return tuple(max(1, round(rate * _HEAVIEST / max(rates))) for rate in rates)
