# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Next hops by shortest paths. The length of a path is the number of substrates crossed, or their cost if costs differ.

Of equally short paths, the one by the neighbour whose name comes first is taken, then by the substrate whose name comes first. Names
compare as plain strings.

Routers and substrates form a bipartite graph. Its fringe consists of trees that hang on the rest by one vertex. The fringe is peeled
off first, because it offers no choice of path. The vertices behind a vertex of it are one stretch of a tour of the tree. The
remaining core is solved for all routers at once (``bitset_paths.py``), or by cost (``weighted.py``).
"""

from __future__ import annotations

from collections.abc import Iterator

from .bitset_paths import Core
from .network import Network
from .weighted import WeightedCore

Stretch = tuple[int, int]
Group = tuple[tuple[int, int], list[Stretch]]


class Paths:
    """The next hops of one network.

    routers     names of the nodes on two or more substrates, sorted
    substrates  names of the substrates with a subnet, sorted
    tour        substrate numbers, ordered so that the substrates behind a neighbour are a few stretches of it
    components  [(begin, end)] of each connected component in the tour

    Routers and substrates are numbered by their place in these lists. A vertex is a router's number, or ``len(routers)`` plus a
    substrate's.
    """

    def __init__(self, network: Network):
        self.substrates = sorted(network.subnets)
        number = {name: index for index, name in enumerate(self.substrates)}
        on = {
            node: sorted({number[a.substrate] for a in attachments if a.address is not None and a.substrate in number})
            for node, attachments in network.nodes.items()
        }
        self.routers = sorted(node for node, substrates in on.items() if len(substrates) > 1)
        self._first = len(self.routers)
        self._near: list[list[int]] = [[self._first + s for s in on[router]] for router in self.routers]
        self._near.extend([] for _substrate in self.substrates)
        for router in range(self._first):
            for vertex in self._near[router]:
                self._near[vertex].append(router)
        self._parent, self._is_core = _peel(self._near)
        self._children = _children(self._parent)
        self.tour: list[int] = []
        self.components: list[Stretch] = []
        self._stretch: list[Stretch] = [(0, 0)] * len(self._near)
        self._component = [0] * len(self._near)
        self._walk()
        costs = [network.costs.get(name, 1) for name in self.substrates]
        alike = len({cost for cost, is_core in zip(costs, self._is_core[self._first:], strict=True) if is_core}) < 2
        core = (self._near, self._first, self._is_core, self._stretch)
        self._core = Core(*core) if alike else WeightedCore(*core, costs)

    def component_of(self, substrate: int) -> int:
        """Return the number of the component that a substrate is in."""
        return self._component[self._first + substrate]

    def connected(self, router: int) -> list[int]:
        """Return the substrates that a router is on."""
        return [vertex - self._first for vertex in self._near[router]]

    def from_router(self, router: int) -> list[Group]:
        """Return [((neighbour router, shared substrate), stretches of the tour it leads to)] for a router, without its connected substrates."""
        groups = []
        for vertex in self._near[router]:
            if self._parent[vertex] == router or self._is_core[vertex]:
                groups.extend(self._downward(vertex, router))
        if self._is_core[router]:
            groups.extend(self._hops(self._core.from_vertex(router)))
        elif self._parent[router] >= 0:
            if not self._is_core[self._parent[router]]:
                groups.extend(self._downward(self._parent[router], router))
            groups.extend(self._upward(self._parent[router]))
        return groups

    def from_substrate(self, substrate: int) -> list[Group]:
        """Return the same for a node that is on this substrate only."""
        vertex = self._first + substrate
        return [*self._downward(vertex, -1), *self._upward(vertex)]

    def _downward(self, substrate: int, asking: int) -> list[Group]:
        """Return the hops through the routers that hang on a substrate, except the router ``asking``."""
        return [((child, substrate - self._first), [self._stretch[child]]) for child in self._children[substrate] if child != asking]

    def _upward(self, substrate: int) -> list[Group]:
        """Return the hops from a substrate to every destination that does not hang on it."""
        if self._is_core[substrate]:
            return self._hops(self._core.from_vertex(substrate))
        if self._parent[substrate] < 0:
            return []
        begin, end = self.components[self._component[substrate]]
        here, there = self._stretch[substrate]
        rest = [stretch for stretch in ((begin, here), (there, end)) if stretch[0] < stretch[1]]
        return [((self._parent[substrate], substrate - self._first), rest)]

    def _hops(self, groups: list[Group]) -> list[Group]:
        return [((router, substrate - self._first), stretches) for (router, substrate), stretches in groups]

    def _walk(self) -> None:
        """Lay out the tour: component after component, in each the trees that hang on its roots."""
        for vertices in _components(self._near, self._parent, self._is_core):
            begin = len(self.tour)
            for root in vertices:
                self._tour_tree(root, len(self.components))
            self.components.append((begin, len(self.tour)))

    def _tour_tree(self, root: int, component: int) -> None:
        begins: dict[int, int] = {}
        waiting = [root]
        while waiting:
            vertex = waiting.pop()
            if vertex in begins:
                self._stretch[vertex] = (begins[vertex], len(self.tour))
                continue
            begins[vertex] = len(self.tour)
            self._component[vertex] = component
            if vertex >= self._first:
                self.tour.append(vertex - self._first)
            waiting.append(vertex)
            waiting.extend(reversed(self._children[vertex]))


def _peel(near: list[list[int]]) -> tuple[list[int], list[bool]]:
    """Return (parent of every fringe vertex, -1 without one; whether each vertex is in the core).

    Vertices with at most one neighbour left are removed until there are none.
    """
    degrees = [len(vertices) for vertices in near]
    parent, left = [-1] * len(near), [True] * len(near)
    waiting = [vertex for vertex, degree in enumerate(degrees) if degree <= 1]
    for vertex in waiting:
        left[vertex] = False
        for neighbour in near[vertex]:
            if left[neighbour]:
                parent[vertex] = neighbour
                degrees[neighbour] -= 1
                if degrees[neighbour] == 1:
                    waiting.append(neighbour)
    return parent, left


def _children(parent: list[int]) -> list[list[int]]:
    children: list[list[int]] = [[] for _vertex in parent]
    for vertex, above in enumerate(parent):
        if above >= 0:
            children[above].append(vertex)
    return children


def _components(near: list[list[int]], parent: list[int], is_core: list[bool]) -> Iterator[list[int]]:
    """Iterate over the roots of every component: one fringe vertex without a parent, or all vertices of a core."""
    seen = [False] * len(near)
    for vertex in range(len(near)):
        if seen[vertex] or parent[vertex] >= 0:
            continue
        seen[vertex] = True
        roots = [vertex]
        for root in roots if is_core[vertex] else ():
            for neighbour in near[root]:
                if is_core[neighbour] and not seen[neighbour]:
                    seen[neighbour] = True
                    roots.append(neighbour)
        yield roots
