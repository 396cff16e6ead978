# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is partitioned: vertices and the hyperedges between them, and what a partition of them costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypergraph:
    """vertices of weight 1, numbered from 0; ``edges`` are tuples of vertices, ``weights`` one integer ≥ 1 for each."""

    vertices: int
    edges: tuple[tuple[int, ...], ...] = ()
    weights: tuple[int, ...] = ()


def connectivity(hypergraph: Hypergraph, blocks: list[int]) -> int:
    """The objective km1: for every edge its weight times the number of further blocks it reaches."""
    return sum(weight * (len({blocks[pin] for pin in edge}) - 1) for edge, weight in zip(hypergraph.edges, hypergraph.weights, strict=True))


def incidence(hypergraph: Hypergraph) -> list[list[int]]:
    """The numbers of the edges at each vertex."""
    incident: list[list[int]] = [[] for _vertex in range(hypergraph.vertices)]
    for number, edge in enumerate(hypergraph.edges):
        for pin in edge:
            incident[pin].append(number)
    return incident
