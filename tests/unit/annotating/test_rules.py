# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules select elements, set and remove attributes. The topology has two LANs, a router between them and an isolated node."""

from __future__ import annotations

import dataclasses
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.annotating.applying import annotate_by_rules
from ansible_collections.deter.benito.plugins.module_utils.annotating.rule_reader import RULE_KEYS, SELECT_KEYS, rules_of_data, rules_of_file
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, OtherElement, Substrate, Topology, Unknown
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl_text
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.writer import write_topdl
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo, vtopos
from ansible_collections.deter.benito.tests.unit.topology.strategies import topologies
from hypothesis import given, settings
from hypothesis import strategies as st

LAB = vtopo(
    {"lan-0": "r n-0 n-1 n-2", "lan-1": "r n-3 n-4", "link": "n-4 n-10"},
    nodes="r n-0 n-1 n-2 n-3 n-4 n-10 alone",
    r={"node_type": "qemu", "startup": "route"}, **{"n-3": {"node_type": "open_vz", "image": "debian-13"}, "n-4": {"benito:node_type": "process"}},
)  # fmt: skip


def annotated(*rules, topology=LAB):
    return annotate_by_rules(topology, rules_of_data(list(rules)))


def marked(select, topology=LAB, **more):
    """Return the names of the elements that the rule marks."""
    result = annotated({"select": select, "set": {"mark": "x"}, **more}, topology=topology).topology
    elements = [result, *result.substrates, *result.elements]
    ports = {f"{element.name}.{port.name}": port for element in result.elements for port in element.interfaces}
    names = ["experiment" if element is result else element.name for element in elements if element.attribute("mark") == "x"]
    return " ".join(names + [name for name, port in ports.items() if port.attribute("mark") == "x"])


def values_of(name, *rules, topology=LAB):
    """Return {computer: its value of the attribute}, without computers that lack it."""
    found = {computer.name: computer.attribute(name) for computer in annotated(*rules, topology=topology).topology.computers}
    return {computer: value for computer, value in found.items() if value is not None}


def faults(*rules, topology=LAB):
    with pytest.raises(InputError) as caught:
        annotated(*rules, topology=topology)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(("select", "expected"), [
    ({"name": "n-*"}, "n-0 n-1 n-2 n-3 n-4 n-10"),
    ({"name": "n-?,r"}, "r n-0 n-1 n-2 n-3 n-4"),
    ({"name": ["n-[0-1]", "alone"]}, "n-0 n-1 alone"),
    ({"name": "*", "except": "n-*"}, "r alone"),
    ({"regex": "n-[0-9]{2}"}, "n-10"),
    ({"regex": "n-1"}, "n-1"),
    ({"name": "n-?", "regex": ".*[02468]"}, "n-0 n-2 n-4"),
    ({"kind": "qemu"}, "r"),
    ({"kind": "openvz, process"}, "n-3 n-4"),
    ({"degree": 0}, "alone"),
    ({"degree": {"min": 2}}, "r n-4"),
    ({"degree": {"min": 1, "max": 1}}, "n-0 n-1 n-2 n-3 n-10"),
    ({"neighbours": {"min": 4}}, "r"),
    ({"neighbours": "1"}, "n-10"),
    ({"substrate": "lan-1"}, "r n-3 n-4"),
    ({"substrate": "lan-*", "degree": 1}, "n-0 n-1 n-2 n-3"),
    ({"has": "startup"}, "r"),
    ({"has": ["startup", "containers:image"]}, None),
    ({"has": "containers:node_type"}, "r n-3 n-4"),
    ({"has": {"containers:image": "debian-*"}}, "n-3"),
    ({"has": {"containers:image": "ubuntu-*"}}, None),
    ({"lacks": ["containers:node_type", "x"], "degree": {"min": 1}}, "n-0 n-1 n-2 n-10"),
    ({"lacks": {"containers:node_type": "q*"}, "degree": {"min": 2}}, "n-4"),
    ({"element": "substrate", "name": "lan*"}, "lan-0 lan-1"),
    ({"element": "substrate", "degree": 2}, "link"),
    ({"element": "substrate", "computer": "r"}, "lan-0 lan-1"),
    ({"element": "interface", "substrate": "link"}, "n-4.inf001 n-10.inf000"),
    ({"element": "interface", "computer": "r", "name": "inf001"}, "r.inf001"),
    ({"element": "interface", "kind": "qemu"}, "r.inf000 r.inf001"),
    ({"element": "experiment"}, "experiment"),
    ({"name": "N-*"}, None),
])  # fmt: skip
def test_rule_selects_elements_that_meet_all_of_its_conditions(select, expected):
    if expected is None:
        assert faults({"select": select, "set": {"mark": "x"}})[0].startswith("rule 1, select: selects nothing")
        assert marked(select, allow_none=True) == ""
    else:
        assert marked(select) == expected


