# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hypergraph of vertices and weighted hyperedges, and the cost of a partition of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypergraph:
    """A hypergraph of ``vertices`` of weight 1, numbered from 0. ``edges`` are tuples of vertices; ``weights`` has one integer ≥ 1 for each."""

    vertices: int
    edges: tuple[tuple[int, ...], ...] = ()
    weights: tuple[int, ...] = ()


def connectivity(hypergraph: Hypergraph, blocks: list[int]) -> int:
    """Return the objective km1: the sum, over all edges, of the weight times the number of blocks that the edge reaches beyond the first."""
    return sum(weight * (len({blocks[pin] for pin in edge}) - 1) for edge, weight in zip(hypergraph.edges, hypergraph.weights, strict=True))


def incidence(hypergraph: Hypergraph) -> list[list[int]]:
    """Return the numbers of the edges at each vertex."""
    incident: list[list[int]] = [[] for _vertex in range(hypergraph.vertices)]
    for number, edge in enumerate(hypergraph.edges):
        for pin in edge:
            incident[pin].append(number)
    return incident
