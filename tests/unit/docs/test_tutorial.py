# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the tutorials match their descriptions: nodes, links, names, shaping and number of machines."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.passes import PassRule, rule_of
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.tests.unit.topology.ns.files import members, names, ways
from ansible_collections.deter.benito.tests.unit.tutorial import FOLDER, tutorial

STAR = ["center", *(f"n-{number}" for number in range(9))]
KIND = "containers:node_type"


def links_of_a_star(satellites, step=2):
    """Return {link: members} of a star. All objects share one counter, so its first link has the number 3."""
    return {f"tblink-l{step * number + 3}": ["center", f"n-{number}"] for number in range(satellites)}


def kinds(center, satellite, **others):
    return {"center": center, **{name: satellite for name in STAR[1:]}, **{name.replace("_", "-"): kind for name, kind in others.items()}}


@dataclass(frozen=True)
class Described:
    """The description of an example.

    nodes       in the order of their creation
    substrates  {name: members}
    shaping     {(substrate, from, to): (ms one way, kb/s, loss)}
    attributes  {attribute: {node: value}}
    """

    nodes: list
    substrates: dict
    shaping: dict = field(default_factory=dict)
    attributes: dict = field(default_factory=dict)


def star(satellites=9, **attributes):
    links = links_of_a_star(satellites)
    shaping = {(link, *ends): (10, 100_000, 0) for link, nodes in links.items() for ends in (nodes, nodes[::-1])}
    return Described(STAR[: satellites + 1], links, shaping, {name.replace("__", ":"): values for name, values in attributes.items()})


