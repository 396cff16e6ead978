# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/topologies.md and docs/topologies-reference.md tell the truth: a real shell and ansible-playbook run their commands, section by section."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.deter.benito.plugins.module_utils.annotating.applying import annotate_by_rules
from ansible_collections.deter.benito.plugins.module_utils.annotating.rule_reader import SELECT_KEYS, rules_of_data
from ansible_collections.deter.benito.plugins.module_utils.annotating.values import PLACEHOLDERS
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl_text
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo
from ansible_collections.deter.benito.tests.unit.topology.ns.files import ways
from pages import as_pattern, blocks, steps

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / name for name in ("topologies.md", "topologies-reference.md")]
TEXTS = [page.read_text(encoding="utf-8") for page in PAGES]
GUIDE, REFERENCE = TEXTS
SECTIONS = [(title, text) for text in TEXTS for title in re.findall(r"^## (.*)$", text, re.MULTILINE)]
BLOCKS = [block for page in PAGES for block in blocks(page)]
STEPS = [step for page in PAGES for step in steps(page)]
FILES = {name: text for what, name, text in STEPS if what == "file"}
COMMANDS = [command for what, command, _output in STEPS if what == "command"]


@pytest.fixture(name="shell")
def fixture_shell(tmp_path):
    """Return a function that runs a command as the reader would, in a folder with the files of both pages and with a separate HOME."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "home").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BENITO_"))}
    environment.update(
        HOME=str(tmp_path / "home"),
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".ansible" / "collections"),
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
        ANSIBLE_NOCOWS="true",
    )

    def run(command):
        return subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)

    return run


def section(title: str, text: str, tmp_path: Path) -> list[tuple[str, str]]:
    """Return the commands of a section of the page ``text``, each with what it prints."""
    part = re.search(rf"^## {re.escape(title)}$.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL).group()
    (tmp_path / "section.md").write_text(part, encoding="utf-8")
    return [(command, output) for what, command, output in steps(tmp_path / "section.md") if what == "command"]


@pytest.mark.parametrize(("title", "text"), SECTIONS, ids=[title for title, _text in SECTIONS])
def test_the_section_tells_the_truth(title, text, shell, tmp_path):
    commands = section(title, text, tmp_path)
    assert commands, "a section without an example"
    for command, output in commands:
        done = shell(command)
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == ("fatal:" in output), f"{command}\n{said}"
        assert re.fullmatch(as_pattern(output), done.stdout), f"{command}\n{said}"
        assert "Traceback" not in said


def test_every_file_of_the_pages_is_used_by_a_command_and_every_block_is_a_file_or_commands():
    assert {language for language, _text in BLOCKS} == {"console", "xml", "tcl", "yaml"}
    assert [name for name in FILES if not any(re.search(rf"\b{re.escape(name)}\b", command) for command in COMMANDS)] == []
    assert len(FILES) == sum(language != "console" for language, _text in BLOCKS)


def test_the_delays_that_the_page_counts_are_those_of_its_file():
    topology, _warnings = read_topdl_text(FILES["shaped.xml"].encode(), "shaped.xml")
    said = re.search(r"From `(\w+)` to `(\w+)` the delay is (\d+) ms\. From `(\w+)` to `(\w+)` it is (\d+) ms\.", GUIDE).groups()
    found = ways(topology, "lan0")
    assert (found[said[:2]][0], found[said[3:5]][0]) == (int(said[2]), int(said[5]))


def rows(title):
    part = re.search(rf"^### {title}$.*?(?=^##)", REFERENCE, re.MULTILINE | re.DOTALL).group()
    return [tuple(cell.strip() for cell in row.strip("|").split(" | ")) for row in re.findall(r"^\| `.*\|$", part, re.MULTILINE)]


def test_the_reference_has_every_key_of_select_and_every_placeholder():
    assert sorted(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows("What is selected")))) == sorted(SELECT_KEYS)
    assert [name for name in PLACEHOLDERS if f"`{{{name}}}`:" not in REFERENCE] == []


@pytest.mark.parametrize("row", rows("What is set"), ids=lambda row: row[0])
def test_ten_nodes_get_what_the_page_says(row):
    ten = vtopo({}, nodes=" ".join(f"n-{number}" for number in range(10)))
    for value in re.findall("`([^`]+)`", row[0]):
        rule = {"select": {"name": "*"}, "set": {"mark": yaml.safe_load(value)}}
        found = " ".join(computer.attribute("mark") for computer in annotate_by_rules(ten, rules_of_data([rule])).topology.computers)
        said = re.split("[;,…]", row[1])[0].strip()
        if said != "the same of 0":
            assert found.startswith(said), value
        else:
            assert found in ("0 1 2 0 1 2 0 1 2 0", "0 0 0 0 1 1 1 2 2 2", "0 0 0 0 1 1 1 1 2 2")
