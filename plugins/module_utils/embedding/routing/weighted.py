# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cheapest paths in the core of a network whose substrates have different costs, by Dijkstra's algorithm from each requested vertex.

With equal costs, ``bitset_paths.py`` gives the same result. It is faster, since it solves all vertices at once.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class WeightedCore:
    """The next hops between vertices of the core. See ``shortest.Paths`` for the numbering of vertices.

    near     neighbours of every vertex, ascending
    first    the number of the first substrate; the vertices below it are routers
    is_core  of every vertex
    stretch  for every vertex, the stretch (begin, end) of the tour that holds its whole tree
    costs    of every substrate, by its number; whole numbers, at least 1
    """

    def __init__(self, near: list[list[int]], first: int, is_core: list[bool], stretch: list[tuple[int, int]], costs: list[int]):
        self._first = first
        self._costs = costs
        self._stretch = stretch
        self._near = {vertex: [other for other in near[vertex] if is_core[other]] for vertex in range(len(near)) if is_core[vertex]}

    def from_vertex(self, vertex: int) -> list[tuple[tuple[int, int], list[tuple[int, int]]]]:
        """Return [((neighbour router, shared substrate), stretches it leads to)] from a router, or from a node that is only on one substrate."""
        connected = self._near[vertex] if vertex < self._first else [vertex]
        hops = sorted((other, substrate) for substrate in connected for other in self._near[substrate] if other != vertex)
        leads: list[list[tuple[int, int]]] = [[] for _hop in hops]
        for target, number in self._first_hops(vertex, connected, hops):
            begin, end = self._stretch[target]
            if begin < end:
                leads[number].append((begin, end))
        return [(hop, found) for hop, found in zip(hops, leads, strict=True) if found]

    def _first_hops(self, vertex: int, connected: list[int], hops: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Iterate over (vertex, number of the hop that leads to it) of every vertex that is not connected.

        At equal cost, routers leave the heap before substrates, since their numbers are lower. Of two paths to one vertex, the path by the
        hop with the lower number leaves it first. All paths to a vertex are known before its turn, because every cost is above 0.
        """
        first, near, costs = self._first, self._near, self._costs
        done = {vertex, *connected}
        heap = [(costs[substrate - first], other, number) for number, (other, substrate) in enumerate(hops)]
        heapq.heapify(heap)
        while heap:
            distance, here, number = heapq.heappop(heap)
            if here in done:
                continue
            done.add(here)
            yield here, number
            further = distance if here < first else distance + costs[here - first]
            for other in near[here]:
                if other not in done:
                    heapq.heappush(heap, (further, other, number))
