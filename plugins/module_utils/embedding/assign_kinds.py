# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kind every computer is, and whether its author has partitioned the topology already.

Source of the rules: design §5.14, spec/semantics.md §8. Two steps: ``annotate`` says what was asked
for (annotated.xml), ``realise`` what it is made as (``kind_map``; partitioned.xml).
"""

from __future__ import annotations

from ..errors import InputError
from ..names import safe_partition
from ..topology.attributes import NODE_TYPE, PARTITION, VHOST, containers_attribute, with_containers_attribute
from ..topology.model import Topology
from .computers import is_partitioned, kind_of, map_computers, partition_of, problem_of
from .kinds import ALLOWED, EMBEDDED_PNODE, KINDS, PROCESS, QEMU, kind_named
from .nesting import carriers, hidden_carriers, shared_partition, wrong_carriers
from .settings import EmbeddingSettings, mapped_kinds


def annotate(topology: Topology, settings: EmbeddingSettings) -> Topology:
    """The topology with a valid ``node_type`` on every computer, carried processes with their carrier's partition.

    A topology in which any computer has a partition is partitioned: there a computer with neither
    partition nor kind is physical, and one with another kind but no partition is an error.

    Raises InputError with every unknown kind, impossible partition and impossible vhost.
    """
    problems = _wrong_words(topology)
    if problems:
        raise InputError(problems)
    partitioned = is_partitioned(topology)
    default = kind_named(settings.default_container)
    annotated = map_computers(topology, lambda computer: _with_kind(computer, default, partitioned))
    problems = wrong_carriers(annotated)
    if not problems:
        annotated = _inherit_partitions(annotated)
        problems = [*_missing_partitions(annotated)] if partitioned else []
    if problems:
        raise InputError(problems)
    return annotated


def realise(annotated: Topology, settings: EmbeddingSettings) -> Topology:
    """The annotated topology with ``kind_map`` applied once to every computer's kind, and to hidden virtual machines, which are qemu."""
    mapped = mapped_kinds(settings)
    if all(asked == realised for asked, realised in mapped.items()):
        return annotated
    without = [] if KINDS[mapped[QEMU]].carries else [name for processes in hidden_carriers(annotated).values() for name in processes]

    def realised(computer):
        bare = with_containers_attribute(computer, VHOST, None) if computer.name in without else computer
        return _with_node_type(bare, mapped[kind_of(computer)])

    return map_computers(annotated, realised)


def _wrong_words(topology):
    problems = []
    for computer in topology.computers:
        kind = containers_attribute(computer, NODE_TYPE)
        if kind is not None and kind_named(kind) is None:
            problems.append(problem_of(topology, computer, f"unknown node_type {kind!r}", ALLOWED))
        partition = partition_of(computer)
        if partition is not None and not safe_partition(partition):
            problems.append(problem_of(topology, computer, f"partition {partition!r} is not a word", "letters, digits, '_', '.' or '-', at most 64"))
    return problems


def _with_kind(computer, default, partitioned):
    asked = containers_attribute(computer, NODE_TYPE)
    if asked is not None:
        return _with_node_type(computer, kind_named(asked))
    physical = partitioned and partition_of(computer) is None and containers_attribute(computer, VHOST) is None
    if containers_attribute(computer, VHOST) is not None:
        return _with_node_type(computer, PROCESS)
    return _with_node_type(computer, EMBEDDED_PNODE if physical else default)


def _with_node_type(computer, kind):
    if containers_attribute(computer, NODE_TYPE) == kind:
        return computer
    return with_containers_attribute(computer, NODE_TYPE, kind)


def _inherit_partitions(topology):
    partitions, carried = shared_partition(topology), carriers(topology)

    def with_partition(computer):
        inherited = partitions.get(carried.get(computer.name))
        return computer if inherited is None else with_containers_attribute(computer, PARTITION, inherited)

    return map_computers(topology, with_partition)


def _missing_partitions(topology):
    for computer in topology.computers:
        kind = kind_of(computer)
        if partition_of(computer) is None and not KINDS[kind].own_machine:
            yield problem_of(
                topology, computer, f"has kind {kind} but no partition, while others have one", "give it a partition, or remove its kind to make it physical"
            )
