# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packing the vertices of a hypergraph into as few blocks as possible with as little cut as possible.

The rest calls ``pack`` and ``split``. Mt-KaHyPar solves (solver.py); where it cannot be used, blocks grow (growing.py). Both solutions are refined.
The same hypergraph, packing and seed give the same blocks, on any number of processors.
"""

from __future__ import annotations

from collections import defaultdict

from .growing import grown
from .hypergraph import Hypergraph, connectivity, incidence
from .refine import refined, repaired
from .solver import SolverError, solutions

_SPARE_BLOCKS = 4  # full blocks of interchangeable vertices that are left to the solver
_TRY_PINS = 4000  # a solution with this many pins takes about a second
_REFINED = 4  # the number of solutions that are refined
_STEPS_PER_VERTEX = 40  # for one solution of a small hypergraph
_MOST_STEPS = 6000
_STEP_VERTICES = 6_000_000  # for a large hypergraph: steps times vertices, because a step looks at every vertex


def pack(hypergraph: Hypergraph, packing: int, seed: int = 0, failures: list[str] | None = None) -> list[int]:
    """Return the block of every vertex: ⌈vertices / packing⌉ blocks, none above ``packing``, numbered by lowest vertex.

    Minimises ``connectivity``. If Mt-KaHyPar is needed and cannot be used, the reason is added to ``failures``, and the cut is larger.
    """
    return _fill(hypergraph, [packing] * -(-hypergraph.vertices // packing), seed, failures)


def split(hypergraph: Hypergraph, parts: int, seed: int = 0, failures: list[str] | None = None) -> list[int]:
    """Return the block of every vertex, for exactly ``parts`` blocks whose sizes differ by one at most. Otherwise as ``pack``.

    If there are fewer vertices than ``parts``, there are as many blocks as vertices.
    """
    parts = min(parts, hypergraph.vertices)
    least, larger = divmod(hypergraph.vertices, parts) if parts else (0, 0)
    return _fill(hypergraph, [least + (number < larger) for number in range(parts)], seed, failures)


def _fill(hypergraph: Hypergraph, capacities: list[int], seed: int, failures: list[str] | None) -> list[int]:
    """Return the block of every vertex. Each block has at most its capacity.

    capacities  of the blocks, descending; every block is needed to hold the vertices
    """
    aside, rest, capacities = _set_aside(hypergraph, capacities)
    blocks = [-1] * hypergraph.vertices
    for number, full in enumerate(aside):
        for vertex in full:
            blocks[vertex] = number
    found = _solve_best(_induced(hypergraph, rest), capacities, seed, [] if failures is None else failures)
    for vertex, block in zip(rest, found, strict=True):
        blocks[vertex] = len(aside) + block
    return _renumbered(blocks)


def _set_aside(hypergraph: Hypergraph, capacities: list[int]) -> tuple[list[list[int]], list[int], list[int]]:
    """(full blocks of interchangeable vertices, the vertices that are left, their capacities).

    Vertices with the same edges, such as the plain members of a large LAN, are best packed together.
    The solver would find that out only slowly.
    """
    if len(capacities) <= 1 or capacities[0] == 1:
        return [], list(range(hypergraph.vertices)), capacities
    twins: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for vertex, signature in enumerate(incidence(hypergraph)):
        twins[tuple(signature)].append(vertex)
    aside: list[list[int]] = []
    first = 0
    for group in twins.values():
        while first < len(capacities) and len(group) >= (_SPARE_BLOCKS + 1) * capacities[first]:
            aside.append(group[:capacities[first]])
            del group[:capacities[first]]
            first += 1
    gone = {vertex for block in aside for vertex in block}
    return aside, [vertex for vertex in range(hypergraph.vertices) if vertex not in gone], capacities[first:]


def _induced(hypergraph: Hypergraph, vertices: list[int]) -> Hypergraph:
    if len(vertices) == hypergraph.vertices:
        return hypergraph
    place = {vertex: number for number, vertex in enumerate(vertices)}
    edges = [tuple(place[pin] for pin in edge if pin in place) for edge in hypergraph.edges]
    kept = [(edge, weight) for edge, weight in zip(edges, hypergraph.weights, strict=True) if len(edge) > 1]
    return Hypergraph(len(vertices), tuple(edge for edge, _w in kept), tuple(weight for _e, weight in kept))


def _solve_best(hypergraph: Hypergraph, capacities: list[int], seed: int, failures: list[str]) -> list[int]:
    """Return the best of a few solutions, as many as a few seconds allow."""
    if len(capacities) <= 1:
        return [0] * hypergraph.vertices
    hypergraph = _without_constant_edges(hypergraph)
    if not hypergraph.edges or capacities[0] == 1:
        return [block for block, capacity in enumerate(capacities) for _place in range(capacity)][:hypergraph.vertices]
    tries = max(1, min(8, 2 * _TRY_PINS // sum(len(edge) for edge in hypergraph.edges)))
    found = dict.fromkeys(map(tuple, _solved(hypergraph, capacities, [seed * 8 + attempt for attempt in range(tries)], failures)))
    best = sorted((list(blocks) for blocks in found), key=lambda blocks: connectivity(hypergraph, blocks))[:_REFINED]
    steps = min(_STEPS_PER_VERTEX * hypergraph.vertices, _MOST_STEPS, _STEP_VERTICES // hypergraph.vertices)
    solutions = [refined(hypergraph, blocks, capacities, steps, seed) for blocks in best]
    return min(solutions, key=lambda blocks: connectivity(hypergraph, blocks))


def _without_constant_edges(hypergraph: Hypergraph) -> Hypergraph:
    """Return the hypergraph without the edges that join all vertices. Such an edge reaches every block of any partition."""
    kept = [(edge, weight) for edge, weight in zip(hypergraph.edges, hypergraph.weights, strict=True) if len(edge) < hypergraph.vertices]
    return Hypergraph(hypergraph.vertices, tuple(edge for edge, _w in kept), tuple(weight for _e, weight in kept))


def _solved(hypergraph: Hypergraph, capacities: list[int], seeds: list[int], failures: list[str]) -> list[list[int]]:
    """Return a solution for each seed, within the capacities. Once Mt-KaHyPar has failed, it is not tried again."""
    if not failures:
        try:
            return [repaired(hypergraph, blocks, capacities) for blocks in solutions(hypergraph, capacities, seeds)]
        except SolverError as exc:
            failures.append(str(exc))
    return [grown(hypergraph, capacities, seed) for seed in seeds]


def _renumbered(blocks: list[int]) -> list[int]:
    numbers: dict[int, int] = {}
    return [numbers.setdefault(block, len(numbers)) for block in blocks]
