# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many nodes of which kind an experiment has, and why: what the user is told at its creation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from .kinds import KINDS, QEMU
from .node_view import Nodes

WRITTEN = "in the topology"
DEFAULT = "default_container"
CARRIED = "containers:vhost"
UNPARTITIONED = "without a partition"
MADE = "made to carry processes"


@dataclass(frozen=True)
class KindCount:
    """The number of nodes of one kind that have it for one reason."""

    kind: str
    count: int
    reason: str

    def __str__(self) -> str:
        return f"{self.count} {self.kind} ({self.reason})"


def count_kinds(given: Nodes, asked: Nodes, realised: Nodes, hidden: Iterable[str], partitioned: bool) -> tuple[KindCount, ...]:
    """Return the kinds of all nodes and hidden virtual machines, those of most nodes first.

    given        the topology as it was read
    asked        with a kind for every node (annotated.xml)
    realised     with ``kind_map`` applied (partitioned.xml)
    hidden       virtual machines that are made to carry processes
    partitioned  whether the topology's author gave partitions
    """
    found: Counter[tuple[str, str]] = Counter()
    for name, node in given.items():
        reason = WRITTEN
        if not node.kind:
            reason = CARRIED if node.carrier is not None else UNPARTITIONED if partitioned and node.partition is None else DEFAULT
        kind = realised[name].kind
        found[kind, reason if kind == asked[name].kind else f"kind_map of {asked[name].kind}, {reason}"] += 1
    made = sum(1 for _name in hidden)
    if made:
        found[QEMU, MADE] = made
    order = {kind: place for place, kind in enumerate(KINDS)}
    return tuple(KindCount(kind, count, reason) for (kind, reason), count in sorted(found.items(), key=lambda one: (-one[1], order[one[0][0]], one[0][1])))