def test_elements_other_than_computers_are_selected_only_on_request():
    topology = dataclasses.replace(LAB, elements=(*LAB.elements, OtherElement(kind="testbed", name="n-far")))
    assert marked({"element": "other", "name": "n-*"}, topology) == "n-far"
    assert "n-far" not in marked({"name": "n-*"}, topology)


SEVEN = {"select": {"name": "n-*"}}


@pytest.mark.parametrize(("value", "expected"), [
    ("same", "same same same same same same"),
    (7, "7 7 7 7 7 7"),
    (True, "true true true true true true"),
    ("", None),
    ("{name}", "n-0 n-1 n-2 n-3 n-4 n-10"),
    ("{index}/{count}", "0/6 1/6 2/6 3/6 4/6 5/6"),
    ("p{number}", "p0 p1 p2 p3 p4 p10"),
    ("${name}{other}{}{{name}}", "${name}{other}{}{n-0}"),
    ({"literal": "{name}"}, "{name} {name} {name} {name} {name} {name}"),
    ({"text": "{name}"}, "n-0 n-1 n-2 n-3 n-4 n-10"),
    ({"cycle": ["a", "b"]}, "a b a b a b"),
    ({"cycle": 4}, "0 1 2 3 0 1"),
    ({"spread": ["a", "b"]}, "a a a b b b"),
    ({"spread": 4, "text": "part-{value}"}, "part-0 part-0 part-1 part-2 part-2 part-3"),
    ({"spread": 100}, "0 1 2 3 4 5"),
    ({"each": 4}, "0 0 0 0 1 1"),
    ({"each": 3, "of": ["left", "right"], "text": "{value}.{index}"}, "left.0 left.1 left.2 right.3 right.4 right.5"),
])  # fmt: skip
def test_placeholders_are_filled_in_and_values_are_distributed(value, expected):
    found = " ".join(values_of("mark", {**SEVEN, "set": {"mark": value}}).values())
    assert found.startswith(expected) if expected is not None else found.strip() == ""


def test_rule_can_partition_nodes_by_their_substrates():
    rule = {"select": {"substrate": "lan-*", "except": "r"}, "set": {"containers:partition": "{substrate}"}}
    assert values_of("containers:partition", rule) == {"n-0": "lan-0", "n-1": "lan-0", "n-2": "lan-0", "n-3": "lan-1", "n-4": "lan-1"}


def test_one_rule_partitions_fifty_nodes():
    fifty = vtopo({"lan": " ".join(f"n{number}" for number in range(50))})
    found = values_of("containers:partition", {"select": {"name": "*"}, "set": {"containers:partition": {"each": 10}}}, topology=fifty)
    assert [list(found.values()).count(str(part)) for part in range(5)] == [10] * 5


def test_rules_apply_in_order_and_each_removes_before_it_sets():
    first = {"select": {"name": "r"}, "remove": "*", "set": {"containers:node_type": "process"}}
    second = {"select": {"kind": "process"}, "set": {"mark": "x"}, "remove": ["startup"]}
    result = annotated(first, second)
    assert [tuple(one.name for one in computer.attributes) for computer in result.topology.computers if computer.name in ("r", "n-4")] == [
        ("containers:node_type", "mark"), ("benito:node_type", "mark")]  # fmt: skip
    assert result.selected == (1, 2)


