# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GraphML files: nodes, edges and their data are read, and unsupported features are reported."""

from __future__ import annotations

import io

import networkx
import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.kinds import KINDS
from ansible_collections.deter.benito.plugins.module_utils.topology.graphml import keys
from ansible_collections.deter.benito.plugins.module_utils.topology.graphml.reader import read_graphml_text
from ansible_collections.deter.benito.tests.unit.topology.imports.files import FIRST, TWO, attributes, data, edge, errors_of, graph, node, of_graph, the_node
from ansible_collections.deter.benito.tests.unit.topology.ns.networks import addresses, members_of, whole_ways


def test_networkx_graph_becomes_nodes_and_links():
    drawn = networkx.MultiGraph()
    drawn.add_node("web", kind="process", start_command="python3 -m http.server", image="debian-13", os="UBUNTU", partition=3)
    drawn.add_node("db", kind="Qemu", memory="1G")
    drawn.add_edge("web", "db", bandwidth="100Mb", delay=10, loss=0.01)
    drawn.add_edge("web", "db", capacity=512)
    out = io.BytesIO()
    networkx.write_graphml(drawn, out)
    topology, warnings = read_graphml_text(out.getvalue(), "lab.graphml")
    assert not warnings
    assert members_of(topology) == {"link0": ["db", "web"], "link1": ["db", "web"]}
    web = the_node(topology, "web")
    assert attributes(web) == {
        "containers:node_type": "process",
        "startup": "python3 -m http.server",
        "containers:image": "debian-13",
        "containers:partition": "3",
    }
    assert web.operating_systems[0].attribute("osid") == "UBUNTU"
    assert attributes(the_node(topology, "db")) == {"containers:node_type": "qemu", "containers:memory": "1G"}
    assert whole_ways(topology)["link0"] == {("web", "db"): (10.0, 100_000, 0.01), ("db", "web"): (10.0, 100_000, 0.01)}
    assert whole_ways(topology)["link1"]["web", "db"] == (0.0, 512, 0.0)


def test_two_directed_edges_are_the_two_directions_of_one_link():
    there, back = data("bw", "100Mb") + data("ms", "5"), data("bw", "10Mb") + data("ms", "15ms") + data("loss", "2%")
    topology, warnings = of_graph(TWO + edge("a", "b", there) + edge("b", "a", back), "directed")
    assert whole_ways(topology) == {"link0": {("a", "b"): (5.0, 100_000, 0.0), ("b", "a"): (15.0, 10_000, 0.02)}} and not warnings


def test_several_directed_edges_are_paired_in_order():
    body = TWO + "".join(edge(*ends, data("ms", delay)) for ends, delay in [("ab", 1), ("ab", 2), ("ba", 3), ("ba", 4)])
    topology, _warnings = of_graph(body, "directed")
    assert whole_ways(topology) == {
        "link0": {("a", "b"): (1.0, 0, 0.0), ("b", "a"): (3.0, 0, 0.0)},
        "link1": {("a", "b"): (2.0, 0, 0.0), ("b", "a"): (4.0, 0, 0.0)},
    }


def test_single_directed_edge_becomes_a_link_in_both_directions_and_is_reported():
    topology, warnings = of_graph(TWO + edge("a", "b", data("ms", 7)), "directed")
    assert whole_ways(topology)["link0"]["b", "a"] == (7.0, 0, 0.0)
    assert warnings == [f"lab.graphml:{FIRST + 2}: edge from 'a' to 'b': there is none back; the link is the same in both directions"]


def test_node_of_kind_lan_becomes_a_lan_and_its_edges_are_hops():
    hops = edge("a", "hub", data("ms", 3)) + edge("hub", "b", data("ms", 4) + data("bw", "1Mb")) + edge("c", "hub")
    topology, _warnings = of_graph(TWO + node("c") + node("hub", data("kind", "lan")) + hops)
    assert members_of(topology) == {"hub": ["a", "b", "c"]}
    ways = whole_ways(topology)["hub"]
    assert (ways["a", "b"], ways["b", "c"], ways["c", "a"]) == ((7.0, 1000, 0.0), (4.0, 1000, 0.0), (3.0, 0, 0.0))


def test_hyperedge_becomes_a_lan_with_its_delay_between_nodes():
    ends = "".join(f'<endpoint node="{name}"/>' for name in "abc")
    topology, warnings = of_graph(TWO + node("c") + f"<hyperedge>{data('ms', 10)}{ends}</hyperedge>")
    assert whole_ways(topology)["lan0"]["a", "c"] == (10.0, 0, 0.0)
    assert any("becomes the LAN lan0" in warning for warning in warnings)


