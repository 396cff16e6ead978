# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader accepts TopDL of both versions, in any order, with the oddities of real files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Capacity, Latency, Unknown
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl, read_topdl_text

DATA = Path(__file__).parent / "data"
COMPUTER = "<elements><computer><name>a</name>{}</computer></elements>"
LINK = "<substrates><name>link</name>{}</substrates>"


def read(text, root="experiment"):
    return read_topdl_text(f"<{root}>{text}</{root}>".encode(), "test.xml")


def messages(warnings):
    return " / ".join(f"{problem.element}: {problem.message}" for problem in warnings)


def test_one_line_file_without_xml_declaration_is_read():
    topology, warnings = read_topdl(DATA / "one_line.xml")
    assert [computer.name for computer in topology.computers] == ["leaf0", "leaf1", "hub", "overseer"]
    assert topology.substrates[0].capacity == Capacity(100000.0, "average", "avg")
    assert messages(warnings) == "computer overseer: has no interface / substrate stub0: has only one interface"


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "UTF-16"])
def test_namespaces_encodings_and_any_order_are_read(encoding, tmp_path):
    file = tmp_path / "everything.xml"
    file.write_bytes((DATA / "everything.xml").read_text(encoding="UTF-8").replace("UTF-8", encoding, 1).encode(encoding))
    topology, unused_warnings = read_topdl(file)
    gateway = topology.computers[0]
    assert gateway.attribute("startup") == "echo 'grüße' && cat < /etc/hosts > /tmp/copy"
    assert [substrate.name for substrate in topology.substrates] == ["link", "lan"]
    assert gateway.cpus[0].count == 2
    assert gateway.operating_systems[0].attribute("osid") == "DEBIAN12-STD"
    assert [part.install for part in gateway.software] == [None, "/opt"]
    assert gateway.storage[0].amount_mb == 2048
    assert gateway.services[0].params[0].type == "int"
    assert gateway.localnames == ("gw.example.org", "gw")
    assert [element.kind for element in topology.elements if element not in topology.computers] == ["testbed", "segment", "other"]


def test_interface_may_name_several_substrates_in_version_1():
    interface = read_topdl(DATA / "everything.xml")[0].computers[0].interfaces[1]
    assert interface.substrates == ("lan", "link")


def test_unnamed_interfaces_get_free_names_in_order():
    gateway = read_topdl(DATA / "everything.xml")[0].computers[0]
    assert [interface.name for interface in gateway.interfaces] == ["inf000", "inf001", "inf002"]


def test_regions_fragments_and_namemaps_are_read():
    topology, unused_warnings = read_topdl(DATA / "regions.xml")
    region = topology.elements[1]
    assert (region.kind, region.name, region.fields) == ("region", "/site", (("level", "2"), ("fragname", "office")))
    office = topology.fragments[0]
    assert [element.name for element in office.elements] == ["desk", "door"]
    assert (office.ifmaps[0].inner, office.ifmaps[0].outer) == ("door:out", "up")
    assert topology.namemaps[0].namemaps[0].outer == "site-desk"
    assert topology.computers[0].cpus[0].count == 4


def test_fragment_may_omit_the_topology_element():
    topology, unused_warnings = read("<version>2.0</version><fragments><name>f</name><substrates><name>s</name></substrates></fragments>")
    assert topology.fragments[0].substrates[0].name == "s"


@pytest.mark.parametrize("root", ["experiment", "topology", "anything"])
def test_root_element_may_have_any_name(root):
    assert read(COMPUTER.format(""), root)[0].computers[0].name == "a"


def test_topology_inside_another_document_is_found():
    topology, warnings = read(f"<request><topdldescription>{COMPUTER.format('')}</topdldescription></request>", "envelope")
    assert topology.computers[0].name == "a"
    assert "taken from <topdldescription>" in messages(warnings)


def test_empty_experiment_is_valid():
    topology, warnings = read("")
    assert topology.elements == () and warnings == ()


def test_one_wrapper_may_hold_several_items():
    topology, unused_warnings = read(
        "<substrates><substrate><name>s</name></substrate><substrate><name>t</name></substrate></substrates>"
        "<elements><computer><name>a</name></computer><computer><name>b</name></computer></elements>"
    )
    assert [substrate.name for substrate in topology.substrates] == ["s", "t"]
    assert [computer.name for computer in topology.computers] == ["a", "b"]


@pytest.mark.parametrize(
    ("version", "model"),
    [("", "hop"), ("<version>1.0</version>", "hop"), ("<version>2.0</version>", "path"), ("<version>7</version>", "hop")],
)
def test_version_decides_the_latency_model(version, model):
    assert read(version)[0].latency_model == model


