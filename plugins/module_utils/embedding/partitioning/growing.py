# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A partition without Mt-KaHyPar: blocks that grow one after the other, each by the vertex that belongs to it most.

It is what refining begins with where Mt-KaHyPar cannot be used. Deterministic for its seed.
"""

from __future__ import annotations

import heapq
import random

from .hypergraph import Hypergraph, incidence

_LARGE_EDGE = 64  # with more pins, an edge draws its vertices the same however many are in the block already


def grown(hypergraph: Hypergraph, capacities: list[int], seed: int) -> list[int]:
    """Return the block of each vertex. Each block is filled to its capacity before the next one begins."""
    chance = random.Random(seed)
    incident = incidence(hypergraph)
    blocks = [-1] * hypergraph.vertices
    whole = [sum(hypergraph.weights[number] for number in numbers) for numbers in incident]
    rank = list(range(hypergraph.vertices))
    chance.shuffle(rank)
    starts = sorted(range(hypergraph.vertices), key=lambda vertex: rank[vertex])
    for block, capacity in enumerate(capacities):
        _grow(hypergraph, incident, whole, rank, starts, blocks, block, capacity)
    return blocks


def _grow(hypergraph: Hypergraph, incident: list[list[int]], whole: list[int], rank: list[int], starts: list[int], blocks: list[int], block: int,
          capacity: int) -> None:
    """Fill one block. A vertex is worth the weight of its edges that reach the block, less that of those that do not."""
    inside: dict[int, int] = {}
    drawn: dict[int, float] = {}
    frontier: list[tuple[float, int, int]] = []
    for _place in range(capacity):
        vertex = _nearest(frontier, blocks)
        if vertex is None:
            vertex = _start(incident, hypergraph, starts, blocks, rank)
        if vertex is None:
            return
        blocks[vertex] = block
        touched = set()
        for number in incident[vertex]:
            pins, before = hypergraph.edges[number], inside.get(number, 0)
            inside[number] = before + 1
            if before and len(pins) > _LARGE_EDGE:
                continue
            pull = hypergraph.weights[number] * (1.0 if not before else 1.0 / len(pins))
            for pin in pins:
                if blocks[pin] < 0:
                    drawn[pin] = drawn.get(pin, 0.0) + pull
                    touched.add(pin)
        for pin in touched:
            heapq.heappush(frontier, (whole[pin] - 2 * drawn[pin], rank[pin], pin))


def _nearest(frontier: list[tuple[float, int, int]], blocks: list[int]) -> int | None:
    """Take the vertex of the frontier with the lowest cost. Its older entries, which are dearer, are dropped when they come up."""
    while frontier:
        _cost, _rank, vertex = heapq.heappop(frontier)
        if blocks[vertex] < 0:
            return vertex
    return None


def _start(incident: list[list[int]], hypergraph: Hypergraph, starts: list[int], blocks: list[int], rank: list[int]) -> int | None:
    """Return a free vertex from which to grow: one at the rim of what is left, among a few."""
    while starts and blocks[starts[-1]] >= 0:
        starts.pop()
    free = [vertex for vertex in starts[-_LARGE_EDGE:] if blocks[vertex] < 0]

    def left(vertex: int) -> int:
        return sum(hypergraph.weights[number] for number in incident[vertex] if any(blocks[pin] < 0 and pin != vertex for pin in hypergraph.edges[number]))

    return min(free, key=lambda vertex: (left(vertex), rank[vertex]), default=None)
