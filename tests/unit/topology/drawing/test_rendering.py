# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures drawn by Graphviz: names are unchanged, nothing overlaps, and all limits hold."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from math import dist
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.topology.drawing import rendering
from ansible_collections.deter.benito.plugins.module_utils.topology.drawing.drawing import Placement, Wanted, dot_text
from ansible_collections.deter.benito.plugins.module_utils.topology.drawing.layouts import MOST_MARKS, attempts
from ansible_collections.deter.benito.plugins.module_utils.topology.drawing.rendering import PROGRAMS, Attempt, render
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Computer, Interface, OtherElement, Substrate, Topology
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo
from ansible_collections.deter.benito.tests.unit.topology.drawing import gallery
from ansible_collections.deter.benito.tests.unit.topology.drawing.graphviz import Parsed, classes_of, line_texts_of, nodes_of, overlaps_of, texts_of, titles_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

NOWHERE = Placement()
AMPLE = 60


def folder_of(process: Path) -> str:
    """Return the working folder of a process, or "" if it has ended."""
    with contextlib.suppress(OSError):
        return os.readlink(process / "cwd")
    return ""


def svg(topology, placement=NOWHERE, program=None, seconds=AMPLE, **wanted):
    return render(attempts(topology, Wanted(**wanted), placement, program), ("svg",), seconds)


# --- names -----------------------------------------------------------------------------------------

ODD = [
    '"', "\\", 'a\\"', "\\N", "\\G", "&amp;", "&lt;", "&foo;", "&#65;", "<b>", "<", "-->", "a\nb", "\\n", "\x00", "\x1b[1m", "\u202e", "größe", "節点", "😀",
    "a:b", "{|}", "graph", "node", "", " ", "cluster", "cluster_a", "x" * 500, "%d%s", "//", "/*", "#", ";", "\ud800", "\ufffe",
]  # fmt: skip
names = st.sampled_from(ODD) | st.text(st.characters() | st.sampled_from("\\\"&<>\n;#{}|"), max_size=12)


@settings(deadline=None, max_examples=60)
@given(st.lists(names, min_size=1, max_size=5), names, names)
@example(ODD, "\\", '"')
def test_any_name_is_shown_unchanged_and_breaks_nothing(found, substrate, box):
    elements = tuple(Computer(name=name, interfaces=(Interface(name="i", substrates=(substrate,)),)) for name in found)
    topology = Topology(substrates=(Substrate(name=substrate),), elements=(*elements, OtherElement(name=box)))
    placement = Placement(dict.fromkeys(found, box), {found[0]: substrate})
    parsed = Parsed(dot_text(topology, Wanted(title=box), placement))
    joints = 0 if len(found) == 2 else 1
    assert (len(parsed.nodes), len(parsed.lines)) == (len(elements) + 1 + joints, 1 if len(found) == 2 else len(found))
    drawn = svg(topology, placement, program="fdp", title=box).files["svg"]
    shown = texts_of(drawn)
    for name in found:
        if name.strip() == name != "" and name.isprintable() and "  " not in name and len(name) <= 40:
            assert name in [text.replace("\xa0", " ") for text in shown], (name, shown)


def test_every_node_is_named_and_drawn_once():
    topology = gallery.every_kind()
    drawn = svg(topology).files["svg"]
    computers = [computer.name for computer in topology.computers]
    assert set(computers) <= set(texts_of(drawn)) & set(titles_of(drawn))
    assert classes_of(drawn).count("node") == len(topology.elements) + 4, "LANs: of three, four, one and no members"
    assert {"10.0.0.1", "uplink", "dmz"} <= set(texts_of(drawn))


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_draws_every_kind_of_element(program):
    topology = gallery.every_kind()
    placement = Placement({computer.name: "pnode-0000" for computer in topology.computers}, {"a": "vm-1", "b": "vm-2"})
    rendering_ = svg(topology, placement, program=program)
    assert (rendering_.program, rendering_.failed) == (program, ())
    assert {computer.name for computer in topology.computers} <= set(texts_of(rendering_.files["svg"]))
    assert classes_of(rendering_.files["svg"]).count("cluster") == (3 if program in ("dot", "fdp") else 0)


