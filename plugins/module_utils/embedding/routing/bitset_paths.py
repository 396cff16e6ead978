# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shortest paths in the core of a network, for all routers at once.

A set of destinations is an integer with one bit for each. A step carries the set of destinations at a given distance across one
more substrate. The next hop to a destination is the first neighbour, in order of names, that had it in the previous step.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress

_ZERO_ONE = bytes.maketrans(b"01", b"\0\1")


class Core:
    """The next hops between vertices of the core. See ``shortest.Paths`` for the numbering of vertices.

    near     neighbours of every vertex, ascending
    first    the number of the first substrate; the vertices below it are routers
    is_core  of every vertex
    stretch  for every vertex, the stretch (begin, end) of the tour that holds its whole tree
    """

    def __init__(self, near: list[list[int]], first: int, is_core: list[bool], stretch: list[tuple[int, int]]):
        self._routers = [vertex for vertex in range(first) if is_core[vertex]]
        self._substrates = [vertex for vertex in range(first, len(near)) if is_core[vertex]]
        targets = [vertex for vertex in (*self._routers, *self._substrates) if stretch[vertex][0] < stretch[vertex][1]]
        self._bit = {vertex: 1 << place for place, vertex in enumerate(targets)}
        self._stretches = [stretch[vertex] for vertex in targets]
        self._near = {vertex: [other for other in near[vertex] if is_core[other]] for vertex in (*self._routers, *self._substrates)}
        self._beside = {router: self._neighbours(router) for router in self._routers}
        self._beside.update({substrate: [(router, substrate) for router in self._near[substrate]] for substrate in self._substrates})
        self._leads: dict[int, dict[tuple[int, int], int]] = {vertex: {} for vertex in self._near}
        self._solve()

    def from_vertex(self, vertex: int) -> list[tuple[tuple[int, int], list[tuple[int, int]]]]:
        """Return [((neighbour router, shared substrate), stretches it leads to)] from a router, or from a node that is only on one substrate."""
        return [(hop, self._stretches_of(targets)) for hop, targets in self._leads[vertex].items()]

    def _neighbours(self, router: int) -> list[tuple[int, int]]:
        """Return (router, substrate) of every neighbour, by name. Vertices are numbered in order of names."""
        return sorted((other, substrate) for substrate in self._near[router] for other in self._near[substrate] if other != router)

    def _solve(self) -> None:
        exact = {router: self._own(router) for router in self._routers}
        known = dict(exact)
        known.update({substrate: self._bit[substrate] for substrate in self._substrates})
        moving = bool(self._routers)
        while moving:
            heard = {substrate: _union(exact[router] for router in self._near[substrate]) for substrate in self._substrates}
            further: dict[int, int] = {}
            moving = False
            for router in self._routers:
                fresh = _union(heard[substrate] for substrate in self._near[router]) & ~known[router]
                further[router] = fresh
                if fresh:
                    moving = True
                    known[router] |= fresh
                    self._lead(router, fresh, exact)
            for substrate in self._substrates:
                fresh = heard[substrate] & ~known[substrate]
                if fresh:
                    known[substrate] |= fresh
                    self._lead(substrate, fresh, exact)
            exact = further

    def _own(self, router: int) -> int:
        return _union(self._bit[substrate] for substrate in self._near[router]) | self._bit.get(router, 0)

    def _lead(self, vertex: int, fresh: int, exact: dict[int, int]) -> None:
        leads = self._leads[vertex]
        for hop in self._beside[vertex]:
            found = fresh & exact[hop[0]]
            if found:
                leads[hop] = leads.get(hop, 0) | found
                fresh ^= found
                if not fresh:
                    return

    def _stretches_of(self, targets: int) -> list[tuple[int, int]]:
        digits = bin(targets)[:1:-1].encode().translate(_ZERO_ONE)
        return list(compress(self._stretches, digits))


def _union(sets: Iterable[int]) -> int:
    whole = 0
    for targets in sets:
        whole |= targets
    return whole
