# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of phases has the plays of the collection, and tasks that they have."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.deter.benito.plugins.plugin_utils import playbook_phases
from ansible_collections.deter.benito.plugins.plugin_utils.playbook_phases import BUILD_STEPS, PHASES, phase_of

PLAYBOOKS = Path(playbook_phases.PLAYBOOKS)


def names_of_tasks(tasks):
    for task in tasks:
        yield task.get("name")
        for part in ("block", "rescue", "always"):
            yield from names_of_tasks(task.get(part, []))


def with_plays():
    for path in sorted([*PLAYBOOKS.glob("*.yml"), *PLAYBOOKS.glob("phases/*.yml")]):
        if any("hosts" in play for play in yaml.safe_load(path.read_text())):
            yield str(path.relative_to(PLAYBOOKS).with_suffix(""))


def test_each_file_with_plays_has_a_phase_and_each_phase_has_a_file():
    assert set(PHASES) == set(with_plays())


@pytest.mark.parametrize("place", [place for place, kind in PHASES.items() if kind.counted and kind.counted != "Record that the vhost is built"])
def test_what_a_phase_counts_is_a_task_of_one_of_its_files(place):
    files = [file for file, kind in PHASES.items() if kind == PHASES[place]]
    plays = [play for file in files for play in yaml.safe_load((PLAYBOOKS / f"{file}.yml").read_text())]
    assert PHASES[place].counted in {name for play in plays for name in names_of_tasks(play["tasks"])}


def test_the_steps_of_building_are_the_tasks_that_build_in_their_order():
    tasks = list(names_of_tasks(yaml.safe_load((PLAYBOOKS / "tasks" / "build.yml").read_text())))
    assert [name for name in tasks if name in BUILD_STEPS] == list(BUILD_STEPS)
    assert PHASES["phases/build_machines"].counted in tasks


def test_a_play_elsewhere_has_no_phase_whatever_its_name(tmp_path):
    assert phase_of(f"{tmp_path}/containerize.yml:3", "Create an experiment") is None
    assert phase_of(f"{PLAYBOOKS}/../mine.yml:3", "x") is None


def test_a_play_that_the_table_does_not_have_is_a_phase_of_its_own_name():
    assert phase_of(f"{PLAYBOOKS}/new.yml:7", "Paint the wall").name == "paint the wall"