@pytest.mark.parametrize("prefix", ["containers:", "container:", "containers::", "benito:"])
def test_root_attribute_sets_the_latency_model(prefix):
    topology, unused_warnings = read(f"<attribute><attribute>{prefix}latency_model</attribute><value>path</value></attribute>")
    assert topology.latency_model == "path"
    assert topology.attributes == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<kind>max</kind>", ("max", None)),
        ("<kind>average</kind>", ("average", None)),
        ("<kind>avg</kind>", ("average", "avg")),
        ("<kind>Max</kind>", ("max", "Max")),
        ("<kind>peak</kind>", ("max", "peak")),
        ("", ("max", "")),
    ],
)
def test_kinds_are_recognised_and_keep_their_text(text, kind):
    shape = f"<capacity><rate>1</rate>{text}</capacity><latency><time>1</time>{text}</latency>"
    substrate = read(LINK.format(shape))[0].substrates[0]
    assert substrate.capacity == Capacity(1.0, *kind)
    assert substrate.latency == Latency(1.0, *kind)


@pytest.mark.parametrize("number", ["0", "1", "+1.5", ".5", "5.", "1e3", "1E-3", " 7 \n", "-0"])
def test_numbers_are_read_as_xml_schema_writes_them(number):
    substrate = read(LINK.format(f"<capacity><rate>{number}</rate><kind>max</kind></capacity>"))[0].substrates[0]
    assert substrate.capacity.rate_kbps == float(number)


@pytest.mark.parametrize("value", ["", "<value/>", "<value></value>", "<value> </value>"])
def test_missing_value_is_read_as_empty(value):
    computer = read(COMPUTER.format(f"<attribute><attribute>x</attribute>{value}</attribute>"))[0].computers[0]
    assert computer.attributes == (Attribute("x", ""),)


def test_first_of_repeated_attributes_wins_and_all_are_kept():
    two = "".join(f"<attribute><attribute>x</attribute><value>{value}</value></attribute>" for value in "12")
    topology, warnings = read(COMPUTER.format(two))
    assert topology.computers[0].attribute("x") == "1"
    assert len(topology.computers[0].attributes) == 2
    assert "'x' is given more than once" in messages(warnings)


def test_unknown_content_is_kept_with_one_warning():
    topology, warnings = read(COMPUTER.format('<gpu n="2"><model>any</model></gpu>'))
    assert topology.computers[0].unknown == (Unknown("gpu", '<gpu n="2"><model>any</model></gpu>'),)
    assert messages(warnings).count("gpu") == 1


WARNINGS = {
    "an unknown version": ("<version>3.0</version>", "<version> is '3.0'"),
    "regions in version 1.0": ("<version>1.0</version><fragments><name>f</name></fragments>", "are of TopDL 2.0"),
    "a substrate without members": (LINK.format(""), "substrate link: has no interface"),
    "a substrate with one member": (
        LINK.format("") + COMPUTER.format("<interface><substrate>link</substrate></interface>"),
        "substrate link: has only one interface",
    ),
    "a computer without interfaces": (COMPUTER.format(""), "computer a: has no interface"),
    "two interfaces on one substrate": (
        LINK.format("") + COMPUTER.format("<interface><substrate>link</substrate></interface>" * 2),
        "computer a: is attached to substrate link 2 times",
    ),
    "a name that is not DNS-safe": ("<elements><computer><name>web_1</name></computer></elements>", "computer web_1: the '_'"),
    "a missing kind": (LINK.format("<capacity><rate>1</rate></capacity>"), "substrate link, capacity: there is no <kind>"),
    "an unknown status": (LINK.format("<status>tired</status>"), "substrate link: <status> is 'tired'"),
    "an alias that disagrees": (
        COMPUTER.format(
            "<attribute><attribute>container:node_type</attribute><value>qemu</value></attribute>"
            "<attribute><attribute>containers:node_type</attribute><value>openvz</value></attribute>"
        ),
        "are the same one with different values",
    ),
    "text between elements": (COMPUTER.format("<os>Linux</os>"), "the text 'Linux' in <os> means nothing here"),
    "a computer outside <elements>": ("<computer><name>a</name></computer>", "<computer> is not known here"),
    "a region of no known fragment": (
        "<version>2.0</version><elements><region><name>r</name><fragname>f</fragname></region></elements>",
        "region r: there is no fragment 'f'",
    ),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_unusual_content_gives_a_warning(case):
    text, expected = WARNINGS[case]
    assert expected in messages(read(text)[1])


def test_many_warnings_of_a_kind_are_one_line_with_their_number():
    topology, warnings = read("".join(LINK.format("").replace("link", f"link{number}") for number in range(100)))
    assert len(topology.substrates) == 100
    shown = "substrate link0: has no interface; likewise substrate link1, substrate link2, …"
    assert [str(warning) for warning in warnings] == [f"test.xml:1: 100 substrates with fewer than two interfaces: {shown}"]


def test_line_numbers_are_correct_in_very_long_files():
    topology, unused_warnings = read("\n" * 70000 + COMPUTER.format(""))
    assert topology.computers[0].line == 70001
