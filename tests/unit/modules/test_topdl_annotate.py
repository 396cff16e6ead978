# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module topdl_annotate reads, writes, reports changes and refuses bad input, as a user sees it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl
from ansible_collections.deter.benito.plugins.modules import containerize, topdl_annotate

LAB = """<!-- a comment -->
<topology><version>1.0</version>
<substrates><name>lan</name><widget colour="red"/></substrates>
<elements><computer><name>a</name><interface><substrate>lan</substrate></interface></computer></elements>
<elements><computer><name>b</name><interface><substrate>lan</substrate></interface>
<attribute><attribute>startup</attribute><value>hostname</value></attribute></computer></elements>
</topology>
"""
NS = """set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set lan0 [$ns make-lan "$a $b" 10Mb 10ms]
$ns run
"""
RULES = """---
# who does what
- select: {name: a}
  set:
    containers:partition: 007
    startup: yes
- select:
    has: startup
    name: b
  remove: startup
"""


class Outcome:
    """The result of a module run, and whether it failed."""

    def __init__(self, status, text):
        self.result = json.loads(text)
        self.failed = status != 0
        self.message = self.result["msg"]


def run(module=topdl_annotate, check=False, **options):
    out = io.StringIO()
    arguments = {"_ansible_check_mode": check, **options}
    with patch_module_args(arguments), contextlib.redirect_stdout(out), pytest.raises(SystemExit) as caught:
        module.main()
    return Outcome(caught.value.code, out.getvalue())