def test_setting_an_attribute_replaces_every_spelling_in_place():
    topology = vtopo({}, nodes="a", a={"x": "1", "container:Node_Type": "qemu", "y": "2", "benito:node_type": "process", "z": "1"})
    result = annotated({"select": {"name": "a"}, "set": {"benito:NODE_TYPE": "openvz"}}, topology=topology)
    assert [(one.name, one.value) for one in result.topology.computers[0].attributes] == [
        ("containers:x", "1"), ("containers:node_type", "openvz"), ("containers:y", "2"), ("containers:z", "1")]  # fmt: skip
    (change,) = result.changes
    assert change.before == (("container:Node_Type", "qemu"), ("benito:node_type", "process")) and change.after == (("containers:node_type", "openvz"),)


def test_attribute_is_removed_in_every_spelling_and_may_be_missing():
    topology = vtopo({}, nodes="a", a={"container:Partition": "1", "benito:partition": "2", "containers:ghost": "true", "startup": "x"})
    result = annotated({"select": {"name": "a"}, "remove": ["containers:partition", "containers:image"]}, topology=topology)
    assert [one.name for one in result.topology.computers[0].attributes] == ["containers:ghost", "startup"]
    assert not annotated({"select": {"name": "a"}, "remove": "containers:*"}, topology=topology).topology.computers[0].attributes[1:]


def test_experiment_variables_keep_their_case_and_the_latency_model_can_be_set():
    rule = {"select": {"element": "experiment"}, "set": {"containers:env:Rate": "10", "containers:env:RATE": "20", "containers:latency_model": "path"}}
    result = annotated(rule).topology
    assert [(one.name, one.value) for one in result.attributes] == [("containers:env:Rate", "10"), ("containers:env:RATE", "20")]
    assert result.latency_model == "path"
    assert faults({"select": {"element": "experiment"}, "remove": "containers:latency_model"}) == [
        "rule 1, remove: containers:latency_model is always there (set it to hop or path)"]  # fmt: skip


@pytest.mark.parametrize(("rule", "fault"), [
    ({"select": {"name": "x-*"}, "set": {"a": 1}}, "rule 1, select: selects nothing (there are r, n-0, n-1, n-2, n-3, n-4 and 2 more)"),
    ({"select": {"element": "other"}, "set": {"a": 1}}, "rule 1, select: selects nothing (there is no element of type other)"),
    ({"select": {"regex": "n-("}, "set": {"a": 1}}, "rule 1, select.regex: 'n-(' is no regular expression: missing ), unterminated subpattern at position 2"),
    ({**SEVEN, "set": {"containers:node_type": "vmware"}},
     "rule 1, set.containers:node_type: 'vmware' is not one of its values (one of embedded_pnode, qemu, openvz, process)"),
    ({**SEVEN, "set": {"PartitionPass": "x", "containers:PackingPass": "first"}},
     "rule 1, set.containers:PartitionPass: 'first' is not one of its values (a whole number, 0 to 999999999)"),
    ({**SEVEN, "set": {"containers:partition": "a b"}}, "rule 1, set.containers:partition: 'a b' is not one of its values (letters, digits"),
    ({**SEVEN, "set": {"containers:memory": "much"}}, "rule 1, set.containers:memory: 'much' is not one of its values (a number and G or M, like 2G)"),
    ({**SEVEN, "set": {"containers:qemu_url": "file:///etc/shadow"}},
     "rule 1, set.containers:qemu_url: 'file:///etc/shadow' is not one of its values (an http or https URL of an image)"),
    ({**SEVEN, "set": {"containers:cpus": 0}}, "rule 1, set.containers:cpus: '0' is not one of its values (a whole number, 1 to 255)"),
    ({**SEVEN, "set": {"containers:ghost": "maybe"}}, "rule 1, set.containers:ghost: 'maybe' is not one of its values (true or false)"),
    ({**SEVEN, "set": {"a": {"each": 2, "of": [1, 2]}}},
     "rule 1, set.a: 2 values for 2 elements each are for 4, and 6 are chosen (the first: computer n-4) (more of them, or a larger 'each')"),
    ({"select": {"name": "*"}, "set": {"a": "{number}"}},
     "rule 1, set.a: there is no number in its name for {number} (the first: computer r) ({index} counts the chosen elements from 0)"),
    ({"select": {"name": "r"}, "set": {"a": "{substrate}"}}, "rule 1, set.a: {substrate} must be one, and it is on lan-0, lan-1"),
    ({"select": {"name": "r"}, "set": {"a": "{computer}"}}, "rule 1, set.a: only an interface has a {computer}"),
    ({**SEVEN, "set": {"a": "\x07"}}, "rule 1, set.a: '\\x07' holds the character U+0007, which TopDL cannot carry"),
    ({**SEVEN, "set": {"a": "x" * 70_000}}, "rule 1, set.a: its value is longer than 65,536 characters"),
    ({"select": {"element": "interface", "computer": "n-0"}, "set": {"ip4_address": "10.0.0.256"}},
     "test.xml:111: computer n-0, interface inf000: ip4_address is '10.0.0.256', not an IPv4 address"),
    ({"select": {"element": "substrate", "name": "link"}, "set": {"loss": "2"}}, "test.xml:4: substrate link: attribute loss is '2' (a fraction from 0 to 1)"),
])  # fmt: skip
def test_senseless_rule_is_refused(rule, fault):
    assert faults(rule)[0].startswith(fault)