def test_addresses_and_interfaces_of_an_edge_are_kept():
    keys_of_ends = "".join(f'<key id="{name}" for="edge" attr.name="{name}"/>' for name in ("source_address", "target_ip", "source_interface"))
    inner = data("source_address", "10.1.0.1/16") + data("target_ip", "10.1.0.2") + data("source_interface", "eth7")
    text = graph(TWO + edge("a", "b", inner)).replace("<graph ", keys_of_ends + "<graph ")
    topology, _warnings = read_graphml_text(text.encode(), "lab.graphml")
    assert addresses(topology) == {("a", "link0"): ("10.1.0.1", "255.255.0.0"), ("b", "link0"): ("10.1.0.2", "255.255.255.0")}
    assert [interface.name for computer in topology.computers for interface in computer.interfaces] == ["eth7", "inf000"]


NAMED = {
    "a label": ("x", "web", "web"),
    "letters with marks": ("x", "Zürich HB", "Zurich-HB"),
    "a number": ("5", "", "n-5"),
    "a number that resolvers know": ("0x1f", "", "n-0x1f"),
    "no letters at all": ("x", "京都", "node"),
    "a reserved name": ("localhost", "", "node-localhost"),
    "a machine's name": ("pnode-0001", "", "node-pnode-0001"),
    "a path": ("../../etc/passwd", "", "etc-passwd"),
    "for a shell": ("x", "$(reboot)", "reboot"),
    "an option": ("-rf", "", "rf"),
    "long": ("x" * 40, "", "x" * 32),
    "underscores": ("a_b", "", "a_b"),
}


@pytest.mark.parametrize("case", NAMED)
def test_node_is_named_after_its_label_or_the_nearest_valid_name(case):
    key, label, name = NAMED[case]
    topology, warnings = of_graph(node(key, data("label", label)))
    assert topology.computers[0].name == name
    wanted = label or key
    assert any("is called" in warning for warning in warnings) == (name != wanted)
    assert attributes(topology.computers[0]).get("label") == (wanted if name != wanted else None)


def test_names_are_made_unique_regardless_of_case_and_kind():
    body = node("1", data("label", "web")) + node("2", data("label", "Web")) + node("3", data("label", "web")) + node("4", data("label", "web-2"))
    topology, _warnings = of_graph(body + edge("1", "2", data("label", "web")))
    assert [computer.name for computer in topology.computers] == ["web", "Web-2", "web-3", "web-2-2"]
    assert topology.substrates[0].name == "web-4"


def test_hundreds_of_renamings_are_one_line():
    _topology, warnings = of_graph("".join(node(number) for number in range(300)))
    shown = "node '0': is called n-0 here; node '1': is called n-1 here; node '2': is called n-2 here; …"
    assert [warning for warning in warnings if "is called" in warning] == [f"lab.graphml:{FIRST}: 300 nodes that got another name: {shown}"]


REPORTED = {
    "a loop": (TWO + edge("a", "a"), "node 'a': is joined to itself; that link is left out"),
    "a node alone": (TWO, "computer a: has no interface"),
    "a port": (node("a", '<port name="p"/>'), "node 'a': ports have no place in a topology"),
    "a port of an edge": (TWO + edge("a", "b", "", ' sourceport="p"'), "edge from 'a' to 'b': ports have no place in a topology"),
    "a graph in a node": (node("a", f"<graph>{node('b')}</graph>"), "node 'a': what is in it is read as if beside it"),
    "a frame": (node("a", f"<graph>{node('b')}</graph>"), "node 'a': holds a graph and has no edge; it is taken for a frame and left out"),
    "an unknown kind": (node("a", data("kind", "router")), "node: 'router' is no container kind"),
    "data that mean nothing here": (node("a", data("x", "1")), "data of nodes: 'x': kept as attributes, which"),
    "data without a key": (node("a", data("nonsense", "1")), "no <key> for nodes declares 'nonsense'"),
    "data given twice": (node("a", data("kind", "qemu") * 2), "'kind' is given twice; the first counts"),
    "a drawing": (node("a", '<data key="x"><y:Shape xmlns:y="y"><y:NodeLabel>web</y:NodeLabel></y:Shape></data>'), "the drawing of the node is left out"),
    "a locator": ("<locator/>", "<locator> is not known here and is left out"),
}


@pytest.mark.parametrize("case", REPORTED)
def test_unsupported_feature_is_reported_with_its_line(case):
    body, expected = REPORTED[case]
    _topology, warnings = of_graph(body)
    (found,) = [warning for warning in warnings if expected in warning]
    assert found.startswith("lab.graphml:") or "data of" in found


def test_label_that_yed_draws_is_the_name_of_the_node():
    topology, _warnings = of_graph(REPORTED["a drawing"][0])
    assert topology.computers[0].name == "web"


def test_unknown_data_is_kept_as_attributes():
    topology, _warnings = of_graph(TWO + edge("a", "b", data("x", "1")) + node("c", data("x", "<![CDATA[<&>]]>") + data("kind", "router")))
    assert attributes(the_node(topology, "c")) == {"x": "<&>", "kind": "router"}
    assert attributes(topology.substrates[0]) == {"x": "1"}


