# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module topdl_image draws topologies and refuses bad input, as a user sees it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import stat

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.create import Request, prepare
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.writer import write_topdl
from ansible_collections.deter.benito.plugins.modules import topdl_image
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo
from ansible_collections.deter.benito.tests.unit.topology.drawing import gallery
from ansible_collections.deter.benito.tests.unit.topology.drawing.graphviz import Parsed, classes_of, texts_of

LAB = vtopo(
    {"lan0": "a b c", "link0": "c d"},
    a={"node_type": "process", "partition": "0"}, b={"node_type": "process", "vhost": "vm", "partition": "0"},
    c={"node_type": "openvz", "partition": "1"}, d={"node_type": "embedded_pnode"},
)  # fmt: skip
NS = """set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set link0 [$ns duplex-link $a $b 100Mb 10ms DropTail]
$ns run
"""


class Outcome:
    """The result and warnings of a module run, and whether it failed."""

    def __init__(self, status, text, noise):
        self.result = json.loads(text)
        self.failed = status != 0
        self.message = self.result["msg"]
        self.warnings = json.dumps(self.result.get("warnings", [])) + noise


@pytest.fixture(name="work")
def fixture_work(tmp_path, monkeypatch):
    """Make a working directory with two topologies and an experiment of one of them."""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    (work / "lab.xml").write_text(write_topdl(LAB))
    (work / "lab.tcl").write_text(NS)
    monkeypatch.chdir(work)
    monkeypatch.setenv("BENITO_HOME", str(home))
    prepare(Request("DeterTest", "first", "lab.xml", settings={"image": False})).write()
    return work


@pytest.fixture(name="run")
def fixture_run(work, capsys):
    """Return a function that runs the module in this process instead of one that Ansible starts."""

    def run(check=False, **options):
        out = io.StringIO()
        with patch_module_args({"_ansible_check_mode": check, **options}), contextlib.redirect_stdout(out), pytest.raises(SystemExit) as caught:
            topdl_image.main()
        return Outcome(caught.value.code, out.getvalue(), capsys.readouterr().err)

    return run


@pytest.mark.parametrize("names", [{"experiment": "DeterTest/first"}, {"pid": "DeterTest", "eid": "first"}])
def test_experiment_is_drawn_with_addresses_under_its_name_into_the_current_folder(run, work, names):
    outcome = run(**names)
    assert not outcome.failed
    assert outcome.result["path"] == str(work / "first.svg")
    assert outcome.message == f"DeterTest/first: 4 nodes, drawn by {outcome.result['program']} in {work}/first.svg"
    assert {"a", "b", "c", "d", "10.0.0.1", "10.0.1.2"} <= set(texts_of((work / "first.svg").read_bytes()))


def test_topology_is_drawn_unchanged(run, work):
    assert not run(topology="lab.xml").failed
    texts = texts_of((work / "lab.svg").read_bytes())
    assert {"a", "b", "c", "d", "lan0", "link0"} <= set(texts)
    assert "10.0.0.1" not in texts


def test_ns_file_is_drawn(run, work):
    assert not run(topology="lab.tcl", out="x.svg").failed
    assert {"a", "b", "link0", "100 Mb/s, 10 ms"} <= set(texts_of((work / "x.svg").read_bytes()))


@pytest.mark.parametrize(("name", "begin"), [("x.svg", b"<?xml"), ("x.PNG", b"\x89PNG"), ("x.pdf", b"%PDF"), ("x.dot", b"graph ")])
def test_suffix_decides_the_format(run, work, name, begin):
    assert not run(topology="lab.xml", out=name).failed
    assert (work / name).read_bytes().startswith(begin)