def test_faults_of_all_rules_are_reported_together():
    told = faults({"select": {"name": "x"}, "set": {"a": 1}}, {**SEVEN, "set": {"containers:node_type": "vm", "containers:partition": "/"}},
                  {"select": {"regex": "["}, "remove": "a"})  # fmt: skip
    assert [fault.split(":")[0] for fault in told] == ["rule 1, select", "rule 2, set.containers", "rule 2, set.containers", "rule 3, select.regex"]


def test_every_invalid_value_is_refused_but_only_some_are_shown():
    told = faults({"select": {"name": "*"}, "set": {"containers:node_type": "{name}"}})
    assert len(told) == 6 and told[-1] == "rule 1, set.containers:node_type: 3 more values like these"


@pytest.mark.parametrize(("rule", "warning"), [
    ({**SEVEN, "set": {"containers:nodetype": "qemu"}},
     "rule 1, set.containers:nodetype: the attribute containers:nodetype is not known here; it has no effect (perhaps containers:node_type)"),
    ({**SEVEN, "set": {"containers:colour": "red"}}, "rule 1, set.containers:colour: the attribute containers:colour is not known here; it has no effect"),
    ({**SEVEN, "remove": "containers:partitions"},
     "rule 1, remove.containers:partitions: the attribute containers:partitions is not known here; it has no effect (perhaps containers:partition)"),
    ({**SEVEN, "set": {"partition": "1"}},
     "rule 1, set.partition: the attribute partition is another attribute than the one with a prefix; it has no effect (perhaps containers:partition)"),
    ({**SEVEN, "set": {"contaners:ghost": "true"}}, "rule 1, set.contaners:ghost: the attribute contaners:ghost is not known here; it has no effect "
     "(perhaps containers:ghost)"),
    ({"select": {"element": "substrate", "name": "link"}, "set": {"containers:partition": "1"}},
     "rule 1, set.containers:partition: the attribute containers:partition has no effect on a substrate (it belongs to a computer)"),
    ({"select": {"name": "r"}, "set": {"containers:env:X": "1"}},
     "rule 1, set.containers:env:X: the attribute containers:env:X has no effect on a computer (it belongs to the experiment as a whole)"),
    ({"select": {"name": "n-3"}, "set": {"containers:partition": "1"}},
     "test.xml:100: computer r: containerize would refuse it: has kind qemu but no partition, while others have one (give it a partition"),
])  # fmt: skip
def test_questionable_rule_gives_a_warning(rule, warning):
    assert str(annotated(rule).warnings[0]).startswith(warning)


@pytest.mark.parametrize("name", ["startup", "rtproto", "type", "containers:image", "containers:PackingPass", "colour", "my:colour"])
def test_effective_and_foreign_attributes_give_no_warning(name):
    assert annotated({**SEVEN, "set": {name: "1"}}).warnings == ()


