# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vnodes share a pnode (design §5.11, §5.14; spec/semantics.md §8).

Every computer of the result has ``containers:partition``. Partitions are numbered "0", "1", … in the
order (pass, lowest node); what an author chose stays as it is.
"""

from __future__ import annotations

from collections import defaultdict

from ...errors import Problem
from ...topology.attributes import PARTITION, with_containers_attribute
from ...topology.model import Interface, Substrate, Topology
from ..computers import is_partitioned, kind_of, map_computers, partition_of, pass_of, problem_of
from ..kinds import KINDS
from ..nesting import carriers, hidden_carriers
from ..settings import ORIGINAL_PASSES, EmbeddingSettings
from .hypergraph import Hypergraph
from .packing import pack, split
from .passes import PassRule, idle_options, missing_passes, refuse_wrong_passes, rule_of, unused_passes, with_original_passes

_ASSUMED_KBPS = 100_000  # of a substrate without capacity; what the original assumed (spec/topdl.md)
_HEAVIEST = 1000


def partition(topology: Topology, settings: EmbeddingSettings) -> tuple[Topology, tuple[Problem, ...]]:
    """(the topology with a partition on every computer, warnings).

    topology  with realised kinds (``annotate.realise``)

    A topology with any partition is not partitioned again; its computers without one, which are
    physical, get one each. Raises InputError for a PartitionPass that is not a number.
    """
    refuse_wrong_passes(topology)
    chosen = is_partitioned(topology)
    if settings.passes == ORIGINAL_PASSES and not chosen:
        topology = with_original_passes(topology)
    partitions = _chosen_partitions(topology) if chosen else _automatic_partitions(topology, settings)
    by_author = [*_shared_machines(topology, partitions), *idle_options(settings)] if chosen else missing_passes(topology)
    warnings = [*by_author, *unused_passes(topology, settings)]
    partitioned = map_computers(topology, lambda computer: _with_partition(computer, partitions[computer.name]))
    return partitioned, tuple(warnings)


def without_partitions(topology: Topology) -> Topology:
    """The topology without what its author chose (``force_partition``)."""
    return map_computers(topology, lambda computer: with_containers_attribute(computer, PARTITION, None))


def _with_partition(computer, name):
    return computer if partition_of(computer) == name else with_containers_attribute(computer, PARTITION, name)


def _chosen_partitions(topology):
    """The author's partitions, and numbers nobody uses for computers without one."""
    used = {partition_of(computer) for computer in topology.computers}
    numbers = (str(number) for number in range(len(used) + len(topology.computers)) if str(number) not in used)
    return {computer.name: partition_of(computer) or next(numbers) for computer in topology.computers}


def _shared_machines(topology, partitions):
    sharers = defaultdict(list)
    for computer in topology.computers:
        sharers[partitions[computer.name]].append(computer)
    for name, computers in sharers.items():
        for computer in computers if len(computers) > 1 else ():
            if KINDS[kind_of(computer)].own_machine:
                yield problem_of(topology, computer, f"shares partition {name} with others, but is a machine by itself: it gets its own")


def _automatic_partitions(topology, settings):
    """{computer: partition}: each pass divided by itself, machines of their own beside them."""
    carried = carriers(topology)
    hidden = {processes[0]: vhost for vhost, processes in hidden_carriers(topology).items()}
    blocks: list[tuple[int, int, tuple[str, ...]]] = []
    index = {computer.name: place for place, computer in enumerate(topology.computers)}
    passes = defaultdict(list)
    for computer in topology.computers:
        vertex = hidden.get(computer.name, computer.name)  # a hidden virtual machine stands where its first process does
        index.setdefault(vertex, index[computer.name])
        if KINDS[kind_of(computer)].own_machine:
            blocks.append((pass_of(computer), index[computer.name], (computer.name,)))
        elif vertex not in carried:
            passes[pass_of(computer)].append(vertex)
    for number, names in passes.items():
        for block in _divided(topology, names, carried, rule_of(number, settings), settings.seed):
            blocks.append((number, index[block[0]], block))
    partitions = {name: str(number) for number, (_pass, _index, names) in enumerate(sorted(blocks)) for name in names}
    partitions.update({process: partitions[vhost] for process, vhost in carried.items()})
    return partitions


def _divided(topology, names, carried, rule: PassRule, seed: int):
    """Blocks of ``names``, each in document order; a process counts as its carrier."""
    hypergraph = hypergraph_of(topology, names, carried)
    parts = rule.parts or -(-len(names) // rule.packing)
    numbers = split(hypergraph, parts, seed) if rule.even else pack(hypergraph, rule.packing, seed)
    blocks = defaultdict(list)
    for name, block in zip(names, numbers, strict=True):
        blocks[block].append(name)
    return [tuple(block) for block in blocks.values()]


def hypergraph_of(topology: Topology, names: list[str], carried: dict[str, str]) -> Hypergraph:
    """Vertices are ``names``, hyperedges the substrates between them, weighted by capacity from 1 to 1000.

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


def _members(topology):
    attachments = topology.attachments()
    return (attachments[substrate.name] for substrate in topology.substrates)


def _rate_kbps(substrate: Substrate, interfaces: list[Interface]) -> float:
    """The most a substrate can carry: its members' own capacities count before its own; 0 and none are unshaped."""
    rates = [(interface.capacity or substrate.capacity) for interface in interfaces]
    return max((capacity.rate_kbps for capacity in rates if capacity and capacity.rate_kbps > 0), default=_ASSUMED_KBPS)


def _weights(rates: list[float]) -> tuple[int, ...]:
    """Rates as small integers, equal rates as 1."""
    if len(set(rates)) < 2:
        return (1,) * len(rates)
    return tuple(max(1, round(rate * _HEAVIEST / max(rates))) for rate in rates)