SIXTY = [f"n-{number}" for number in range(60)]
DESCRIBED = {
    "example1": star(),
    "example2": star(7, containers__node_type=dict.fromkeys(STAR[:8], "qemu")),
    "example3": star(containers__node_type=kinds("openvz", "qemu")),
    "example4": star(containers__node_type=kinds("openvz", "qemu", n_8="embedded_pnode")),
    "example5": star(containers__openvz_template={"center": "ubuntu-12.04-x86_64"}, containers__openvz_diskspace=dict.fromkeys(STAR[1:], "20G")),
    "example6": Described(
        ["center", *SIXTY],
        {f"lan-{lan}": ["center", *SIXTY[20 * lan : 20 * lan + 20]] for lan in range(3)},
        {("lan-0", "n-0", "center"): (0, 100_000, 0), ("lan-2", "n-40", "n-59"): (0, 100_000, 0)},
        {"containers:PartitionPass": {"center": "0", **{name: str(number // 20 + 1) for number, name in enumerate(SIXTY)}}},
    ),
    "basic": Described(
        ["nodeA", "nodeB", "nodeC", "nodeD"],
        {"link0": ["nodeA", "nodeB"], "lan0": ["nodeB", "nodeC", "nodeD"]},
        {("link0", "nodeA", "nodeB"): (50, 30_000, 0.01), ("link0", "nodeB", "nodeA"): (50, 30_000, 0.01), ("lan0", "nodeC", "nodeD"): (0, 10_000, 0)},
    ),
    "lans": Described(
        list("abcdefghi"),
        {"even": ["a", "b", "c"], "far": ["d", "e", "f"], "deter": ["g", "h", "i"]},
        {("even", "a", "b"): (10, 100_000, 0), ("far", "d", "e"): (100, 100_000, 0), ("far", "f", "d"): (100, 100_000, 0), ("far", "e", "f"): (0, 100_000, 0),
         ("deter", "g", "i"): (30, 1_000_000, 0)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DESCRIBED)
def test_example_matches_its_description(name):
    topology, warnings = tutorial(f"{name}.tcl")
    described = DESCRIBED[name]
    assert warnings == []
    assert names(topology) == described.nodes
    assert members(topology) == described.substrates
    for (substrate, *ends), expected in described.shaping.items():
        assert ways(topology, substrate)[tuple(ends)] == pytest.approx(expected), (substrate, *ends)
    for attribute, values in described.attributes.items():
        found = {node.name: node.attribute(attribute) for node in topology.computers}
        assert {node: value for node, value in found.items() if value is not None} == values


def test_first_lesson_sets_an_operating_system_and_an_address():
    node = tutorial("basic.tcl")[0].computers[0]
    assert node.operating_systems[0].attribute("osid") == "FBSD-STD"
    assert [node.interfaces[0].attribute(name) for name in ("ip4_address", "ip4_netmask")] == ["10.0.1.1", "255.255.255.0"]


def test_each_hop_has_half_of_the_delay_as_in_deters_own_converter():
    topology, _warnings = tutorial("example1.tcl")
    assert {substrate.latency.time_ms for substrate in topology.substrates} == {5}
    assert {interface.latency.time_ms for node in topology.computers for interface in node.interfaces} == {5}
    assert {(node.attribute("type"), node.attribute("failureaction")) for node in topology.computers} == {("pc", "fatal")}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.xml")), ids=lambda path: path.name)
def test_topdl_version_of_an_example_is_the_same_topology(path):
    in_topdl, warnings = tutorial(path.name)
    assert warnings == [] and in_topdl == tutorial(path.with_suffix(".tcl").name)[0]


# (example, settings, machines that its description has, the sizes of the machines of each pass here, the largest first; None: whatever they are)
EACH_TWENTY = {"0": 1, "1": 20}
MACHINES = [
    ("example1", {}, 1, [[10]]),
    ("example1", {"packing": 2}, 6, [[2, 2, 2, 2, 2]]),
    ("example2", {}, 1, [[8]]),
    ("example3", {}, 2, [[10]]),
    ("example3", {"passes": "original"}, 2, [[1, 9]]),
    ("example4", {}, 3, [[9, 1]]),
    ("example4", {"passes": "original"}, 3, [[1, 8, 1]]),
    ("example5", {}, 1, [[10]]),
    ("example6", {"pass_pack": {**EACH_TWENTY, "2": 10, "3": 5}}, 10, [[1], [20], [10, 10], [5, 5, 5, 5]]),
    ("example6", {"pass_pack": {**EACH_TWENTY, "2": 11, "3": 6}}, 8, [[1], [20], None, None]),
    ("example6", {"pass_pack": {**EACH_TWENTY, "2": 10, "3": 5}, "nodes_only": True}, 8, [[1], [20], [10, 10], [5, 5, 5, 5]]),
    ("example6", {"pass_size": {"0": 1, "1": 1, "2": 2, "3": 4}}, 8, [[1], [20], [10, 10], [5, 5, 5, 5]]),
    ("example6", {"pass_size": {"0": 1, "1": 1, "2": 2, "3": 4}, "nodes_only": True}, 8, [[1], [20], [10, 10], [5, 5, 5, 5]]),
    ("example6", {"packing": 5, "pass_pack": EACH_TWENTY}, math.inf, [[1], [20], [5, 5, 5, 5], [5, 5, 5, 5]]),
    ("example6", {"pass_size": {"1": 10}, "pass_pack": {"2": 5, "3": 10}}, 19, [[1], [2] * 10, [5, 5, 5, 5], [10, 10]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "chosen", "described", "sizes"), MACHINES, ids=lambda part: str(part) if isinstance(part, (str, dict)) else None)
def test_example_takes_no_more_machines_than_described_and_none_is_over_its_packing(name, chosen, described, sizes):
    topology, _warnings = tutorial(f"{name}.tcl")
    settings = EmbeddingSettings(default_container="openvz", **chosen)
    machines = embed(topology, settings).machines
    assert len(machines) <= described
    passes = {node.name: int(node.attribute("containers:PartitionPass") or 0) for node in topology.computers}
    found: dict[int, list[int]] = {}
    for machine in machines:
        number = max(passes[node] for node in machine.nodes)
        found.setdefault(number, []).append(len(machine.nodes))
        rule: PassRule = rule_of(number, settings)
        assert rule.parts or len(machine.nodes) <= rule.packing
    for of_pass, expected in zip(found.values(), sizes, strict=True):
        assert expected is None or sorted(of_pass) == sorted(expected)


def test_example_6_without_pass_packing_takes_the_fewest_machines_possible():
    assert len(embed(tutorial("example6.tcl")[0], EmbeddingSettings(packing=20)).machines) == 4, "center is in a pass by itself"


def test_readme_table_gives_the_number_of_machines():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| \[(\w+)\.tcl\].*?\| ([0-9; ]+ \| [0-9; ]+) \|$", page, re.MULTILINE))
    without_passes = [(name, described, sizes) for name, chosen, described, sizes in MACHINES if name != "example6" and "passes" not in chosen]
    counted: dict[str, list] = {}
    for name, described, sizes in without_passes:
        counted.setdefault(name, []).append((described, len(sizes[0])))
    assert said == {name: " | ".join("; ".join(map(str, side)) for side in zip(*pairs)) for name, pairs in counted.items()}
    assert {path.name for path in FOLDER.iterdir()} - {"README.md"} == set(re.findall(r"\((\w+\.(?:tcl|xml))\)", page))
