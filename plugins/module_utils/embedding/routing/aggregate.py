# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest set of prefixes that sends every subnet to its next hop.

The algorithm is ORTC (Draves, King, Venkatachary, Zill: Constructing optimal IP routing tables, 1999) on a path-compressed binary
trie of the experiment's subnets. A route may cover unused addresses, which saves most of the prefixes. No route covers unreachable
subnets or addresses outside the experiment's address space.
"""

from __future__ import annotations

import bisect
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..addressing.subnets import dotted, netmask, private_block

_Item = tuple[int, int, int, int]  # (first address, prefix length, component, rank) of a leaf; -1 and -1 of what must not be covered
_UNIFORM = 1  # lowest bit of a set of hops: nothing below this node wants anything else


@dataclass
class Forest:
    """The trie of one component's subnets, as arrays.

    Nodes 0 … leaves-1 are the subnets as they were given; then come inner nodes, children before parents.

    children  (left, right) of inner node ``leaves + i``
    parents   of every node, -1 for a root
    prefixes  of every node as text; a root's is the widest that covers no foreign address
    """

    leaves: int
    children: list[tuple[int, int]] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)

    def table(self, groups: Sequence[Iterable[int]], connected: Iterable[int], default: int) -> list[tuple[str, int]]:
        """Return the routes [(prefix, number of its group)] that send every leaf to its group.

        groups     leaves of each next hop; those of ``default`` are ignored: it has all leaves that no other group has
        connected  leaves that need no route
        """
        bits = [1 << (number + 1) for number in range(len(groups))]
        hops = [bits[default] | _UNIFORM] * (self.leaves + len(self.children))
        changed: list[int] = []
        for number, leaves in enumerate(groups):
            if number != default:
                hop = bits[number] | _UNIFORM
                for leaf in leaves:
                    hops[leaf] = hop
                changed.extend(leaves)
        anything = (1 << (len(groups) + 2)) - 1  # one bit more than all hops
        for leaf in connected:
            hops[leaf] = anything
            changed.append(leaf)
        self._merge(hops, changed)
        return [(self.prefixes[node], hop.bit_length() - 2) for node, hop in self._choose(hops, anything, bits[default])]

    def _merge(self, hops: list[int], changed: list[int]) -> None:
        """Give every inner node above a changed leaf its best hops: those common to both children, else those of either child."""
        leaves, children = self.leaves, self.children
        for node in self._above(changed):
            left, right = children[node - leaves]
            one, other = hops[left], hops[right]
            both = one & other
            hops[node] = both if both > _UNIFORM else (one | other) & ~_UNIFORM

    def _above(self, changed: list[int]) -> Iterable[int]:
        """Return the inner nodes above the leaves ``changed``, children before parents. It may return all inner nodes."""
        if len(changed) * 4 > self.leaves:
            return range(self.leaves, self.leaves + len(self.children))
        parents = self.parents
        found: set[int] = set()
        for node in changed:
            node = parents[node]
            while node >= 0 and node not in found:
                found.add(node)
                node = parents[node]
        return sorted(found)

    def _choose(self, hops: list[int], anything: int, preferred: int) -> list[tuple[int, int]]:
        """Return the routes [(node, hop)]. From the roots down, add a route at each node that the inherited hop does not serve."""
        routes = []
        waiting = [(root, 0) for root in reversed(self.roots)]
        while waiting:
            node, inherited = waiting.pop()
            wanted = hops[node]
            if not wanted & inherited:
                if wanted == anything:
                    continue
                candidates = wanted & ~_UNIFORM
                inherited = candidates & preferred or candidates & -candidates
                routes.append((node, inherited))
            if not wanted & _UNIFORM:
                left, right = self.children[node - self.leaves]
                waiting.append((right, inherited))
                waiting.append((left, inherited))
        return routes


@dataclass(frozen=True)
class _Node:
    """A trie node under construction. ``component`` is None for a node above leaves of several components."""

    start: int
    length: int
    component: int | None
    leaf: int = -1
    sides: tuple[_Node, ...] = ()


def forests(subnets: list[tuple[int, int]], components: list[int], base: str, avoid: tuple[str, ...] = ()) -> list[Forest]:
    """Return the forest of every component.

    subnets     (first address, prefix length) of each leaf; none overlaps another
    components  of each leaf, numbered from 0; a leaf's number within its forest is its rank among the
                component's leaves in this order
    base        address_base of the settings
    avoid       prefixes that must not be covered
    """
    ranks, sizes = _ranks(components)
    items = [(start, length, component, rank) for (start, length), component, rank in zip(subnets, components, ranks, strict=True)]
    for text in avoid:
        network = ipaddress.IPv4Network(text)
        items.append((int(network.network_address), network.prefixlen, -1, -1))
    items.sort()
    found = [Forest(size, parents=[-1] * size, prefixes=[""] * size) for size in sizes]
    for space in address_space(subnets, base):
        _grow(found, items, space)
    return found


def address_space(subnets: list[tuple[int, int]], base: str) -> list[ipaddress.IPv4Network]:
    """Return the experiment's address space as prefixes. It never contains 0.0.0.0/0.

    Within each private block it is the smallest prefix around the experiment's subnets, or ``base`` if that prefix lies inside it.
    Of public addresses it is exactly the subnets in use.
    """
    networks = [ipaddress.IPv4Network((start, length)) for start, length in sorted(subnets)]
    blocks: dict[ipaddress.IPv4Network, list] = {}
    public = []
    for network in networks:
        block = private_block(network)
        blocks.setdefault(block, []).append(network) if block else public.append(network)
    spaces = [_around(inside, ipaddress.IPv4Network(base)) for inside in blocks.values()]
    return sorted([*spaces, *ipaddress.collapse_addresses(public)])


def _around(networks: list[ipaddress.IPv4Network], base: ipaddress.IPv4Network) -> ipaddress.IPv4Network:
    space = networks[0]
    while not networks[-1].subnet_of(space):
        space = space.supernet()
    return base if space.subnet_of(base) else space


def _ranks(components: list[int]) -> tuple[list[int], list[int]]:
    sizes: list[int] = [0] * (max(components, default=-1) + 1)
    ranks = []
    for component in components:
        ranks.append(sizes[component])
        sizes[component] += 1
    return ranks, sizes


def _grow(found: list[Forest], items: list[_Item], space: ipaddress.IPv4Network) -> None:
    """Add the parts of an address space's trie that belong to a single component to that component's forest."""
    low = bisect.bisect_left(items, (int(space.network_address),))
    high = bisect.bisect_left(items, (int(space.broadcast_address) + 1,))
    if low == high:
        return
    top = _trie(items, [item[0] for item in items], low, high)
    if top.component is not None:  # the whole space belongs to one component
        if top.component >= 0:
            forest = found[top.component]
            forest.prefixes[_plant(forest, top)] = str(space)
        return
    waiting = [top]
    while waiting:
        node = waiting.pop()
        if node.component is None:
            waiting.extend(reversed(node.sides))
        elif node.component >= 0:
            _plant(found[node.component], node)


def _trie(items: list[_Item], starts: list[int], low: int, high: int) -> _Node:
    start, length, leaf_component, rank = items[low]
    if high - low == 1:
        return _Node(start, length, leaf_component, rank)
    size = (start ^ items[high - 1][0]).bit_length()
    top = start & netmask(32 - size)
    middle = bisect.bisect_left(starts, top | 1 << (size - 1), low, high)
    sides = (_trie(items, starts, low, middle), _trie(items, starts, middle, high))
    component = sides[0].component if sides[0].component == sides[1].component else None
    return _Node(top, 32 - size, component, sides=sides)


def _plant(forest: Forest, root: _Node) -> int:
    number = _number(forest, root)
    forest.roots.append(number)
    return number


def _number(forest: Forest, node: _Node) -> int:
    prefix = f"{dotted(node.start)}/{node.length}"
    if not node.sides:
        forest.prefixes[node.leaf] = prefix
        return node.leaf
    left, right = (_number(forest, side) for side in node.sides)
    number = forest.leaves + len(forest.children)
    forest.children.append((left, right))
    forest.parents[left] = forest.parents[right] = number
    forest.parents.append(-1)
    forest.prefixes.append(prefix)
    return number