def test_fault_of_the_topology_is_not_blamed_on_a_rule():
    topology = dataclasses.replace(LAB, elements=(*LAB.elements, OtherElement(kind="testbed", name="far")))
    assert marked({"name": "r"}, topology) == "r"


def test_endless_regular_expression_is_aborted():
    topology = vtopo({}, nodes="a" * 30)
    began = time.monotonic()
    assert "takes longer than 2 seconds" in faults({"select": {"regex": "(a*)*b"}, "set": {"x": 1}}, topology=topology)[0]
    assert time.monotonic() - began < 25


@pytest.mark.parametrize(("rules", "fault"), [
    ({"select": {}}, "is not a list of rules"),
    ([], "is not a list of rules"),
    ([7], "rule 1: 7 is not a map (a map of select, set, remove, allow_none)"),
    ([{"set": {"a": 1}}], "rule 1, select: selects nothing in particular (like {name: 'n-*'}; {name: '*'} for all computers)"),
    ([{"select": {"name": "a"}}], "rule 1: neither sets nor removes anything"),
    ([{"select": {"names": "a"}, "remove": "a"}], "rule 1, select.names: there is no such key (perhaps name)"),
    ([{"select": {"name": "a"}, "sett": {"a": 1}, "remove": "a"}], "rule 1, sett: there is no such key (perhaps set)"),
    ([{"select": {"element": "node"}, "remove": "a"}], "rule 1, select.element: 'node' is not a type of element (one of computer, substrate, interface, other"),
    ([{"select": {"kind": "vm"}, "remove": "a"}], "rule 1, select.kind: 'vm' is no container kind (one of embedded_pnode"),
    ([{"select": {"degree": "two"}, "remove": "a"}], "rule 1, select.degree: 'two' is not a number (from 0 to 1,000,000)"),
    ([{"select": {"degree": {"min": 3, "max": 2}}, "remove": "a"}], "rule 1, select.degree: from 3 to 2 there is no number"),
    ([{"select": {"degree": {"least": 3}}, "remove": "a"}], "rule 1, select.degree.least: there is no such key (there are min, max)"),
    ([{"select": {"element": "substrate", "kind": "qemu"}, "remove": "a"}], "rule 1, select.kind: says nothing about elements of type substrate"),
    ([{"select": {"name": ["a", ""]}, "remove": "a"}], "rule 1, select.name: has an empty word"),
    ([{"select": {"regex": "a" * 2000}, "remove": "a"}], "rule 1, select.regex: is longer than 1,000 characters"),
    ([{"select": {"name": "a"}, "set": {"b": None}}], "rule 1, set.b: has no value ('' for an empty value; remove: takes an attribute away)"),
    ([{"select": {"name": "a"}, "set": {"b": ["x"]}}], "rule 1, set.b: '[\"x\"]' is not a text"),
    ([{"select": {"name": "a"}, "set": {"b": {}}}], "rule 1, set.b: is to be one of text, literal, cycle, spread, each"),
    ([{"select": {"name": "a"}, "set": {"b": {"cycle": 2, "spread": 2}}}], "rule 1, set.b: is to be one of text, literal, cycle, spread, each"),
    ([{"select": {"name": "a"}, "set": {"b": {"each": 0}}}], "rule 1, set.b.each: 0 is not a number (from 1 to 1,000,000)"),
    ([{"select": {"name": "a"}, "set": {"b": {"cycle": []}}}], "rule 1, set.b.cycle: '[]' is not a list of values"),
    ([{"select": {"name": "a"}, "set": {"b": {"cycle": 2, "of": ["x"]}}}], "rule 1, set.b.of: of belongs to each (cycle: [a, b])"),
    ([{"select": {"name": "a"}, "set": {"b": {"literal": "x", "text": "y"}}}], "rule 1, set.b: literal stands alone"),
    ([{"select": {"name": "a"}, "set": {"b": "{value}"}}], "rule 1, set.b: {value} has a meaning only where values are distributed"),
    ([{"select": {"name": "a"}, "set": {"containers:partition": 1, "benito:Partition": 2}}],
     "rule 1, set.benito:Partition: is the same attribute as containers:partition, which is set too"),
    ([{"select": {"name": "a"}, "set": {"": 1}}], "rule 1, set.: '' cannot be the name of an attribute"),
    ([{"select": {"name": "a"}, "remove": "a", "allow_none": "perhaps"}], "rule 1, allow_none: 'perhaps' is not true or false"),
    ([{"select": {"name": "a"}, "remove": "a"}] * 2000, "has 2,000 rules (at most 1,000)"),
])  # fmt: skip
def test_malformed_rule_is_refused(rules, fault):
    with pytest.raises(InputError) as caught:
        rules_of_data(rules)
    assert str(caught.value.problems[0]).startswith(fault)


