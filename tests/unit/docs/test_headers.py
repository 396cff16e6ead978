# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every source file says whose it is and under which licence, where people and tools look for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COPYRIGHT = "# Copyright: deter.benito contributors"
GPL = "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)"
SPDX = "# SPDX-License-Identifier: GPL-3.0-or-later"
ASKED_BY_SANITY = ("plugins/callback/", "plugins/connection/", "plugins/inventory/", "plugins/lookup/", "plugins/modules/")
"""Plugins in whose first lines ansible-test looks for the name of the GPL."""
EXEMPT = {
    ".ci/": "one command",
    "changelogs/": "text that antsibull-changelog makes release notes of",
    "examples/": "topologies and settings for users to copy; scripts are not exempt",
    "inventory/": "settings for users to copy",
}
SUFFIXES = (".py", ".sh", ".yml")


def tracked() -> list[str]:
    """The files of the collection, as git knows them; what is new and not ignored counts."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "-co", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in names if name and (ROOT / name).is_file())


def is_source(name: str) -> bool:
    """Whether a file has to have the header: Python, shell and YAML, but no YAML that is configuration or for users to copy, and no empty file."""
    lines = (ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or not (name.endswith(SUFFIXES) or is_script(lines)):
        return False
    if name.endswith(".yml"):  # beside those in EXEMPT, the root's: galaxy.yml names the licence, the others configure linters
        return "/" in name and not name.startswith(tuple(EXEMPT))
    return not name.startswith(".ci/")


def is_script(lines: list[str]) -> bool:
    return lines[0].startswith("#!")


def header_of(name: str) -> list[str]:
    """The lines that the file has to begin with, after ``#!…`` or ``---``."""
    return [COPYRIGHT, GPL, SPDX] if name.startswith(ASKED_BY_SANITY) else [COPYRIGHT, SPDX]


def with_header(name: str, text: str) -> str:
    """The text of a source file with the header that it has to have, whatever part of it is there."""
    lines = text.split("\n")
    start = int(is_script(lines) or lines[0] == "---")
    first, rest = lines[:start], lines[start:]
    there = [line for line in rest[:3] if line in (COPYRIGHT, GPL, SPDX)]
    rest = rest[len(there):]
    separator = [""] if not there and rest[0].startswith("#") else []
    return "\n".join([*first, *header_of(name), *separator, *rest])


SOURCES = [name for name in tracked() if is_source(name)]


def test_sources_are_found():
    assert {"plugins/modules/vhost.py", "scripts/env", "playbooks/swapin.yml", "roles/vhost/tasks/main.yml", "scripts/test.py"} <= set(SOURCES)


@pytest.mark.parametrize("folder", sorted({name.split("/")[0] for name in SOURCES}))
def test_every_source_file_begins_with_the_copyright_and_the_licence(folder):
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in SOURCES if name.split("/")[0] == folder}
    assert [name for name, text in texts.items() if with_header(name, text) != text] == []


@pytest.mark.parametrize("name, text, expected", [
    ("roles/a/tasks/main.yml", "---\n- name: Do\n", f"---\n{COPYRIGHT}\n{SPDX}\n- name: Do\n"),
    ("playbooks/a.yml", "---\n# usage\n", f"---\n{COPYRIGHT}\n{SPDX}\n\n# usage\n"),
    ("scripts/a", "#!/bin/sh\n# what\n", f"#!/bin/sh\n{COPYRIGHT}\n{SPDX}\n\n# what\n"),
    ("plugins/action/a.py", f'{COPYRIGHT}\n{GPL}\n"""A."""\n', f'{COPYRIGHT}\n{SPDX}\n"""A."""\n'),
    ("plugins/modules/a.py", f'#!/usr/bin/python\n{COPYRIGHT}\n{GPL}\n"""A."""\n', f'#!/usr/bin/python\n{COPYRIGHT}\n{GPL}\n{SPDX}\n"""A."""\n'),
])
def test_the_header_stands_where_each_kind_of_file_has_it(name, text, expected):
    assert with_header(name, text) == expected
    assert with_header(name, expected) == expected