def test_relative_paths_are_relative_to_chdir(run, work, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    assert not run(topology="lab.xml", out="y.svg", chdir=str(work)).failed
    assert (work / "y.svg").exists()


def test_partitions_are_boxes_with_the_names_of_the_pnodes(run, work):
    assert not run(experiment="DeterTest/first", partitions=True, out="x.dot").failed
    assert Parsed((work / "x.dot").read_text()).boxes == {"pnode-0000": ["a", "b"], "vm": ["b"], "pnode-0001": ["c"], "pnode-0002": ["d"]}


def test_final_topology_has_the_same_boxes_and_no_machines_as_nodes(run, work, tmp_path):
    topology = tmp_path / "home/proj/DeterTest/exp/first/topo.xml"
    assert not run(topology=str(topology), partitions=True, out="x.dot").failed
    picture = Parsed((work / "x.dot").read_text())
    assert picture.boxes == {"pnode-0000": ["a", "b", "vm"], "vm": ["b", "vm"], "pnode-0001": ["c"], "pnode-0002": ["d"]}
    assert sorted(picture.nodes) == ["a", "b", "c", "d", "lan0", "vm"]


def test_partitions_of_a_plain_topology_keep_their_authors_names(run, work):
    assert not run(topology="lab.xml", partitions=True, out="x.dot").failed
    assert Parsed((work / "x.dot").read_text()).boxes == {"partition 0": ["a", "b"], "vm": ["b"], "partition 1": ["c"]}


def test_boxes_without_partitions_give_a_warning(run, work):
    outcome = run(topology="lab.tcl", partitions=True)
    assert not outcome.failed
    assert "has no partitions, so there are no boxes" in outcome.warnings


def test_program_without_boxes_gives_a_warning_and_nodes_name_their_pnode(run, work):
    outcome = run(experiment="DeterTest/first", partitions=True, program="circo")
    assert outcome.result["program"] == "circo"
    assert "circo draws no boxes: each node names its pnode" in outcome.warnings
    assert texts_of((work / "first.svg").read_bytes()).count("pnode-0000") == 2


def test_addresses_can_be_left_out(run, work):
    assert not run(experiment="DeterTest/first", addresses=False).failed
    assert not [text for text in texts_of((work / "first.svg").read_bytes()) if text.startswith("10.")]


def test_second_run_and_check_mode_change_nothing(run, work):
    would = run(experiment="DeterTest/first", check=True)
    assert would.result["changed"]
    assert "would be drawn" in would.message
    assert not (work / "first.svg").exists()
    assert run(experiment="DeterTest/first").result["changed"]
    written = os.stat(work / "first.svg").st_mtime_ns
    assert not run(experiment="DeterTest/first").result["changed"]
    assert not run(experiment="DeterTest/first", check=True).result["changed"]
    assert os.stat(work / "first.svg").st_mtime_ns == written


def test_new_picture_gets_the_default_mode_and_an_old_one_keeps_its_mode(run, work):
    before = os.umask(0o027)
    try:
        assert not run(topology="lab.xml").failed
        assert stat.S_IMODE(os.stat(work / "lab.svg").st_mode) == 0o640
        os.chmod(work / "lab.svg", 0o604)
        assert run(topology="lab.xml", program="circo").result["changed"]
        assert stat.S_IMODE(os.stat(work / "lab.svg").st_mode) == 0o604
    finally:
        os.umask(before)


def test_result_names_the_faster_program_that_was_used_instead(run, work):
    (work / "large.xml").write_text(write_topdl(gallery.preferential(400)))
    outcome = run(topology="large.xml", program="circo", image_limit_s=8)
    assert outcome.result["program"] == "sfdp"
    assert "circo did not end within 4.8 s, so sfdp drew it" in outcome.warnings


REFUSED = {
    "nothing": ({}, "nothing to draw is given"),
    "two things": ({"experiment": "DeterTest/first", "topology": "lab.xml"}, "two things to draw are given"),
    "an experiment twice": ({"experiment": "DeterTest/first", "pid": "DeterTest", "eid": "first"}, "experiment: is given, and pid and eid are, too"),
    "a project alone": ({"pid": "DeterTest"}, "parameters are required together: pid, eid"),
    "half an experiment": ({"experiment": "first"}, "experiment: 'first' is no experiment (PROJECT/EXPERIMENT"),
    "an experiment that is a path": ({"experiment": "../../etc"}, "is not a name"),
    "an experiment that is not there": ({"experiment": "DeterTest/none"}, "experiment DeterTest/none does not exist"),
    "a topology that is not there": ({"topology": "none.xml"}, "none.xml: cannot be read: No such file"),
    "a topology that is a device": ({"topology": "/dev/zero"}, "/dev/zero: is not a regular file"),
    "a topology that is none": ({"topology": "bad.xml"}, "bad.xml: is in none of the formats that are read: it is XML that begins with <nothing>"),
    "a suffix that is none": ({"topology": "lab.xml", "out": "x.jpeg"}, "out: 'x.jpeg' does not end like a picture (with .svg, .png, .pdf, .dot)"),
    "no suffix": ({"topology": "lab.xml", "out": "x"}, "out: 'x' does not end like a picture"),
    "a folder that is not there": ({"topology": "lab.xml", "out": "no/x.svg"}, "out: there is no folder"),
    "a folder": ({"topology": "lab.xml", "out": "folder.svg"}, "out: folder.svg is a folder"),
    "another program": ({"topology": "lab.xml", "program": "sh"}, "value of program must be one of: dot, neato"),
    "no time": ({"topology": "lab.xml", "image_limit_s": 0.001}, "dot did not end within"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_undrawable_input_gets_one_clear_message_and_leaves_nothing(run, work, case):
    options, expected = REFUSED[case]
    (work / "folder.svg").mkdir()
    (work / "bad.xml").write_text("<nothing/>")
    before = sorted(os.listdir(work))
    outcome = run(**options)
    assert outcome.failed
    assert expected in outcome.message
    assert sorted(os.listdir(work)) == before


def test_missing_graphviz_is_an_error_that_names_the_package_except_for_dot_text(run, work, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    outcome = run(topology="lab.xml")
    assert outcome.failed
    assert outcome.message == "pictures need the program dot: install the package graphviz"
    assert not run(topology="lab.xml", out="x.dot").failed


def test_every_kind_of_element_is_drawn_from_a_file(run, work):
    (work / "every.xml").write_text(write_topdl(gallery.every_kind()))
    assert not run(topology="every.xml", partitions=True).failed
    assert classes_of((work / "every.svg").read_bytes()).count("cluster") >= 4
