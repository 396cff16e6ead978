# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CONTRIBUTING.md leads to what exists: files, headings, and the functions that its walks name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"(?<![\w/.])(?:[\w.-]+/)+[\w.-]*", " ".join(re.findall(r"`([^`\n]+)`", PAGE)))))
WALKS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^### |\Z)", PAGE.split("## Where to change what")[1], re.MULTILINE | re.DOTALL))


def test_every_path_it_names_exists():
    assert len(PATHS) > 40
    assert [path for path in PATHS if path != ".venv/bin/python" and not (ROOT / path).exists()] == []


def test_every_link_leads_to_a_file_and_a_heading_of_it():
    for path, anchor in re.findall(r"\]\(([^)#]+)#?([^)]*)\)", PAGE):
        headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}, f"{path}#{anchor}"


def test_every_make_target_it_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {target for command in re.findall(r"(?:`|^    )make ([a-z -]+)", PAGE, re.MULTILINE) for target in command.split()}
    assert named and named <= targets


@pytest.mark.parametrize("walk", WALKS)
def test_every_name_of_a_walk_is_in_a_file_of_that_walk(walk):
    files = [ROOT / path for path in re.findall(r"`([\w.-]+/[\w/.-]+\.(?:py|yml))`", WALKS[walk])]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    names = {name for found in re.findall(r"`(\w+(?:\.\w+)?)`", WALKS[walk]) for name in found.split(".")}
    assert len(names) > 1
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []


def test_the_walks_are_those_that_people_ask_for():
    assert list(WALKS) == [
        "The MTU of a tunnel", "The QEMU command line", "How a cut is refined", "Which resolver a container gets", "What `-e packing=` means",
    ]


def test_it_needs_nothing_that_only_its_authors_have():
    assert "/work/" not in PAGE
