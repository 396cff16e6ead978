# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of playbooks: it agrees with the playbooks and with docs/playbooks.md, and it finds misspelt variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.deter.benito.plugins.module_utils.settings.playbooks import MACHINE_VARIABLES, PLAYBOOKS, ignored, misspelt

ROOT = Path(__file__).parents[3]
FILES = sorted([*ROOT.glob("playbooks/*.yml"), *ROOT.glob("playbooks/phases/*.yml")])
FIRST_HOSTS = re.compile(r"\{\{ lookup\('deter\.benito\.checked_hosts', '(?:localhost|pnode_pool)', playbook='(\w+)'\) \}\}")

each_file = pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(ROOT / "playbooks")) for file in FILES])
each_playbook = pytest.mark.parametrize("name", PLAYBOOKS)


def plays(file: Path) -> list[tuple[Path, dict]]:
    """Return the plays of a playbook with the file of each, imported ones included."""
    found = []
    for entry in yaml.safe_load(file.read_text()):
        imported = entry.get("ansible.builtin.import_playbook")
        found += plays(file.parent / imported) if imported else [(file, entry)]
    return found


def documented(name: str) -> set[str]:
    """Return the variables in the tables of a playbook's section of docs/playbooks.md. The page of the local testbed has that one's."""
    section = (ROOT / "docs" / "playbooks.md").read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    if name == "local_testbed":
        section = (ROOT / "docs" / "local-testbed.md").read_text().partition("| variable |")[2].partition("\n\n")[0]
    return {word for row in re.findall(r"^\| ([^|]*`[^|]*) \|", section, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)}


def test_every_playbook_of_the_collection_is_in_the_list():
    assert sorted(PLAYBOOKS) == sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))


@each_playbook
def test_the_first_play_of_a_playbook_checks_how_it_was_called(name):
    _file, first = plays(ROOT / "playbooks" / f"{name}.yml")[0]
    found = FIRST_HOSTS.fullmatch(first["hosts"])
    assert found, f"{first['hosts']}: the first play must name its hosts by deter.benito.checked_hosts"
    assert found[1] == ("swapout" if name == "terminate" else name)


@each_file
def test_every_play_names_its_strategy_because_another_one_would_reorder_its_tasks(file):
    assert all(play["strategy"] == "linear" for path, play in plays(file) if path == file)


def test_no_task_has_tags_so_that_a_playbook_runs_as_a_whole():
    texts = {path: path.read_text() for path in (*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/**/*.yml"))}
    assert [path for path, text in texts.items() if re.search(r"^\s*tags:", text, re.MULTILINE)] == []


@each_playbook
def test_the_list_has_the_variables_that_the_page_of_playbooks_has(name):
    common = {"benito_home", "pid", "eid"} | {"name"}  # name is an older word for names
    inherited = documented("swapout") if name == "terminate" else set()
    assert set(PLAYBOOKS[name].variables) - common == (documented(name) | inherited) - common


def test_no_variable_that_a_playbook_takes_and_no_inventory_variable_is_an_error():
    for name, playbook in PLAYBOOKS.items():
        assert misspelt([*playbook.variables, *MACHINE_VARIABLES], [name]) == []


@pytest.mark.parametrize("playbook, given, near", [
    ("containerize", "paking", "packing"), ("containerize", "topolgy", "topology"), ("containerize", "default_contaner", "default_container"),
    ("containerize", "Packing", "packing"), ("swapin", "pnode_typs", "pnode_types"), ("swapout", "forget_unreachabel", "forget_unreachable"),
    ("node_reboot", "node", "nodes"), ("topdl_annotate", "rule", "rules"), ("swapin", "pnode_sloots", "pnode_slots"), ("local_testbed", "pnode", "pnodes"),
])
def test_a_misspelt_variable_is_named_with_the_right_one(playbook, given, near):
    assert [str(problem) for problem in misspelt([given], [playbook])] == [f"{given}: {playbook} has no such variable (perhaps {near})"]


@pytest.mark.parametrize("own", ["my_lab", "ansible_user", "gid", "uid", "topology_server", "packed", "image_store", "user"])
def test_a_variable_of_the_users_own_is_no_mistake(own):
    assert misspelt([own], PLAYBOOKS) == [] and ignored([own], ["swapin"]) == []


def test_a_variable_that_only_another_playbook_takes_is_named_with_that_playbook():
    assert ignored(["packing", "pid", "pnode_slots", "mine"], ["swapin"]) == ["packing: swapin ignores this variable (containerize takes it)"]
    assert ignored(["packing"], ["containerize", "swapin"]) == [], "one of the playbooks of the run takes it"
