# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Automatic partitioning: no block above the packing, as few as can be, little cut, the same every time."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.hypergraph import Hypergraph, connectivity
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.packing import pack, split
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.partition import hypergraph_of
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.refine import refined, repaired
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Capacity
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo
from hypothesis import given, settings
from hypothesis import strategies as st


@st.composite
def hypergraphs(draw):
    vertices = draw(st.integers(0, 40))
    edge = st.lists(st.integers(0, max(vertices - 1, 0)), min_size=2, max_size=6, unique=True).map(lambda pins: tuple(sorted(pins)))
    edges = draw(st.lists(edge, max_size=40)) if vertices > 1 else []
    edges = [edge for edge in edges if edge[-1] < vertices]
    weights = draw(st.lists(st.integers(1, 1000), min_size=len(edges), max_size=len(edges)))
    return Hypergraph(vertices, tuple(edges), tuple(weights))


def sizes(blocks):
    return [blocks.count(block) for block in sorted(set(blocks))]


def unweighted(vertices, *edges):
    return Hypergraph(vertices, tuple(tuple(edge) for edge in edges), (1,) * len(edges))


@settings(max_examples=30, deadline=None)
@given(hypergraphs(), st.integers(1, 45), st.integers(0, 1000))
def test_every_block_is_within_the_packing_and_there_are_as_few_as_can_be(hypergraph, packing, seed):
    blocks = pack(hypergraph, packing, seed)
    assert len(blocks) == hypergraph.vertices
    assert max(sizes(blocks), default=0) <= packing
    assert len(sizes(blocks)) == -(-hypergraph.vertices // packing)
    assert blocks == pack(hypergraph, packing, seed)


@settings(max_examples=20, deadline=None)
@given(hypergraphs(), st.integers(1, 45))
def test_blocks_are_numbered_by_their_lowest_vertex(hypergraph, packing):
    blocks = pack(hypergraph, packing)
    assert list(dict.fromkeys(blocks)) == sorted(set(blocks))


@settings(max_examples=20, deadline=None)
@given(hypergraphs(), st.integers(2, 10), st.data())
def test_an_overfull_solution_is_repaired(hypergraph, packing, data):
    count = max(1, -(-hypergraph.vertices // packing))
    solution = data.draw(st.lists(st.integers(0, count - 1), min_size=hypergraph.vertices, max_size=hypergraph.vertices))
    assert max(sizes(repaired(hypergraph, solution, [packing] * count)), default=0) <= packing


@settings(max_examples=20, deadline=None)
@given(hypergraphs(), st.integers(1, 45), st.integers(0, 1000))
def test_a_split_has_so_many_blocks_of_equal_size(hypergraph, parts, seed):
    blocks = split(hypergraph, parts, seed)
    assert len(sizes(blocks)) == min(parts, hypergraph.vertices)
    assert max(sizes(blocks), default=0) - min(sizes(blocks), default=0) <= 1
    assert blocks == split(hypergraph, parts, seed)


@settings(max_examples=30, deadline=None)
@given(hypergraphs(), st.integers(2, 10), st.integers(0, 2), st.data())
def test_refining_never_makes_it_worse_and_keeps_every_capacity(hypergraph, packing, spare, data):
    count = -(-hypergraph.vertices // packing) + spare
    order = data.draw(st.permutations(range(hypergraph.vertices)))
    blocks = [place // packing for place in order]
    better = refined(hypergraph, blocks, [packing] * count, 200, 1)
    assert max(sizes(better), default=0) <= packing
    assert connectivity(hypergraph, better) <= connectivity(hypergraph, blocks)
    assert better == refined(hypergraph, blocks, [packing] * count, 200, 1)


def test_refining_finds_the_way_out_of_full_blocks_through_a_chain_of_moves():
    triangles = unweighted(9, (0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5), (6, 7), (7, 8), (6, 8))
    assert connectivity(triangles, refined(triangles, [0, 1, 2, 0, 1, 2, 0, 1, 2], [3, 3, 3], 500)) == 0


def test_three_lans_around_a_node_are_cut_as_little_as_can_be():
    lans = [(0, *range(1 + 20 * lan, 21 + 20 * lan)) for lan in range(3)]
    blocks = pack(unweighted(61, *lans), 21)
    assert sizes(blocks) in ([21, 20, 20], [20, 21, 20], [20, 20, 21])
    assert connectivity(unweighted(61, *lans), blocks) == 2


def test_two_clusters_are_told_apart():
    ring = [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4), (4, 5), (5, 6), (6, 7), (4, 7)]
    assert pack(unweighted(8, *ring), 4) == [0, 0, 0, 0, 1, 1, 1, 1]


def test_the_thin_link_is_cut_rather_than_the_thick_one():
    assert pack(Hypergraph(4, ((0, 1), (1, 2), (2, 3)), (1, 100, 1)), 3) in ([0, 1, 1, 1], [0, 0, 0, 1])
    assert pack(Hypergraph(4, ((0, 1), (1, 2), (2, 3), (3, 0)), (100, 1, 100, 1)), 2) == [0, 0, 1, 1]


def test_islands_and_single_nodes_fill_up_the_machines():
    islands = unweighted(7, (0, 1), (2, 3))
    assert connectivity(islands, pack(islands, 3)) == 0
    assert sizes(pack(unweighted(10), 4)) == [4, 4, 2]


@pytest.mark.parametrize("packing", [10, 1000])
def test_a_lan_of_ten_thousand_is_packed_without_delay(packing):
    blocks = pack(unweighted(10_000, range(10_000)), packing)
    assert set(sizes(blocks)) == {packing}


def test_large_lans_keep_their_members_together():
    lans = [range(100 * lan, 100 * lan + 100) for lan in range(6)]
    backbone = range(0, 600, 100)
    hypergraph = unweighted(600, *lans, backbone)
    assert connectivity(hypergraph, pack(hypergraph, 10)) <= 6 * 9 + 5


def test_another_process_packs_the_same_way():
    program = (
        "from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.packing import Hypergraph, pack\n"
        "edges = tuple((n, (n * 7 + 3) % 60) for n in range(60) if n != (n * 7 + 3) % 60)\n"
        "print(pack(Hypergraph(60, edges, (1,) * len(edges)), 7, 3))"
    )
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    runs = {subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=path).stdout for _run in range(2)}
    assert len(runs) == 1


def capped(topology, **rates):
    substrates = tuple(dataclasses.replace(s, capacity=Capacity(rates[s.name]) if s.name in rates else None) for s in topology.substrates)
    return dataclasses.replace(topology, substrates=substrates)


def test_links_weigh_by_capacity_and_one_without_capacity_as_100_mbps():
    topology = capped(vtopo({"l0": "a b", "l1": "b c", "l2": "c d", "l3": "d"}), l0=1_000_000, l2=500, l3=7)
    assert hypergraph_of(topology, ["a", "b", "c", "d"], {}) == Hypergraph(4, ((0, 1), (1, 2), (2, 3)), (1000, 100, 1))


def test_links_of_one_capacity_weigh_one_each():
    assert hypergraph_of(capped(vtopo({"l0": "a b", "l1": "b c"}), l0=5000, l1=5000), ["a", "b", "c"], {}).weights == (1, 1)


def test_the_seed_and_the_input_decide_everything():
    topology = vtopo({f"l{number}": f"n{number} n{number * 3 % 40}" for number in range(1, 40)})
    first, again = (embed(topology, EmbeddingSettings(packing=6, seed=5)) for _time in range(2))
    assert first.partitioned == again.partitioned
    assert first.machines == again.machines
