# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dot text of a picture has the right content, as parsed by Graphviz."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.deter.benito.plugins.module_utils.topology.drawing.drawing import EVERYTHING, NAMES, NODES, Placement, Wanted, dot_text, size_of
from ansible_collections.deter.benito.plugins.module_utils.topology.model import (
    Attribute,
    Capacity,
    Computer,
    Interface,
    Latency,
    OtherElement,
    Substrate,
    Topology,
)
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo
from ansible_collections.deter.benito.tests.unit.topology.drawing import gallery
from ansible_collections.deter.benito.tests.unit.topology.drawing.graphviz import Parsed

NOWHERE = Placement()


def drawn(topology, placement=NOWHERE, **wanted):
    return Parsed(dot_text(topology, Wanted(**wanted), placement))


def link(first="", second="", substrate="", latency_model="hop"):
    """Return nodes a and b, joined by link0. The arguments are keyword arguments of the interfaces of a and b and of the link."""
    ends = [Computer(name=name, interfaces=(Interface(name="inf000", substrates=("link0",), **(more or {})),)) for name, more in (("a", first), ("b", second))]
    return Topology(substrates=(Substrate(name="link0", **(substrate or {})),), elements=tuple(ends), latency_model=latency_model)


def one_line(topology, **wanted):
    (line,) = drawn(topology, **wanted).lines
    return line


# --- nodes ---------------------------------------------------------------------------------------


def test_each_kind_has_its_own_shape_and_fill():
    kinds = ["process", "openvz", "qemu", "embedded_pnode", None]
    topology = vtopo({}, **{f"n{number}": {"node_type": kind} if kind else {} for number, kind in enumerate(kinds)}, nodes="n0 n1 n2 n3 n4")
    nodes = drawn(topology).nodes
    looks = [(nodes[f"n{number}"]["shape"], nodes[f"n{number}"]["style"], nodes[f"n{number}"]["fillcolor"]) for number in range(5)]
    assert len(set(looks)) == len({fill for _shape, _style, fill in looks}) == 5
    assert len({(shape, style) for shape, style, _fill in looks[:4]}) == 4, "by shape alone, too: colours do not print everywhere"


@pytest.mark.parametrize(("spelled", "kind"), [("OpenVZ", "openvz"), ("open_vz", "openvz"), (" qemu ", "qemu"), ("EMBEDDED_PNODE", "embedded_pnode")])
def test_every_spelling_of_a_kind_is_recognised(spelled, kind):
    looks = [drawn(vtopo({}, a={"node_type": word}, nodes="a")).nodes["a"]["fillcolor"] for word in (spelled, kind)]
    assert looks[0] == looks[1]


def test_unknown_kind_is_drawn_like_a_missing_kind():
    nodes = drawn(vtopo({}, a={"node_type": "vmware"}, nodes="a b")).nodes
    assert nodes["a"]["fillcolor"] == nodes["b"]["fillcolor"]


def test_ghost_is_dashed_and_labelled():
    picture = drawn(vtopo({}, a={"node_type": "qemu", "ghost": "true"}, b={"node_type": "qemu"}, nodes="a b"))
    assert "dashed" in picture.nodes["a"]["style"]
    assert "dashed" not in picture.nodes["b"]["style"]
    assert "not started" in picture.nodes["a"]["tooltip"]
    assert "ghost" in picture.told["label"]
    assert "ghost" not in drawn(vtopo({}, nodes="a")).told["label"]


def test_other_elements_are_drawn_with_their_links_and_named_after_their_kind_if_nameless():
    attached = (Interface(name="i", substrates=("s",)),)
    elements = OtherElement(kind="segment", name="wan", interfaces=attached), OtherElement(kind="testbed", interfaces=attached)
    picture = drawn(Topology(substrates=(Substrate(name="s"),), elements=elements))
    assert [node["label"] for node in picture.nodes.values()] == ["wan", "testbed"]
    assert len(picture.lines) == 1


