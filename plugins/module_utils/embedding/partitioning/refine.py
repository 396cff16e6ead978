# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Improvement of a partition by moving one vertex after the other: a tabu search.

A multilevel solver gets the large structure right, but misses the last tenth of the cut if blocks are full, as they are here.
Then no vertex can move unless another one makes room. So a block may have one vertex too many for a few steps, until a chain of moves
ends in a block with room. A vertex that has moved stays for a while, so that the search leaves local minima. Deterministic for its
seed.
"""

from __future__ import annotations

import random

from .hypergraph import Hypergraph, incidence

_LONGEST_CHAIN = 4
_NEVER = -(1 << 60)


def refined(hypergraph: Hypergraph, blocks: list[int], capacities: list[int], steps: int, seed: int = 0) -> list[int]:
    """Return the best partition found within ``steps`` moves. It is never worse than ``blocks``.

    blocks      the block of each vertex
    capacities  the most vertices in each block, which ``blocks`` keeps to
    """
    search = _Search(hypergraph, blocks, capacities, seed)
    best, least = list(blocks), 0
    cost = 0
    for step in range(steps):
        move = search.relief() if search.overfull is not None else search.best_move(step, least - cost)
        if move is None:
            break
        vertex, target = move
        cost -= search.move(vertex, target, step)
        if search.overfull is None and cost < least:
            best, least = list(search.blocks), cost
    return best


class _Search:
    """A partition, with the gain of moving each vertex.

    inside    for each edge {block: how many of its pins are there}
    gain      of each vertex's best move to another block that one of its edges reaches, _NEVER when none does
    target    that block
    overfull  the block with one vertex too many, None when all keep to their capacity
    """

    def __init__(self, hypergraph: Hypergraph, blocks: list[int], capacities: list[int], seed: int):
        self.random = random.Random(seed)
        self.blocks, self.capacities = list(blocks), capacities
        self.pins, self.weights = hypergraph.edges, hypergraph.weights
        self.incident = incidence(hypergraph)
        self.whole = [sum(self.weights[number] for number in numbers) for numbers in self.incident]
        self.members: list[set[int]] = [set() for _capacity in capacities]
        self.inside: list[dict[int, int]] = [{} for _edge in self.pins]
        for vertex, block in enumerate(blocks):
            self.members[block].add(vertex)
            for number in self.incident[vertex]:
                self.inside[number][block] = self.inside[number].get(block, 0) + 1
        self.gain, self.target = [_NEVER] * len(blocks), [0] * len(blocks)
        self.stays_until = [0] * len(blocks)
        self.overfull: int | None = None
        self.chain = 0
        for vertex in range(len(blocks)):
            self._value(vertex)

    def best_move(self, step: int, wanted: int) -> tuple[int, int] | None:
        """Return (vertex, block) of the best move, None if no vertex can move.

        A vertex that has moved recently is considered only if its move gains more than ``-wanted`` and its target has room. The partition
        is then the best so far. If no vertex qualifies, the one that may move soonest is taken.
        """
        best = _NEVER
        found: list[int] = []
        stays, target, blocks = self.stays_until, self.target, self.blocks
        for vertex, gain in enumerate(self.gain):
            if gain >= best and gain > _NEVER and (stays[vertex] <= step or (gain > -wanted and self._has_room(target[vertex]))):
                if gain > best:
                    best, found = gain, []
                found.append(vertex)
        if not found:
            waiting = [vertex for vertex, gain in enumerate(self.gain) if gain > _NEVER]
            found = [min(waiting, key=lambda vertex: (stays[vertex], blocks[vertex], vertex))] if waiting else []
        if not found:
            return None
        vertex = found[self.random.randrange(len(found))] if len(found) > 1 else found[0]
        return vertex, target[vertex]

    def relief(self) -> tuple[int, int]:
        """Return (vertex, block) of the best move out of the overfull block: to a block with room, or further along the chain."""
        room = [block for block in range(len(self.capacities)) if self._has_room(block)]
        best = _NEVER
        found: list[tuple[int, int]] = []
        newest = self.newest
        for vertex in sorted(self.members[self.overfull] if self.overfull is not None else ()):
            if vertex == newest:
                continue
            reach, left = self._reach(vertex)
            anywhere = room if self.chain >= _LONGEST_CHAIN else {*room, *reach}
            for block in sorted(anywhere):
                gain = left + reach.get(block, 0)
                if gain > best:
                    best, found = gain, []
                if gain == best:
                    found.append((vertex, block))
        return found[self.random.randrange(len(found))] if len(found) > 1 else found[0]

    def move(self, vertex: int, target: int, step: int) -> int:
        """Move ``vertex`` to the block ``target``. Return the gain."""
        source = self.blocks[vertex]
        touched, gained = {vertex}, 0
        for number in self.incident[vertex]:
            inside = self.inside[number]
            left, come = inside[source] - 1, inside.get(target, 0) + 1
            if left:
                inside[source] = left
            else:
                del inside[source]
                gained += self.weights[number]
            inside[target] = come
            if come == 1:
                gained -= self.weights[number]
            if left < 2 or come < 3:
                touched.update(self.pins[number])
        self.blocks[vertex] = target
        self.members[source].remove(vertex)
        self.members[target].add(vertex)
        self.newest = vertex
        self.stays_until[vertex] = step + 4 + self.random.randrange(4 + len(self.blocks) // 10)
        self.overfull = target if len(self.members[target]) > self.capacities[target] else None
        self.chain = self.chain + 1 if self.overfull is not None else 0
        for other in touched:
            self._value(other)
        return gained

    def _has_room(self, block: int) -> bool:
        return len(self.members[block]) < self.capacities[block]

    def _reach(self, vertex: int) -> tuple[dict[int, int], int]:
        """Return ({other block: weight of the vertex's edges that reach it already}, the gain of a move to a block that none of them reaches)."""
        own = self.blocks[vertex]
        reach: dict[int, int] = {}
        left = -self.whole[vertex]
        for number in self.incident[vertex]:
            weight = self.weights[number]
            for block, count in self.inside[number].items():
                if block != own:
                    reach[block] = reach.get(block, 0) + weight
                elif count == 1:
                    left += weight
        return reach, left

    def _value(self, vertex: int) -> None:
        reach, left = self._reach(vertex)
        if reach:
            most = max(reach.values())
            self.gain[vertex] = left + most
            self.target[vertex] = min(block for block, weight in reach.items() if weight == most)
        else:
            self.gain[vertex] = _NEVER


def repaired(hypergraph: Hypergraph, blocks: list[int], capacities: list[int]) -> list[int]:
    """Return the partition with every block within its capacity. Surplus vertices move where that costs least."""
    sizes = [0] * len(capacities)
    for block in blocks:
        sizes[block] += 1
    if all(size <= capacity for size, capacity in zip(sizes, capacities, strict=True)):
        return blocks
    incident = incidence(hypergraph)

    def pull(vertex: int, target: int) -> int:
        edges = ((hypergraph.edges[number], hypergraph.weights[number]) for number in incident[vertex])
        return sum(weight for edge, weight in edges if any(blocks[pin] == target for pin in edge if pin != vertex))

    for block, capacity in enumerate(capacities):
        while sizes[block] > capacity:
            free = [target for target in range(len(capacities)) if sizes[target] < capacities[target]]
            inside = [vertex for vertex in range(hypergraph.vertices) if blocks[vertex] == block]
            vertex, target = max(((v, t) for v in inside for t in free), key=lambda move: pull(*move) - pull(move[0], block))
            blocks[vertex] = target
            sizes[block] -= 1
            sizes[target] += 1
    return blocks
