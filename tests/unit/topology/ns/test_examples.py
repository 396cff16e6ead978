# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The examples of the testbeds' tutorials, written anew from their descriptions: what they become, and on how many machines they run."""

from __future__ import annotations

import math
import re
import textwrap
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.create import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.tests.unit.topology.ns.files import TWO, members, names, read, topology_of, ways

STAR = """
set center [$ns node]
{center}
for {{set i 0}} {{$i < 9}} {{incr i}} {{
    set n($i) [$ns node]
    {satellite}
    ns duplex-link $center $n($i) 100Mb 10ms DropTail
}}
$ns rtptoto Static
"""
KIND = "tb-add-node-attribute {node} containers:node_type {kind}"


def star(center="", satellite="", others=""):
    """A centre with nine satellites; all of a kind where one is named."""
    of_center = KIND.format(node="$center", kind=center) if center else ""
    of_satellite = KIND.format(node="$n($i)", kind=satellite) if satellite else ""
    return STAR.format(center=of_center, satellite=of_satellite) + others


def test_example_1_is_a_star_of_ten_nodes():
    topology, warnings = read(star())
    assert names(topology) == ["center", *(f"n-{number}" for number in range(9))]
    assert members(topology) == {f"tblink-l{2 * number + 3}": ["center", f"n-{number}"] for number in range(9)}
    assert warnings == ["lab.tcl:11: the simulator: 'rtptoto' is not known; it has no effect"]
    for number in range(9):
        assert set(ways(topology, f"tblink-l{2 * number + 3}").values()) == {(10, 100_000, 0)}, "to a neighbour and back 20 ms, across the centre 40"


MACHINES = {
    "example 1, of system containers": (star("openvz", "openvz"), {"packing": 10}, 1),
    "example 1, packing 2": (star("openvz", "openvz"), {"packing": 2}, 6),
    "example 2, of virtual machines": (star("qemu", "qemu"), {"packing": 10}, 1),
    "example 3, virtual machines with one system container": (star("openvz", "qemu"), {"packing": 10}, 2),
    "example 4, one node is a machine": (star("openvz", "qemu", "tb-add-node-attribute $n(8) containers:node_type embedded_pnode"), {"packing": 10}, 3),
}


@pytest.mark.parametrize("sort", MACHINES)
def test_the_examples_need_no_more_machines_than_documented(sort):
    body, settings, documented = MACHINES[sort]
    embedding = embed(topology_of(body), EmbeddingSettings(**settings))
    assert len(embedding.machines) <= documented
    assert all(len(nodes) <= settings["packing"] for nodes in embedding.assignment.values())


EXAMPLE_6 = """
set center [$ns node]
tb-add-node-attribute $center containers:PartitionPass 0
set number 0
for {set which 0} {$which < 3} {incr which} {
    set nodes $center
    for {set i 0} {$i < 20} {incr i} {
        set n($number) [$ns node]
        tb-add-node-attribute $n($number) containers:PartitionPass [expr $which + 1]
        lappend nodes $n($number)
        incr number
    }
    set lan($which) [$ns make-lan $nodes 100Mb 0ms]
}
"""


def test_example_6_is_three_lans_around_a_router():
    topology = topology_of(EXAMPLE_6)
    assert len(topology.computers) == 61
    assert {name: (nodes[0], nodes[1], nodes[-1], len(nodes)) for name, nodes in members(topology).items()} == {
        "lan-0": ("center", "n-0", "n-19", 21), "lan-1": ("center", "n-20", "n-39", 21), "lan-2": ("center", "n-40", "n-59", 21)}  # fmt: skip
    passes = [node.attribute("containers:PartitionPass") for node in topology.computers]
    assert passes == ["0"] + ["1"] * 20 + ["2"] * 20 + ["3"] * 20
    embedding = embed(topology, EmbeddingSettings(packing=20))
    assert len(embedding.machines) == math.ceil(61 / 20)


def test_the_first_lesson_of_emulab():
    body = """
set nodeA [$ns node]
set nodeB [$ns node]
set nodeC [$ns node]
set nodeD [$ns node]
set link0 [$ns duplex-link $nodeB $nodeA 30Mb 50ms DropTail]
tb-set-link-loss $link0 0.01
set lan0 [$ns make-lan "$nodeD $nodeC $nodeB " 10Mb 0ms]
tb-set-node-os $nodeA FBSD-STD
tb-set-ip-link $nodeA $link0 10.0.1.1
$ns rtproto Static
"""
    topology, warnings = read(body)
    assert warnings == [] and names(topology) == ["nodeA", "nodeB", "nodeC", "nodeD"]
    assert members(topology) == {"link0": ["nodeA", "nodeB"], "lan0": ["nodeB", "nodeC", "nodeD"]}
    assert ways(topology, "link0")["nodeA", "nodeB"] == pytest.approx((50, 30_000, 0.01))
    assert ways(topology, "lan0")["nodeC", "nodeD"] == (0, 10_000, 0)


def test_options_are_in_the_order_they_were_set():
    body = "set opt(BANDWIDTH) 10Mb\nset opt(DELAY) 5ms\n" + TWO + "set l [$ns duplex-link $a $b $opt(BANDWIDTH) $opt(DELAY) DropTail]"
    topology = topology_of(body)
    assert [attribute.name for attribute in topology.attributes] == ["containers:env:BANDWIDTH", "containers:env:DELAY"]
    assert ways(topology, "l")["a", "b"] == (5, 10_000, 0)


def test_the_example_of_the_documentation_is_read_without_a_warning():
    page = (Path(__file__).parents[4] / "docs" / "ns.md").read_text(encoding="utf-8")
    example = textwrap.dedent(re.search(r"(?:^(?:    .*)?\n)+", page[page.index("    set ns") :], re.MULTILINE).group())
    topology, warnings = read(example, whole=True)
    assert warnings == [] and members(topology) == {"lan0": ["server", "client-0", "client-1", "client-2"]}
    assert ways(topology, "lan0")["client-2", "server"] == (10, 1000, 0)
