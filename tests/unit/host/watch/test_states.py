# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of nodes, and since when, with the real file."""

from __future__ import annotations

import os
import re

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.watch import states
from ansible_collections.deter.benito.plugins.module_utils.host.watch.states import NodeStates, now, read_changes

KINDS = {"a": "process", "vm": "qemu"}
BOOTED = {"state": "booted", "exit_code": None, "start_command": "", "exit_status": None}
DEAD = {**BOOTED, "state": "dead", "exit_code": 137}


class Here(ExperimentPaths):
    """The paths of an experiment whose run folder is where a test says."""

    @property
    def run(self):
        return self.experiment


@pytest.fixture(name="paths")
def fixture_paths(tmp_path):
    return Here(str(tmp_path))


def known(paths, kinds=None, **nodes) -> NodeStates:
    found = NodeStates(paths)
    found.expect(kinds or KINDS)
    for name, node in nodes.items():
        found.update(name, node)
    return found


def test_a_time_is_utc_with_milliseconds():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", now())


def test_only_what_has_changed_is_taken_and_only_once(paths):
    found = known(paths, a=BOOTED, vm=BOOTED)
    assert set(found.take_changed()) == {"a", "vm"}
    found.update("a", BOOTED)
    found.update("vm", DEAD)
    changed = found.take_changed()
    assert list(changed) == ["vm"] and changed["vm"] == {"kind": "qemu", **DEAD, "since": changed["vm"]["since"]}
    assert found.take_changed() == {}


def test_the_end_of_a_start_command_does_not_change_since_when_a_node_is_booted(paths):
    found = known(paths, a=BOOTED)
    since = found.get("a")["since"]
    found.update("a", {"start_command": "ended", "exit_status": 3})
    assert found.get("a") == {"kind": "process", **BOOTED, "start_command": "ended", "exit_status": 3, "since": since}


def test_times_survive_a_restart_and_states_are_looked_at_anew(paths):
    before = known(paths, a=BOOTED, vm=BOOTED)
    after = NodeStates(paths)
    after.expect(KINDS)
    assert after.nodes == {}
    after.update("a", BOOTED)
    after.update("vm", DEAD)
    assert after.get("a")["since"] == before.get("a")["since"]
    assert after.get("vm")["since"] >= before.get("vm")["since"] and read_changes(paths)["vm"][0] == "dead"


def test_a_machine_with_another_process_has_started_anew(paths):
    found = NodeStates(paths)
    found.expect(KINDS)
    found.update("vm", BOOTED, process=100)
    first = found.get("vm")["since"]
    again = NodeStates(paths)
    again.expect(KINDS)
    again.update("vm", BOOTED, process=100)
    assert again.get("vm")["since"] == first
    while now() == first:
        pass
    again.update("vm", BOOTED, process=200)
    assert again.get("vm")["since"] > first


def test_a_machine_whose_unit_waits_for_its_start_is_missing_and_not_dead(paths):
    found = known(paths, vm={**BOOTED, "state": "missing"})
    found.update("vm", {**BOOTED, "state": "dead", "exit_code": 0})
    assert found.get("vm")["state"] == "missing"
    found.update("vm", {**DEAD, "exit_code": 1})
    assert (found.get("vm")["state"], found.get("vm")["exit_code"]) == ("dead", 1)


def test_nodes_that_left_the_plan_are_forgotten(paths):
    found = known(paths, a=BOOTED, vm=BOOTED)
    found.expect({"a": "process", "new": "process"})
    found.update("vm", DEAD)
    assert set(found.nodes) == {"a"} == set(found.take_changed()) and not found.complete and set(read_changes(paths)) == {"a"}


def test_the_file_is_bounded_and_its_last_lines_hold(paths, monkeypatch):
    monkeypatch.setattr(states, "_LINES_AT_LEAST", 20)
    found = known(paths)
    for _round in range(200):
        found.update("vm", BOOTED)
        found.update("vm", DEAD)
    assert os.path.getsize(paths.changes) < 30 * 80
    assert read_changes(paths)["vm"][:2] == ("dead", found.get("vm")["since"])


@pytest.mark.parametrize("damage", [b"\xff\xfe", b'["a", "boo', b"[1, 2]\n", b'{"a": 1}\n', b"[" * 100000, b'["a", 1, null, "x"]\n'])
def test_a_damaged_file_costs_only_what_is_damaged(paths, damage):
    known(paths, a=BOOTED, vm=BOOTED)
    with open(paths.changes, "ab") as stream:
        stream.write(damage)
    assert {name: entry[0] for name, entry in read_changes(paths).items()} == {"a": "booted", "vm": "booted"}
    known(paths, a=BOOTED)


def test_a_file_that_cannot_be_written_disturbs_nothing(paths, tmp_path):
    (tmp_path / "changes").mkdir()
    assert known(paths, a=BOOTED).get("a")["state"] == "booted"