@pytest.mark.parametrize("topology", [Topology(), vtopo({}, nodes="a"), vtopo({"s": ""})], ids=["nothing", "one node", "a lonely substrate"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_nearly_empty_topology_is_drawn(topology, program):
    assert svg(topology, program=program, title="next to nothing").failed == ()


def test_each_output_has_the_requested_format():
    files = render(attempts(gallery.ring(5), Wanted(), NOWHERE), ("svg", "png", "pdf", "dot"), AMPLE).files
    assert [files[form][:4] for form in ("png", "pdf")] == [b"\x89PNG", b"%PDF"]
    assert b"<svg" in files["svg"]
    assert files["dot"].startswith(b"graph ")


def test_same_topology_gives_the_same_bytes():
    first, second = (render(attempts(gallery.every_kind(), Wanted(), NOWHERE), ("svg", "png", "pdf"), AMPLE).files for _time in range(2))
    assert first == second


# --- places of texts -------------------------------------------------------------------------------

TEN = {
    "a star": gallery.shaped(gallery.star(10)),
    "a ring": gallery.shaped(gallery.ring(10)),
    "a tree": gallery.shaped(gallery.tree(10)),
    "a grid": gallery.shaped(gallery.grid(3, 3)),
    "a LAN": gallery.lan(10),
    "LANs": gallery.shaped(gallery.lans_in_a_tree(3, 2)),
    "a web": gallery.shaped(gallery.preferential(10, kinds=gallery.KINDS)),
    "all with all": gallery.full(10),
    "every kind": gallery.every_kind(),
}


@pytest.mark.parametrize("name", TEN)
def test_nothing_overlaps_in_a_picture_of_ten_nodes(name):
    assert overlaps_of(svg(TEN[name]).files["svg"]) == []


@pytest.mark.parametrize("name", ["a tree", "LANs", "every kind"])
def test_nothing_overlaps_in_a_picture_with_boxes(name):
    computers = [computer.name for computer in TEN[name].computers]
    placement = Placement({computer: f"pnode-{number // 4:04}" for number, computer in enumerate(computers)})
    drawn = svg(TEN[name], placement)
    assert drawn.program == "dot"
    assert classes_of(drawn.files["svg"]).count("cluster") == -(-len(computers) // 4)
    assert overlaps_of(drawn.files["svg"]) == []


def test_address_is_nearer_to_its_own_node_than_to_the_other():
    drawn = etree.fromstring(svg(gallery.star(6)).files["svg"])
    middles = {box.what: box.middle for box in nodes_of(drawn)}
    for number in range(5):
        (text,) = (box for box in line_texts_of(drawn) if box.what == f"10.0.{number}.2")
        assert dist(text.middle, middles[f"n-{number + 1}"]) < dist(text.middle, middles["n-0"])


# --- size and limits -------------------------------------------------------------------------------


def processor_seconds() -> float:
    """Return what this process and its children have used. Other work on the machine does not count."""
    return sum(os.times()[:4])


def test_ten_nodes_take_well_under_a_second():
    began = processor_seconds()
    render(attempts(gallery.preferential(10, kinds=gallery.KINDS), Wanted(), NOWHERE), ("svg", "png"), AMPLE)
    assert processor_seconds() - began < 3, "a slow machine takes a tenth of that"


@pytest.mark.parametrize("topology", [gallery.preferential(500), gallery.tree(500), gallery.lans_in_a_tree(20, 24)], ids=["preferential", "tree", "LANs"])
def test_five_hundred_nodes_are_drawn_and_named_within_the_default_limit(topology):
    drawn = svg(topology, seconds=20)
    assert {computer.name for computer in topology.computers} <= set(texts_of(drawn.files["svg"]))


def test_slow_program_is_replaced_by_a_faster_one_with_a_warning():
    drawn = svg(gallery.preferential(400), program="circo", seconds=8)
    assert drawn.program == "sfdp"
    assert drawn.failed == ("circo did not end within 4.8 s",)


def test_impossible_time_limit_is_an_error_and_leaves_no_process(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(rendering.tempfile, "tempdir", None)
    with pytest.raises(BenitoError, match="neato did not end within 0.0006 s"):
        svg(gallery.ring(50), seconds=0.001)
    assert list(tmp_path.iterdir()) == []
    assert not [process for process in Path("/proc").glob("[0-9]*") if str(tmp_path) in folder_of(process)]


def test_program_over_the_memory_limit_is_stopped(monkeypatch):
    monkeypatch.setattr(rendering, "MEMORY_MB", 40)
    with pytest.raises(BenitoError, match="neato failed .*; sfdp failed"):
        svg(gallery.ring(50))


def test_five_thousand_nodes_are_drawn_or_refused_in_time():
    began = processor_seconds()
    try:
        drawn = svg(gallery.tree(5000), seconds=15)
        assert len(texts_of(drawn.files["svg"])) > 5000
    except BenitoError as exc:
        assert "sfdp did not end within" in str(exc)
    assert processor_seconds() - began < 25


def test_slow_large_picture_is_drawn_with_overlapping_nodes_and_a_warning():
    ways = attempts(gallery.ring(1100), Wanted(), NOWHERE)
    assert [(way.program, way.note) for way in ways] == [("sfdp", ""), ("sfdp", " with nodes over each other")]
    assert render(ways[1:], ("svg",), AMPLE).note == " with nodes over each other"


def test_too_many_nodes_are_refused_at_once():
    topology = Topology(elements=tuple(Computer(name=f"n{number}") for number in range(MOST_MARKS + 1)))
    with pytest.raises(BenitoError, match="are too many for a picture"):
        svg(topology)


def test_missing_program_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(BenitoError, match="pictures need the program neato: install the package graphviz"):
        svg(gallery.ring(5))


def test_only_programs_of_graphviz_are_run():
    with pytest.raises(BenitoError, match="there is no program '/bin/sh'"):
        render([Attempt("/bin/sh", lambda: "graph {}")], ("svg",), AMPLE)


def test_error_of_graphviz_is_passed_on():
    with pytest.raises(BenitoError, match="dot failed .*syntax error"):
        render([Attempt("dot", lambda: "graph {")], ("svg",), AMPLE)


def test_dot_text_is_written_without_graphviz(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    assert render(attempts(gallery.ring(5), Wanted(), NOWHERE), ("dot",), AMPLE).files["dot"].startswith(b"graph ")
