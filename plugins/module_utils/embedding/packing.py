# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packing the vertices of a hypergraph into as few blocks as possible with as little cut as possible.

The one place that knows Mt-KaHyPar; ``pack`` is what the rest calls, and what a replacement replaces.
The same hypergraph, packing and seed give the same blocks, on any number of processors.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from ..errors import BenitoError

try:
    import mtkahypar
except ImportError as exc:
    mtkahypar = None
    IMPORT_ERROR = exc
else:
    IMPORT_ERROR = None

_SPARE_BLOCKS = 4  # of interchangeable vertices, left to the solver
_TRY_PINS = 4000  # a solution of so many pins takes about a second


@dataclass(frozen=True)
class Hypergraph:
    """vertices of weight 1, numbered from 0; ``edges`` are tuples of vertices, ``weights`` one integer ≥ 1 for each."""

    vertices: int
    edges: tuple[tuple[int, ...], ...] = ()
    weights: tuple[int, ...] = ()


def pack(hypergraph: Hypergraph, packing: int, seed: int = 0) -> list[int]:
    """The block of every vertex: ⌈vertices / packing⌉ blocks, none above ``packing``, numbered by lowest vertex.

    Minimises ``connectivity``. Raises BenitoError when Mt-KaHyPar is needed and not installed.
    """
    count = hypergraph.vertices
    if packing >= count:
        return [0] * count
    if packing == 1:
        return list(range(count))
    aside, rest = _set_aside(hypergraph, packing)
    blocks = [-1] * count
    for number, block in enumerate(aside):
        for vertex in block:
            blocks[vertex] = number
    for vertex, block in zip(rest, _solve_best(_induced(hypergraph, rest), packing, seed), strict=True):
        blocks[vertex] = len(aside) + block
    return _renumbered(blocks)


def connectivity(hypergraph: Hypergraph, blocks: list[int]) -> int:
    """The objective km1: for every edge its weight times the number of further blocks it reaches."""
    return sum(weight * (len({blocks[pin] for pin in edge}) - 1) for edge, weight in zip(hypergraph.edges, hypergraph.weights, strict=True))


def _set_aside(hypergraph, packing):
    """(full blocks of interchangeable vertices, the vertices that are left).

    Vertices with the same edges, such as the plain members of a large LAN, are best packed together;
    the solver is slow where it has to find that out.
    """
    signatures: list[list[int]] = [[] for _vertex in range(hypergraph.vertices)]
    for number, edge in enumerate(hypergraph.edges):
        for pin in edge:
            signatures[pin].append(number)
    twins = defaultdict(list)
    for vertex, signature in enumerate(signatures):
        twins[tuple(signature)].append(vertex)
    aside = []
    for group in twins.values():
        while len(group) >= (_SPARE_BLOCKS + 1) * packing:
            aside.append(group[:packing])
            del group[:packing]
    gone = {vertex for block in aside for vertex in block}
    return aside, [vertex for vertex in range(hypergraph.vertices) if vertex not in gone]


def _induced(hypergraph, vertices):
    if len(vertices) == hypergraph.vertices:
        return hypergraph
    place = {vertex: number for number, vertex in enumerate(vertices)}
    edges = [tuple(place[pin] for pin in edge if pin in place) for edge in hypergraph.edges]
    kept = [(edge, weight) for edge, weight in zip(edges, hypergraph.weights, strict=True) if len(edge) > 1]
    return Hypergraph(len(vertices), tuple(edge for edge, _w in kept), tuple(weight for _e, weight in kept))


def _solve_best(hypergraph, packing, seed):
    """The best of a few solutions, as many as about two seconds allow."""
    count = hypergraph.vertices
    if packing >= count:
        return [0] * count
    hypergraph = _without_constant_edges(hypergraph)
    if not hypergraph.edges:
        return [vertex // packing for vertex in range(count)]
    tries = max(1, min(8, 2 * _TRY_PINS // sum(len(edge) for edge in hypergraph.edges)))
    solutions = [_solve(hypergraph, packing, seed * 8 + attempt) for attempt in range(tries)]
    return min(solutions, key=lambda blocks: connectivity(hypergraph, blocks))


def _without_constant_edges(hypergraph):
    """Without the edges that join all vertices: they reach every block, whatever is done."""
    kept = [(edge, weight) for edge, weight in zip(hypergraph.edges, hypergraph.weights, strict=True) if len(edge) < hypergraph.vertices]
    return Hypergraph(hypergraph.vertices, tuple(edge for edge, _w in kept), tuple(weight for _e, weight in kept))


def _solve(hypergraph, packing, seed):
    """One solution. The solver's own seed does not reach its deterministic mode, so the seed shuffles what it is given."""
    count = hypergraph.vertices
    blocks = -(-count // packing)
    shuffled = random.Random(seed)
    place = list(range(count))
    shuffled.shuffle(place)
    order = list(range(len(hypergraph.edges)))
    shuffled.shuffle(order)
    library = _library()
    context = library.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
    context.set_partitioning_parameters(blocks, 0.0, mtkahypar.Objective.KM1)
    context.set_individual_target_block_weights([packing] * blocks)
    context.logging = False
    mtkahypar.set_seed(0)
    edges = [[place[pin] for pin in hypergraph.edges[number]] for number in order]
    graph = library.create_hypergraph(context, count, len(edges), edges, [1] * count, [hypergraph.weights[number] for number in order])
    solution = graph.partition(context).get_partition()
    return _repaired(hypergraph, [solution[place[vertex]] for vertex in range(count)], blocks, packing)


def _repaired(hypergraph, blocks, count, packing):
    """The solution with every block at most ``packing``: what is too much moves where it costs least."""
    sizes = [0] * count
    for block in blocks:
        sizes[block] += 1
    if max(sizes) <= packing:
        return blocks
    incident = defaultdict(list)
    for edge, weight in zip(hypergraph.edges, hypergraph.weights, strict=True):
        for pin in edge:
            incident[pin].append((edge, weight))

    def pull(vertex, target):
        return sum(weight for edge, weight in incident[vertex] if any(blocks[pin] == target for pin in edge if pin != vertex))

    for block in range(count):
        while sizes[block] > packing:
            free = [target for target in range(count) if sizes[target] < packing]
            inside = [vertex for vertex in range(hypergraph.vertices) if blocks[vertex] == block]
            vertex, target = max(((v, t) for v in inside for t in free), key=lambda move: pull(*move) - pull(move[0], block))
            blocks[vertex] = target
            sizes[block] -= 1
            sizes[target] += 1
    return blocks


def _renumbered(blocks):
    numbers: dict[int, int] = {}
    return [numbers.setdefault(block, len(numbers)) for block in blocks]


@lru_cache(maxsize=1)
def _library():
    """Mt-KaHyPar, which can be initialised once in a process."""
    if mtkahypar is None:
        raise BenitoError(f"automatic partitioning needs the Python library mtkahypar beside Ansible: {IMPORT_ERROR}") from IMPORT_ERROR
    return mtkahypar.initialize(1, False)