@settings(max_examples=50, deadline=None)
@given(vtopos(), st.integers(1, 10), st.sampled_from(["cycle", "spread", "each"]))
def test_values_are_distributed_evenly_and_in_order(topology, number, how):
    found = [int(value) for value in values_of("mark", {"select": {"name": "*"}, "set": {"mark": {how: number}}}, topology=topology).values()]
    sizes = [found.count(value) for value in sorted(set(found))]
    assert len(found) == len(topology.computers) and sorted(set(found)) == list(range(len(sizes)))
    assert how == "cycle" or found == sorted(found)
    assert max(sizes[:-1] or [0]) == number if how == "each" and sizes[1:] else max(sizes) - min(sizes) <= 1


@settings(max_examples=50, deadline=None)
@given(topologies())
def test_rule_changes_nothing_else_in_a_topology(topology):
    """Setting an attribute everywhere and removing it again restores any topology. The marked topology survives a round trip."""
    element_types = ["computer", "substrate", "interface", "other", "experiment"]
    there = [{"select": {"element": element_type}, "set": {"a mark": "x"}, "allow_none": True} for element_type in element_types]
    away = [{"select": {"element": element_type}, "remove": "a mark", "allow_none": True} for element_type in element_types]
    once = annotated(*there, topology=topology).topology
    assert annotated(*there, topology=once).changes == ()
    assert annotated(*away, topology=once).topology == topology
    assert read_topdl_text(write_topdl(once).encode(), "again.xml")[0] == once


def test_unknown_content_that_a_reader_kept_stays_with_its_attribute():
    kept = (Unknown("", 'unit="kb"'),)
    topology = Topology(substrates=(Substrate(name="s", attributes=(Attribute("a", "1", kept),)),))
    (substrate,) = annotated({"select": {"element": "substrate"}, "set": {"a": "2"}}, topology=topology).topology.substrates
    assert substrate.attributes == (Attribute("a", "2", kept),)


scalars = st.none() | st.booleans() | st.integers(-5, 2000) | st.floats() | st.text(max_size=5) | st.sampled_from(["n-*", "[", "{value}", "qemu", "r"])
KEYS = [*SELECT_KEYS, *RULE_KEYS, "min", "max", "text", "literal", "cycle", "spread", "each", "of", "startup", "containers:node_type", ""]
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | scalars, inner, max_size=4), max_leaves=12)
likely = st.fixed_dictionaries({"select": st.dictionaries(st.sampled_from([key for key in SELECT_KEYS if key != "regex"]), anything, max_size=3) | anything},
                               optional={"set": st.dictionaries(st.sampled_from(KEYS), anything, max_size=3), "remove": anything, "allow_none": anything})


@settings(max_examples=300, deadline=None)
@given(st.lists(likely | anything, max_size=3) | anything)
def test_any_data_given_as_rules_is_applied_or_refused_with_a_message(data):
    try:
        annotate_by_rules(LAB, rules_of_data(data))
    except InputError as exc:
        assert all(str(problem).isprintable() for problem in exc.problems)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text("-{}[]:,&*!|>#'\"\\ \n\tab1~?%@", max_size=60).map(str.encode))
def test_any_rule_file_is_read_or_refused_with_a_message(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "rules.yml"
    path.write_bytes(content)
    try:
        rules_of_file(str(path), "rules.yml")
    except InputError as exc:
        assert all(str(problem).isprintable() for problem in exc.problems)
