# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kind of every computer, and the partitions of carried processes.

Source of the rules: design §5.14, spec/semantics.md §8. There are two steps. ``annotate`` records the kind that was asked for
(annotated.xml). ``realise`` applies ``kind_map`` to it (partitioned.xml).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import InputError, Problem
from ..topology.attributes import NODE_TYPE, PARTITION, VHOST
from ..topology.model import Topology
from .computers import with_values
from .kinds import EMBEDDED_PNODE, KINDS, PROCESS, QEMU, kind_named
from .nesting import carrier_partitions, carriers, hidden_carriers, wrong_carriers
from .node_view import NodeView, is_partitioned, node_views, read_nodes
from .settings import EmbeddingSettings, mapped_kinds


def annotate(topology: Topology, settings: EmbeddingSettings) -> Topology:
    """Return the topology with a valid ``node_type`` on every computer, and carried processes with their carrier's partition.

    A topology in which any computer has a partition is partitioned. There a computer with neither
    partition nor kind is physical, and one with another kind but no partition is an error.

    Raises InputError with every unknown kind, impossible partition and impossible vhost.
    """
    views = node_views(topology)
    _refuse([problem for view in views for problem in view.faults_of(NODE_TYPE, PARTITION)])
    partitioned = is_partitioned(views)
    default = kind_named(settings.default_container) or ""
    views = [view if view.kind else replace(view, kind=_implied_kind(view, default, partitioned)) for view in views]
    _refuse(wrong_carriers(views))
    partitions = _inherited_partitions(views)
    if partitioned:
        _refuse([_missing_partition(view) for view, partition in zip(views, partitions, strict=True) if partition is None and not KINDS[view.kind].own_machine])
    return with_values(with_values(topology, NODE_TYPE, [view.kind for view in views]), PARTITION, partitions)


def realise(annotated: Topology, settings: EmbeddingSettings) -> Topology:
    """Return the annotated topology with ``kind_map`` applied once to the kind of every computer, and to hidden virtual machines, which are qemu."""
    mapped = mapped_kinds(settings)
    if all(asked == realised for asked, realised in mapped.items()):
        return annotated
    nodes = read_nodes(annotated)
    if not KINDS[mapped[QEMU]].carries:
        uncarried = {process for processes in hidden_carriers(nodes).values() for process in processes}
        annotated = with_values(annotated, VHOST, [None if node.name in uncarried else node.carrier for node in nodes.values()])
    return with_values(annotated, NODE_TYPE, [mapped[node.kind] for node in nodes.values()])


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InputError(problems)


def _implied_kind(node: NodeView, default: str, partitioned: bool) -> str:
    """Return the kind of a node that names none."""
    if node.carrier is not None:
        return PROCESS
    return EMBEDDED_PNODE if partitioned and node.partition is None else default


def _inherited_partitions(views: Sequence[NodeView]) -> list[str | None]:
    """Return the partition of every node: that of its carrier where it has one, else its own."""
    nodes = {view.name: view for view in views}
    partitions, carried = carrier_partitions(nodes), carriers(nodes)
    return [partitions.get(carried.get(view.name, ""), view.partition) for view in views]


def _missing_partition(node: NodeView) -> Problem:
    return node.problem(f"has kind {node.kind} but no partition, while others have one", "give it a partition, or remove its kind to make it physical")