def test_legend_shows_exactly_the_kinds_in_the_picture():
    legend = drawn(vtopo({"lan0": "a b c"}, a={"node_type": "qemu"}, b={"node_type": "qemu"}, c={"node_type": "process"}), title="lab.xml").told["label"]
    assert [word in legend for word in ("lab.xml", "qemu", "process", "LAN", "openvz", "embedded_pnode", "ghost", "pnode, with")] == [True] * 4 + [False] * 4


def test_title_is_plain_text_and_not_html():
    assert "a &lt;b&gt; &amp; c" in drawn(vtopo({}, nodes="a"), title="a <b> & c").told["label"]


# --- substrates ------------------------------------------------------------------------------------


def test_substrate_with_two_members_is_one_named_line():
    tail, head, line = one_line(link())
    assert (tail, head, line["label"]) == ("a", "b", "link0")


@pytest.mark.parametrize(("topology", "words"), [
    (link(substrate={"capacity": Capacity(100_000)}), "100 Mb/s"),
    (link(substrate={"capacity": Capacity(1_500)}), "1.5 Mb/s"),
    (link(substrate={"capacity": Capacity(64)}), "64 kb/s"),
    (link(substrate={"capacity": Capacity(10_000_000)}), "10 Gb/s"),
    (link(substrate={"capacity": Capacity(0)}), ""),
    (link(substrate={"latency": Latency(5)}), "10 ms"),
    (link(substrate={"latency": Latency(5)}, latency_model="path"), "5 ms"),
    (link(substrate={"attributes": (Attribute("loss", "0.01"),)}), "loses 1 %"),
    (link(substrate={"capacity": Capacity(1000), "latency": Latency(0.25), "attributes": (Attribute("loss", "0.5"),)}), "1 Mb/s, 0.5 ms, loses 50 %"),
    (link(first={"capacity": Capacity(1000)}, second={"capacity": Capacity(1000)}), "1 Mb/s"),
    (link(substrate={"attributes": (Attribute("loss", "17"),)}), ""),
    (link(substrate={"attributes": (Attribute("loss", "lots"),)}), ""),
])  # fmt: skip
def test_line_shows_its_end_to_end_shaping(topology, words):
    label = one_line(topology)[2]["label"]
    assert label == ("link0\\n" + words if words else "link0")


def test_line_shows_both_directions_if_they_differ():
    line = one_line(link(first={"latency": Latency(5)}, second={"attributes": (Attribute("containers:rx_rate", "512"),)}))[2]
    assert line["label"] == "link0\\na → b: 512 kb/s, 10 ms\\nb → a: unshaped"


def test_addresses_are_drawn_at_their_ends_of_the_line():
    first, second = ({"attributes": (Attribute("ip4_address", f"10.0.0.{number}"),)} for number in (1, 2))
    line = one_line(link(first, second))[2]
    assert (line["taillabel"], line["headlabel"]) == ("10.0.0.1", "10.0.0.2")
    assert "taillabel" not in one_line(link(first, second), addresses=False)[2]


def test_lan_is_a_small_node_with_a_line_and_address_for_each_member():
    picture = drawn(gallery.lan(3))
    assert picture.nodes["lan0"]["label"] == "lan0"
    assert [(tail, head, line["taillabel"]) for tail, head, line in picture.lines] == [(f"n-{number}", "lan0", f"10.0.0.{number + 1}") for number in range(3)]


def test_lan_shows_its_shaping_and_members_show_their_differences():
    topology = gallery.shaped(gallery.lan(4), 10_000, 2)
    odd = dataclasses.replace(topology.computers[2].interfaces[0], latency=Latency(50))
    computers = [dataclasses.replace(one, interfaces=(odd,)) if one.name == "n-2" else one for one in topology.computers]
    picture = drawn(dataclasses.replace(topology, elements=tuple(computers)))
    assert picture.nodes["lan0"]["label"] == "lan0\\n10 Mb/s, 4 ms"
    assert [line["label"] for _tail, _head, line in picture.lines] == ["", "", "10 Mb/s, 50 ms", ""]


@pytest.mark.parametrize("members", ["", "a", "a b c"])
def test_substrate_without_exactly_two_members_is_a_node(members):
    picture = drawn(vtopo({"s": members}, nodes="a b c"))
    assert picture.nodes["s"]["label"] == "s"
    assert len(picture.lines) == len(members.split())