@pytest.fixture(name="files")
def fixture_files(tmp_path, monkeypatch):
    """Make a working directory with a topology in both formats, and rules."""
    for name, text in (("lab.xml", LAB), ("lab.tcl", NS), ("rules.yml", RULES)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def attributes(path):
    topology, _warnings = read_topdl(str(path))
    return {computer.name: {one.name: one.value for one in computer.attributes} for computer in topology.computers}


def test_rule_file_produces_a_new_file_and_keeps_the_old_one(files):
    outcome = run(topology="lab.xml", rules="rules.yml")
    assert not outcome.failed and outcome.result["changed"]
    assert outcome.message == "3 attributes of 2 elements differ from lab.xml; lab-annotated.xml is written."
    assert attributes("lab-annotated.xml") == {"a": {"containers:partition": "007", "startup": "yes"}, "b": {}}
    assert (files / "lab.xml").read_text() == LAB
    assert outcome.result["elements"] == {"computer a": {"containers:partition": "007", "startup": "yes"}, "computer b": {"startup": None}}
    assert outcome.result["selected"] == [1, 1]
    assert '<widget colour="red"/>' in (files / "lab-annotated.xml").read_text()


def test_unchanged_output_is_not_written_again(files):
    run(topology="lab.xml", rules="rules.yml")
    before = os.stat("lab-annotated.xml")
    again = run(topology="lab.xml", rules="rules.yml")
    assert not again.failed and not again.result["changed"]
    assert again.message == "3 attributes of 2 elements differ from lab.xml; lab-annotated.xml is as it should be."
    assert os.stat("lab-annotated.xml") == before


def test_check_mode_reports_the_same_and_writes_nothing(files):
    told = run(check=True, topology="lab.xml", rules="rules.yml")
    assert told.message == "3 attributes of 2 elements differ from lab.xml; lab-annotated.xml would be written."
    assert sorted(os.listdir()) == ["lab.tcl", "lab.xml", "rules.yml"]
    done = run(topology="lab.xml", rules="rules.yml")
    assert {**told.result, "msg": ""} == {**done.result, "msg": ""}


def test_diff_lists_the_changed_attributes(files):
    diff = run(check=True, topology="lab.xml", name="b", set={"startup": "two\nlines", "containers:ghost": True}).result["diff"]
    assert diff == {
        "before_header": "lab.xml", "after_header": "lab-annotated.xml", "before": "computer b: startup = hostname\n",
        "after": "computer b: startup = 'two\\nlines'\ncomputer b: containers:ghost = true\n"}  # fmt: skip


def test_in_place_change_keeps_the_mode_and_no_change_keeps_the_bytes(files):
    os.chmod("lab.xml", 0o640)
    unchanged = run(topology="lab.xml", in_place=True, name="b", set={"startup": "hostname"})
    assert not unchanged.result["changed"] and unchanged.message == "No attribute differs from lab.xml; lab.xml is as it should be."
    assert (files / "lab.xml").read_text() == LAB, "its comment, too"
    changed = run(topology="lab.xml", in_place=True, names=["b"], set={"startup": "date"})
    assert changed.result["changed"] and attributes("lab.xml")["b"] == {"startup": "date"}
    assert stat.S_IMODE(os.stat("lab.xml").st_mode) == 0o640
    assert not run(topology="lab.xml", out="lab.xml", names="b", set={"startup": "date"}).result["changed"]


def test_in_place_change_warns_of_comments_and_keeps_a_surrounding_document(files, capsys):
    (files / "mail.xml").write_text("<mail><topology>" + LAB.partition("<topology>")[2].replace("</topology>", "</topology></mail>"))
    refused = run(topology="mail.xml", in_place=True, name="b", set={"startup": "date"})
    assert refused.message == "mail.xml: what is around the topology would be lost (out=FILE instead of in_place)"
    assert (files / "mail.xml").read_text().startswith("<mail>")
    assert not run(topology="mail.xml", name="b", set={"startup": "date"}).failed
    warnings = run(topology="lab.xml", in_place=True, name="b", set={"startup": "date"}).result.get("warnings")
    assert "lab.xml: its comments are not kept" in json.dumps(warnings) + capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_in_place_change_keeps_the_owner_and_symbolic_links(files):
    os.chown("lab.xml", 1234, 1234)
    os.symlink("lab.xml", "link.xml")
    assert run(topology="link.xml", in_place=True, name="b", set={"startup": "date"}).result["changed"]
    assert os.path.islink("link.xml") and os.stat("lab.xml").st_uid == 1234 and attributes("lab.xml")["b"] == {"startup": "date"}


def test_new_file_gets_the_default_mode(files):
    run(topology="lab.xml", rules="rules.yml")
    (files / "other").write_text("")
    assert os.stat("lab-annotated.xml").st_mode == os.stat("other").st_mode


def test_ns_file_becomes_topdl_that_containerize_reads(files):
    outcome = run(topology="lab.tcl", out="lab-2.xml", name="*", set={"containers:partition": "{index}", "containers:node_type": "process"})
    assert not outcome.failed, outcome.message
    made = run(containerize, topology="lab-2.xml", pid="Test", eid="lab", benito_home=str(files / "home"))
    assert made.result["pnodes"] == {"pnode-0000": ["a"], "pnode-0001": ["b"]}


def test_paths_are_relative_to_chdir(files, monkeypatch):
    monkeypatch.chdir("/")
    assert not run(topology="lab.xml", rules="rules.yml", out="new.xml", chdir=str(files)).failed
    assert (files / "new.xml").exists()


def test_rules_may_be_the_value_of_a_key(files):
    (files / "rules.yml").write_text("rules:\n" + RULES.replace("---\n", "").replace("\n", "\n  ").replace("# who", "  # who", 1).rstrip() + "\n")
    assert run(topology="lab.xml", rules="rules.yml").result["selected"] == [1, 1]


BAD_RULES = {
    "not YAML": ("- select: {", "rules.yml:1: is not YAML: "),
    "empty": ("# nothing\n", "rules.yml: has no rules"),
    "no list": ("select: {name: a}\n", "rules.yml:1: is not a list of rules"),
    "an alias": ("- &a {}\n- *a\n", "rules.yml: YAML aliases have no use in rules"),
    "a key twice": ("- select: {name: a}\n  set: {x: 1}\n  select: {name: b}\n", "rules.yml:3: select: stands twice (first in line 1)"),
    "a key that is a list": ("- [a]: b\n", "rules.yml:1: a list or map cannot be a key"),
    "a value that is none": ("- select: {name: a}\n  set:\n    startup:\n", "rules.yml:3: rule 1, set.startup: has no value"),
    "a value that makes no sense": ("- select: {name: a}\n\n  set:\n    containers:node_type: vm\n", "rules.yml:4: rule 1, set.containers:node_type: 'vm' is"),
    "nothing selected": ("- select:\n    name: a\n  remove: x\n- select: {name: c}\n  remove: x\n", "rules.yml:4: rule 2, select: selects nothing (there are"),
    "nested too deep": ("- " * 100_000, "rules.yml: is not YAML: "),
    "too large": ("#" * 1_000_001, "rules.yml: is larger than 1,000,000 characters"),
}  # fmt: skip
BAD_OPTIONS = {
    "a topology that is not there": ({"topology": "none.xml", "rules": "rules.yml"}, "none.xml: cannot be read: No such file"),
    "rules that are not there": ({"topology": "lab.xml", "rules": "none.yml"}, "none.yml: cannot be read: No such file"),
    "rules that are a device": ({"topology": "lab.xml", "rules": "/dev/zero"}, "/dev/zero: is not a regular file"),
    "rules and a rule": ({"topology": "lab.xml", "rules": "rules.yml", "name": "a"}, "name: rules are given, too"),
    "nothing to do": ({"topology": "lab.xml", "name": "a"}, "neither sets nor removes anything"),
    "nothing selected": ({"topology": "lab.xml", "set": {"a": 1}}, "select: selects nothing in particular"),
    "an NS file in place": ({"topology": "lab.tcl", "name": "a", "remove": "x", "in_place": True}, "a file of the format NS cannot be changed in place"),
    "two places to write": ({"topology": "lab.xml", "rules": "rules.yml", "in_place": True, "out": "x.xml"}, "in_place: out and in_place cannot both be"),
    "an out that is an NS file": ({"topology": "lab.xml", "rules": "rules.yml", "out": "lab.tcl"}, "out: 'lab.tcl' is no name for a TopDL file"),
    "an out of no format": ({"topology": "lab.xml", "rules": "rules.yml", "out": "rules.yml"}, "rules.yml: is no name of a topology that is written"),
    "an out that is a folder": ({"topology": "lab.xml", "rules": "rules.yml", "out": "/"}, "/: is no name of a topology that is written"),
    "an out in no folder": ({"topology": "lab.xml", "rules": "rules.yml", "out": "none/x.xml"}, "none/x.xml: cannot be written: there is no such folder"),
    "an unknown profile": ({"topology": "lab.tcl", "rules": "rules.yml", "ns_profile": "utah"}, "ns_profile: 'utah' is not allowed (one of default, emulab)"),
}


@pytest.mark.parametrize("case", BAD_RULES)
def test_malformed_rules_are_refused_with_their_line(files, case):
    content, expected = BAD_RULES[case]
    (files / "rules.yml").write_text(content)
    assert_refused(files, run(topology="lab.xml", rules="rules.yml"), expected)


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_invalid_option_gets_one_clear_message(files, case):
    options, expected = BAD_OPTIONS[case]
    assert_refused(files, run(**options), expected)


def assert_refused(files, outcome, expected):
    assert outcome.failed and expected in outcome.message, outcome.message
    assert "Traceback" not in json.dumps(outcome.result) and len(outcome.message.splitlines()) == 1
    assert sorted(os.listdir()) == ["lab.tcl", "lab.xml", "rules.yml"]


@pytest.mark.parametrize("content", ["dear diary\n", "set ns [new Simulator]\n$ns run\n"])
def test_existing_file_that_is_not_topdl_is_not_overwritten(files, content):
    (files / "mine.xml").write_text(content)
    outcome = run(topology="lab.xml", rules="rules.yml", out="mine.xml")
    assert outcome.failed and outcome.message == "mine.xml: is there and is no TopDL file; it is not overwritten (another name for out)"
    assert (files / "mine.xml").read_text() == content


def test_topology_is_known_by_its_content(files):
    (files / "lab.txt").write_bytes((files / "lab.tcl").read_bytes())
    outcome = run(topology="lab.txt", name="a", remove="x", in_place=True)
    assert outcome.failed and "lab.txt: in_place: a file of the format NS cannot be changed in place" in outcome.message
    assert not run(topology="lab.txt", out="new.xml", name="*", set={"colour": "red"}).failed


def test_faults_of_topology_rules_and_output_are_reported_together(files):
    (files / "lab.xml").write_text(LAB.replace("<name>b</name>", "<name>a</name>"))
    (files / "rules.yml").write_text("- select: {nam: a}\n  remove: x\n")
    outcome = run(topology="lab.xml", rules="rules.yml", out="none/x.xml")
    assert [line.split(":")[0] for line in outcome.message.splitlines()] == ["rules.yml", "lab.xml", "none/x.xml"]


def test_faults_of_applying_and_of_reading_rules_are_reported_together(files):
    text = "- select: {name: a}\n  set: {containers:node_type: vm}\n- select: {nam: a}\n  remove: x\n- select: {name: later}\n  remove: x\n"
    (files / "rules.yml").write_text(text)
    outcome = run(topology="lab.xml", rules="rules.yml")
    assert [line.split(" (")[0] for line in outcome.message.splitlines()] == [
        "rules.yml:3: rule 2, select.nam: there is no such key", "rules.yml:2: rule 1, set.containers:node_type: 'vm' is not one of its values"]  # fmt: skip


def test_warnings_of_file_and_rules_are_shown(files, capsys):
    warnings = run(topology="lab.xml", name="a", set={"containers:nodetype": "qemu"}).result.get("warnings")
    shown = json.dumps(warnings) + capsys.readouterr().err  # where Ansible's plugins are loaded in this process, it prints them at once
    assert "lab.xml:3: substrate lan: <widget> is not known here" in shown and "perhaps containers:node_type" in shown