def test_default_of_a_key_is_used_if_a_value_is_missing():
    text = graph(TWO + edge("a", "b")).replace('attr.name="bandwidth"/>', 'attr.name="bandwidth"><default>1Gb</default></key>')
    topology, _warnings = read_graphml_text(text.encode(), "lab.graphml")
    assert topology.substrates[0].capacity.rate_kbps == 1_000_000


def test_edge_costs_become_route_costs():
    text = graph(TWO + edge("a", "b", data("bw", "3"))).replace('"bandwidth"', '"cost"')
    assert attributes(read_graphml_text(text.encode(), "lab.graphml")[0].substrates[0]) == {"containers:cost": "3"}


def test_topology_zoo_speeds_are_bits_per_second():
    text = graph(TWO + edge("a", "b", data("bw", "1e10"))).replace('"bandwidth"', '"LinkSpeedRaw"')
    assert read_graphml_text(text.encode(), "zoo.graphml")[0].substrates[0].capacity.rate_kbps == 10_000_000


WRONG = {
    "a bandwidth in bytes": (
        TWO + edge("a", "b", data("bw", "10MB")),
        f"lab.graphml:{FIRST + 2}: edge, bandwidth: 'MB' is no unit of bandwidth (bits have a small b: 10Mb)",
    ),
    "a bandwidth in words": (TWO + edge("a", "b", data("bw", "fast")), f"lab.graphml:{FIRST + 2}: edge, bandwidth: 'fast' is no bandwidth"),
    "a negative delay": (TWO + edge("a", "b", data("ms", "-3")), f"lab.graphml:{FIRST + 2}: edge, delay: a delay of -3 is negative"),
    "a loss in percent without its sign": (
        TWO + edge("a", "b", data("loss", "5")),
        f"lab.graphml:{FIRST + 2}: edge, loss: a loss of 5 is too much (5%, if that is meant)",
    ),
    "an edge to nowhere": (node("a") + edge("a", "z"), f"lab.graphml:{FIRST}: edge: there is no node 'z'"),
    "an edge without an end": (node("a") + '<edge source="a"/>', f"lab.graphml:{FIRST}: edge: has no target"),
    "a node without an id": ("<node/>", f"lab.graphml:{FIRST}: a node without an id"),
    "two nodes of an id": (node("a") + "\n" + node("a"), f"lab.graphml:{FIRST + 1}: node 'a': this id is taken (the first to have it is in line {FIRST})"),
    "two LANs in a row": (
        node("l", data("kind", "lan")) + node("m", data("kind", "lan")) + edge("l", "m"),
        f"lab.graphml:{FIRST}: LAN l: is joined to the LAN m, which is not possible here",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_fault_is_an_error_with_its_line(case):
    body, expected = WRONG[case]
    (error,) = errors_of(of_graph, body)
    assert error.startswith(expected)


def test_all_errors_of_a_file_are_reported_together():
    body = "\n".join([node("a"), edge("a", "z"), node("a"), edge("a", "a", data("ms", "soon"))])
    assert [error.split(":")[1] for error in errors_of(of_graph, body)] == [str(FIRST + 1), str(FIRST + 2), str(FIRST + 3)]


def test_entities_and_other_documents_are_refused():
    bomb = '<?xml version="1.0"?>\n<!DOCTYPE graphml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n' + graph(node("a", data("x", "&b;")))
    cases = {bomb: "2: a document type declaration", "<experiment/>": "1: there is no graph in <experiment>", "": ": is empty (a GraphML file"}
    for text, expected in cases.items():
        (error,) = errors_of(read_graphml_text, text.encode(), "lab.graphml")
        assert expected in error


def test_kinds_are_those_of_the_table_of_kinds():
    assert set(keys.KINDS) == {spelling for kind in KINDS.values() for spelling in (kind.name, *kind.aliases)}


def test_small_file_that_expands_too_much_is_refused_at_once():
    many = "".join(node(f"n{number}") for number in range(5000))
    text = graph(many).replace('attr.name="x"/>', f'attr.name="x"><default>{"x" * 10_000}</default></key>')
    (error,) = errors_of(read_graphml_text, text.encode(), "lab.graphml")
    assert error.startswith("lab.graphml: its defaults make too much of it")
    (error,) = errors_of(of_graph, "".join(f'<node id="{number}"/>' for number in range(80_001)))
    assert error == "lab.graphml: has more than 80,000 nodes and links"


def test_data_of_hops_and_lans_that_have_no_place_are_reported():
    hub = node("hub", data("kind", "lan") + data("cmd", "date"))
    hops = edge("a", "hub", data("label", "up") + data("x", "1")) + edge("hub", "b", data("x", "2"))
    topology, warnings = of_graph(TWO + hub + hops)
    assert attributes(topology.substrates[0]) == {"x": "1"}
    said = " ".join(warnings)
    assert "LAN: 'start_command' is left out: it means something of machines only" in said
    assert "hop from 'a' to 'hub': its name 'up' is left out" in said and "LAN hub: 'x' is '2' for the hop to 'b'; the first counts" in said
