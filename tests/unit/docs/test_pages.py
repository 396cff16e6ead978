# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the README and the pages of docs/ refer to exists: files, headings, playbooks, make targets, variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")

each_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


def text_of(page):
    return page.read_text(encoding="utf-8")


def anchors(page):
    """Return the anchors of a page's headings, as GitHub generates them."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def playbook_texts():
    """Return the text of everything that can read an extra variable: playbooks, roles, plugins and the list of settings."""
    settings = [ROOT / "plugins" / "module_utils" / "settings" / name for name in ("schema.py", "original_options.py")]
    paths = [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/*/*/*.yml"), *ROOT.glob("plugins/inventory/*.py"), *ROOT.glob("plugins/connection/*.py")]
    return "\n".join(text_of(path) for path in (*settings, *paths))


@each_page
def test_every_relative_link_leads_to_an_existing_file_and_heading(page):
    for link in ("".join(found) for found in LINK.findall(CODE.sub("", text_of(page)))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _hash, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


@each_page
def test_every_playbook_that_a_page_calls_exists(page):
    for name in re.findall(r"ansible-playbook [^\n`]*?deter\.benito\.(\w+)", text_of(page)):
        assert name == "PLAYBOOK" or (ROOT / "playbooks" / f"{name}.yml").exists(), name


@each_page
def test_every_make_target_that_a_page_names_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    commands = re.findall(r"(?:`|^\$ |^    )make ([a-z -]+)", text_of(page), re.MULTILINE)
    assert {target for command in commands for target in command.split()} <= targets


@each_page
def test_packages_are_installed_after_an_update_of_their_lists(page):
    """A new machine has no package lists. There, apt-get install fails with "Unable to locate package git"."""
    for before in re.findall(r"(.*)apt-get install [a-z]", text_of(page)):
        assert before.endswith("apt-get update && "), f"{before}apt-get install"


@each_page
def test_every_extra_variable_that_a_page_uses_is_read_by_code(page):
    given = re.findall(r"-e ([a-z_]+)=", text_of(page)) + re.findall(r"-e '\{\"(\w+)\"", text_of(page))
    read = playbook_texts()
    assert [name for name in given if not re.search(rf"\b{name}\b", read)] == []


def test_every_variable_in_the_tables_of_playbooks_md_is_read_by_code():
    tables = re.findall(r"^\| variable \|.*?(?=\n\n)", text_of(ROOT / "docs" / "playbooks.md"), re.MULTILINE | re.DOTALL)
    names = [name for table in tables for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert len(names) > 10
    assert [name for name in names if not re.search(rf"\b{name}\b", playbook_texts())] == []


def test_every_setting_is_named_in_playbooks_md():
    settings = re.findall(r"^\| `(\w+)` \|", text_of(ROOT / "docs" / "site.md"), re.MULTILINE)
    assert [name for name in settings if f"`{name}`" not in text_of(ROOT / "docs" / "playbooks.md")] == []


def test_every_playbook_has_a_section_in_playbooks_md():
    assert {path.stem for path in ROOT.glob("playbooks/*.yml")} <= anchors(ROOT / "docs" / "playbooks.md")


def test_index_links_to_every_page():
    index = text_of(ROOT / "docs" / "index.md")
    assert [page.name for page in PAGES[1:] if page.name != "index.md" and f"({page.name})" not in index] == []


@each_page
def test_no_page_mentions_what_only_its_authors_have(page):
    assert not re.search(r"/work/|\.\./shared", text_of(page))
