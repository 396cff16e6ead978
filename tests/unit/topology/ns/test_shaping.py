# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links and LANs are shaped as NS files say, by the hop rules of the topology."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl_text
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.writer import write_topdl
from ansible_collections.deter.benito.tests.unit.topology.ns.files import LAN, LINK, TWO, computer, read, topology_of, ways

LINKS = {
    "a link": ("", (10, 10_000, 0), (10, 10_000, 0)),
    "loss of a link": ("tb-set-link-loss $link0 0.19", (10, 10_000, 0.19), (10, 10_000, 0.19)),
    "loss between two nodes": ("tb-set-link-loss $b $a 0.19", (10, 10_000, 0.19), (10, 10_000, 0.19)),
    "one direction of a link": ("tb-set-link-simplex-params $link0 $a 50ms 1Mb 0.19", (50, 1000, 0.19), (10, 10_000, 0)),
    "the other direction of a link": ("tb-set-link-simplex-params $link0 $b 50ms 1Mb 0.19", (10, 10_000, 0), (50, 1000, 0.19)),
    "both directions, each in its own way": (
        "tb-set-link-simplex-params $link0 $a 20ms 2Mb 0\ntb-set-link-simplex-params $link0 $b 60ms 500kb 0.5", (20, 2000, 0), (60, 500, 0.5)),
    "no shaping": ("tb-set-noshaping $link0 1", (10, 0, 0), (10, 0, 0)),
    "shaping after all": ("tb-set-noshaping $link0 1\ntb-set-noshaping $link0 0", (10, 10_000, 0), (10, 10_000, 0)),
}  # fmt: skip


@pytest.mark.parametrize("case", LINKS)
def test_link_is_shaped_alike_or_differently_in_the_two_directions(case):
    body, there, back = LINKS[case]
    found = ways(topology_of(LINK + body), "link0")
    assert found["a", "b"] == pytest.approx(there) and found["b", "a"] == pytest.approx(back)


REST = {("b", "c"): (10, 100_000, 0)}
LANS = {
    "a LAN": ("", {("a", "b"): (10, 100_000, 0), **REST}),
    "the delay of a node": ("tb-set-node-lan-delay $a $lan0 100ms", {("a", "b"): (105, 100_000, 0), ("b", "a"): (105, 100_000, 0), **REST}),
    "the bandwidth of a node": ("tb-set-node-lan-bandwidth $a $lan0 1Mb", {("a", "b"): (10, 1000, 0), ("b", "a"): (10, 1000, 0), **REST}),
    "the loss of a node": ("tb-set-node-lan-loss $a $lan0 0.1", {("a", "b"): (10, 100_000, 0.1), ("b", "a"): (10, 100_000, 0.1), **REST}),
    "all of a node": ("tb-set-node-lan-params $a $lan0 100ms 1Mb 0.1", {("a", "b"): (105, 1000, 0.1), ("c", "a"): (105, 1000, 0.1)}),
    "loss of the LAN": ("tb-set-lan-loss $lan0 0.19", {("a", "b"): (10, 100_000, 0.19), ("c", "b"): (10, 100_000, 0.19)}),
    "directions of a node": (
        "tb-set-lan-simplex-params $lan0 $a 100ms 1Mb 0.1 20ms 2Mb 0.2",
        {("a", "b"): (105, 1000, 0.1), ("b", "a"): (25, 2000, 0.2), **REST}),
    "a node without limit": (
        "tb-set-node-lan-bandwidth $a $lan0 *", {("a", "b"): (10, 100_000, 0), ("b", "c"): (10, 100_000, 0)}),
}  # fmt: skip


@pytest.mark.parametrize("case", LANS)
def test_path_through_a_lan_has_two_hops(case):
    body, expected = LANS[case]
    found = ways(topology_of(LAN + body), "lan0")
    for way, numbers in expected.items():
        assert found[way] == pytest.approx(numbers), way


def test_documented_delay_examples_are_correct():
    slow = TWO + 'set c [$ns node]\nset lan0 [$ns make-lan "a b c" 100Mb 0ms]\ntb-set-node-lan-delay $a $lan0 100ms'
    found = ways(topology_of(slow), "lan0")
    assert (found["a", "b"][0], found["b", "a"][0], found["b", "c"][0]) == (100, 100, 0)
    pair = TWO + 'set lan0 [$ns make-lan "a b" 10Mb 10ms]'
    assert ways(topology_of(pair), "lan0") == ways(topology_of(LINK), "link0")
    one_sided = TWO + 'set lan0 [$ns make-lan "a b" 10Mb 0ms]\ntb-set-node-lan-delay $a $lan0 100ms'
    assert {numbers[0] for numbers in ways(topology_of(one_sided), "lan0").values()} == {100}


DETER_LANS = {
    "nothing but nodes": ('make-new-lan "a b c"', (0, 1_000_000, 0)),
    "a delay": ('make-deter-lan "a b c" delay static mean 30ms', (30, 1_000_000, 0)),
    "any order": ('make-deter-lan "a b c" loss static threshold 0.1 rate 1 delay normal mean 30 std 5 bw 10Mb', (30, 10_000, 0.19)),
}


@pytest.mark.parametrize("case", DETER_LANS)
def test_lan_with_deter_semantics_has_the_mean_values(case):
    call, expected = DETER_LANS[case]
    topology = topology_of(TWO + f"set c [$ns node]\nset lan0 [$ns {call}]")
    assert set(ways(topology, "lan0").values()) == {expected}


@pytest.mark.parametrize("body", [entry[0] for entry in LINKS.values()])
def test_topology_written_as_topdl_has_the_same_shaping(body):
    topology = topology_of(LINK + body)
    again, _warnings = read_topdl_text(write_topdl(topology).encode(), "again.xml")
    assert again == topology and ways(again, "link0") == ways(topology, "link0")


def test_queue_limits_are_stored_at_their_interface():
    body = LINK + "set q [[$ns link $b $a] queue]\n$q set limit_ 20\n$q set queue-in-bytes_ 1\n[$link0 set toqueue] set limit_ 7"
    topology = topology_of(body)
    (a,), (b,) = computer(topology, "a").interfaces, computer(topology, "b").interfaces
    assert (a.attribute("containers:queue_limit"), b.attribute("containers:queue_limit"), b.attribute("containers:queue_in_bytes")) == ("7", "20", "1")
    of_lan = topology_of(LAN + "[[$ns lanlink $lan0 $b] queue] set limit_ 9")
    assert computer(of_lan, "b").interfaces[0].attribute("containers:queue_limit") == "9"


def test_queue_variables_can_be_read():
    body = LINK + 'set q [[$ns link $a $b] queue]\nif {[$q set limit_] != 50} {error "limit"}\n$q set limit_ 10\nif {[$q set limit_] != 10} {error "limit"}'
    assert read(body)[1] == []
