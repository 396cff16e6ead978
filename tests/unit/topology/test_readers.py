# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Input files are kept unchanged, with the files that they name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.ns import sourced
from ansible_collections.deter.benito.plugins.module_utils.topology.readers import FORMS, read_input
from ansible_collections.deter.benito.plugins.module_utils.topology.recognition import named_signs
from ansible_collections.deter.benito.tests.unit.topology.ns.files import HEAD, TAIL, TWO

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_kept_file_is_read_by_the_same_reader():
    assert [named_signs(form.kept, [one.sign for one in FORMS])[0] for form in FORMS] == [form.sign for form in FORMS]


@pytest.mark.parametrize("path", ["quickstart/quickstart.xml", "imports/campus.graphml", "imports/routers.clab.yml"])
def test_examples_are_read_and_kept_unchanged(path):
    found = read_input(EXAMPLES / path, path)
    assert found.topology.computers and found.kept() == {found.form.kept: (EXAMPLES / path).read_bytes()}
    assert all(str(warning).startswith(f"{path}:") for warning in found.warnings)


def test_reader_gives_the_warnings_that_the_guide_shows():
    shown = re.findall(r"^    (examples/imports/([^:]*):.*)$", (EXAMPLES.parent / "docs" / "importing.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(shown) == 3
    for line, name in shown:
        assert line in [str(warning) for warning in read_input(EXAMPLES / "imports" / name, f"examples/imports/{name}").warnings]


def test_path_that_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.graphml")
    for name, wrong in (("none.graphml", "No such file"), ("pipe.graphml", "is not a regular file"), (".", "Is a directory"), ("a\0b", "cannot be read")):
        with pytest.raises(InputError, match=wrong):
            read_input(os.path.join(tmp_path, name), name)


# --- files that an NS file reads -------------------------------------------------------------------


@pytest.fixture(name="lab")
def fixture_lab(tmp_path):
    (tmp_path / "my parts" / "deep").mkdir(parents=True)
    (tmp_path / "my parts" / "net.tcl").write_text("source {my parts/deep/c.tcl}\n$ns duplex-link $a $c 1Mb 0ms DropTail\n")
    (tmp_path / "my parts" / "deep" / "c.tcl").write_text("set c [$ns node]\n")
    (tmp_path / "alias.tcl").symlink_to("my parts/deep/c.tcl")
    (tmp_path / "lab.tcl").write_text(HEAD + TWO + "source {my parts/net.tcl}" + TAIL)
    return tmp_path


def test_companion_files_are_kept_by_path_and_can_be_read_again(lab, tmp_path):
    found = read_input(lab / "lab.tcl", "lab.tcl")
    assert sorted(found.kept()) == ["experiment.tcl", "experiment.tcl.d/my parts/deep/c.tcl", "experiment.tcl.d/my parts/net.tcl"]
    place = tmp_path / "kept"
    for name, text in found.kept().items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(text)
    again = read_input(place / "experiment.tcl", "experiment.tcl")
    assert again.topology == found.topology and again.kept() == found.kept()
    (place / "experiment.tcl.d" / "my parts" / "net.tcl").write_text("nonsense\n")
    with pytest.raises(InputError, match=r"^experiment.tcl.d/my parts/net.tcl:1: there is no command nonsense"):
        read_input(place / "experiment.tcl", "experiment.tcl")


def test_symbolic_link_is_kept_as_its_target(lab):
    (lab / "lab.tcl").write_text(HEAD + TWO + "source alias.tcl" + TAIL)
    assert read_input(lab / "lab.tcl").also == {"alias.tcl": b"set c [$ns node]\n"}


def test_file_that_cannot_be_kept_is_refused(lab, monkeypatch):
    (lab / "odd\nname.tcl").write_text("set d [$ns node]\n")
    (lab / "lab.tcl").write_text(HEAD + TWO + 'source "odd\\nname.tcl"' + TAIL)
    with pytest.raises(InputError, match=r":5: source: 'odd\\nname.tcl' cannot be kept with the experiment: its name has characters"):
        read_input(lab / "lab.tcl")
    monkeypatch.setattr(sourced, "MOST_FILES", 1)
    (lab / "lab.tcl").write_text(HEAD + TWO + "source {my parts/net.tcl}" + TAIL)
    with pytest.raises(InputError, match=r"'my parts/deep/c.tcl' is one too many \(at most 1 files"):
        read_input(lab / "lab.tcl")
