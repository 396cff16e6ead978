# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of a phase: what it counts, and what it says while it runs and when it has ended."""

from __future__ import annotations

import re

import pytest
from ansible_collections.deter.benito.plugins.plugin_utils.playbook_phases import BOOT, BUILD, BUILD_STEPS, CLEAN, IMAGES, LEASE
from ansible_collections.deter.benito.plugins.plugin_utils.progress import ProgressLine
from ansible_collections.deter.benito.plugins.plugin_utils.running_phase import RunningPhase


def without_seconds(text):
    return re.sub(r", \d+ s$", "", text)


def ended(phase):
    return without_seconds(phase.ended_text())


def running(phase):
    return without_seconds(phase.running_text())


def test_a_machine_that_could_not_be_leased_does_not_count():
    phase = RunningPhase(LEASE, 3)
    for result in ({"changed": True}, {"changed": False}, {"msg": "it is taken"}):
        phase.take_result("Lease the machines", "deter.benito.lease", result, item=True, loops=True)
    phase.take_result("Lease the machines", "deter.benito.lease", {"results": []}, item=False, loops=True)
    assert ended(phase) == "machines leased 2/3" and phase.fraction == pytest.approx(2 / 3)


def test_the_nodes_that_have_booted_are_counted_in_the_end():
    phase = RunningPhase(BOOT, None)
    rows = [{"state": "booted"}, {"state": "booted"}, {"state": "dead"}]
    phase.take_result("Finish the swap-in", "deter.benito.swap_finish", {"nodes": rows}, item=False, loops=False)
    assert ended(phase) == "nodes booted 2/3"


def test_images_that_were_there_count():
    phase = RunningPhase(IMAGES, None)
    phase.take_line(ProgressLine("image a (disk): fetching", done=0, of=1))
    assert running(phase) == "images 0/1, image a (disk): fetching"
    phase.take_result("Provide", "deter.benito.images", {"nodes": {"x": "d1", "y": "d2", "z": "d1"}}, item=False, loops=False)
    assert ended(phase) == "images 2/2"


def test_the_bar_of_building_follows_its_steps_and_its_text_names_them():
    phase = RunningPhase(BUILD, 2)
    phase.begin_task("Set up QEMU")
    phase.begin_task("Install the packages")
    assert running(phase) == "machines built 0/2, set up QEMU"
    assert phase.fraction == pytest.approx(BUILD_STEPS.index("Set up QEMU") / len(BUILD_STEPS))


def test_the_nodes_of_all_machines_are_added_up():
    phase = RunningPhase(BUILD, 2)
    for host, text in (("p0", "1 of 2 virtual machines are up"), ("p1", "0 of 3 virtual machines are up"), ("p0", "2 of 2 virtual machines are up")):
        phase.take_line(ProgressLine(text, host, 3))
    assert running(phase) == "machines built 0/2, nodes booted 2/5"


def test_no_machine_to_clean_is_none():
    assert ended(RunningPhase(CLEAN, 0)) == "machines cleaned: none"


def test_a_phase_that_failed_says_so():
    phase = RunningPhase(CLEAN, 2)
    phase.unhandled = True
    assert ended(phase) == "machines cleaned 0/2, failed"


def test_bookkeeping_is_not_told():
    phase = RunningPhase(LEASE, 1)
    phase.begin_task("Request the machine's offer")
    phase.begin_task("Record the machine's offer")
    assert running(phase) == "machines leased 0/1, request the machine's offer"


def test_what_comes_from_a_host_cannot_move_the_cursor():
    phase = RunningPhase(BUILD, 1)
    phase.take_line(ProgressLine("\x1b[2J\rimage\x07 a", "p0"))
    assert phase.running_text().isprintable()