def test_parallel_links_and_repeated_lan_members_are_drawn_as_separate_lines():
    assert len(drawn(vtopo({"s": "a b", "t": "a b"})).lines) == 2
    assert len(drawn(vtopo({"s": "a a b"})).lines) == 3


def test_node_and_substrate_with_the_same_name_are_drawn_separately():
    picture = drawn(vtopo({"a": "a b c", "LAN a": "", "b": "b c"}))
    assert sorted(node["label"] for node in picture.nodes.values()) == ["LAN a", "a", "a", "b", "c"]


# --- boxes -----------------------------------------------------------------------------------------


def test_each_pnode_has_a_box_around_its_nodes():
    placement = Placement({"a": "pnode-0000", "b": "pnode-0001", "c": "pnode-0000"})
    assert drawn(vtopo({"s": "a b c"}), placement).boxes == {"pnode-0000": ["a", "c"], "pnode-0001": ["b"]}


def test_processes_are_in_the_box_of_their_virtual_machine_inside_its_pnodes_box():
    placement = Placement(dict.fromkeys(["vm", "a", "b", "c"], "pnode-0000"), {"a": "vm", "b": "hidden"})
    boxes = drawn(vtopo({"s": "vm a b c"}, vm={"node_type": "qemu"}), placement).boxes
    assert boxes == {"pnode-0000": ["a", "b", "c", "vm"], "vm": ["a", "vm"], "hidden": ["b"]}


def test_nodes_name_their_pnode_if_the_program_draws_no_boxes():
    picture = drawn(vtopo({"s": "a b"}), Placement(dict.fromkeys("ab", "pnode-0000"), {"a": "vm"}), program="neato")
    assert picture.boxes == {}
    assert [node["label"] for node in picture.nodes.values()] == ["a\\nin vm\\npnode-0000", "b\\npnode-0000"]


def test_node_named_like_a_graphviz_cluster_is_drawn_as_a_node():
    picture = drawn(vtopo({"s": "cluster1 cluster"}), Placement({"cluster1": "cluster1", "cluster": "cluster1"}))
    assert sorted(node["label"] for node in picture.nodes.values()) == ["cluster", "cluster1"]
    assert not any(name.startswith("cluster") for name in picture.nodes)


# --- size ------------------------------------------------------------------------------------------


def test_larger_pictures_have_less_text():
    def said(count):
        lines = [line for _tail, _head, line in drawn(gallery.ring(count)).lines]
        return ["label" in lines[0], "taillabel" in lines[0]]

    assert [said(10), said(100), said(500)] == [[True, True], [True, False], [False, False]]
    assert [node["label"] for node in drawn(gallery.ring(500)).nodes.values()] == [f"n-{number}" for number in range(500)]


def test_omitted_texts_are_in_tooltips():
    picture = drawn(gallery.shaped(gallery.ring(500)))
    assert picture.lines[7][2]["tooltip"] == "link7\\n100 Mb/s, 10 ms"
    assert "10.0.0.1" in picture.nodes["n-0"]["tooltip"]


def test_addresses_can_be_requested_at_any_size():
    assert "taillabel" in drawn(gallery.ring(100), addresses=True).lines[0][2]


@pytest.mark.parametrize(("topology", "marks", "lines"), [
    (gallery.tree(60), 60, 59),
    (gallery.ring(5), 5, 5),
    (gallery.lan(30), 31, 30),
    (vtopo({"s": "a b", "t": "c d", "u": ""}), 5, 2),
    (vtopo({"s": "a b", "t": "a b"}), 2, 2),
    (Topology(), 0, 0),
])  # fmt: skip
def test_size_of_a_picture_counts_nodes_and_lines(topology, marks, lines):
    size = size_of(topology)
    assert (size.marks, size.lines) == (marks, lines)


def test_pictures_with_more_lines_have_less_text():
    assert [size_of(gallery.full(count)).detail for count in (10, 20, 30)] == [EVERYTHING, NAMES, NODES]


def test_same_topology_gives_the_same_text():
    assert dot_text(gallery.every_kind(), Wanted(), NOWHERE) == dot_text(gallery.every_kind(), Wanted(), NOWHERE)
