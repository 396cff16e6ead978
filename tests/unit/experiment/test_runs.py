# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs that an experiment's events tell of."""

from __future__ import annotations

import dataclasses
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.experiment import events
from ansible_collections.deter.benito.plugins.module_utils.experiment.locks import Holder
from ansible_collections.deter.benito.plugins.module_utils.experiment.runs import MOST_RUNS, RunHistory, runs_of


@pytest.fixture(name="process")
def fixture_process():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def begun(holder, boot_id=None):
    return events.event(events.RUN_BEGAN, holder, playbook="swapin", process=holder.as_dict(), boot_id=events.boot_id() if boot_id is None else boot_id)


def test_a_run_has_its_phases_their_counts_and_the_failures_that_nothing_handled(process):
    holder = Holder.of_process(process.pid)
    (run,) = runs_of([
        begun(holder),
        events.event(events.PHASE_BEGAN, holder, phase="machines built"),
        events.event(events.PHASE_PROGRESS, holder, phase="machines built", done=1, of=2, detail="set up QEMU"),
        events.event(events.TASK_FAILED, holder, phase="machines built", host="m1", task="T", message="handled", handled=True),
        events.event(events.TASK_FAILED, holder, phase="machines built", host="m1", task="T", message="full", handled=False),
        events.event(events.STATE, holder, state="failed"),
    ])
    assert (run.playbook, run.status, run.ended) == ("swapin", "running", "")
    assert [(phase.name, phase.done, phase.of, phase.detail, phase.ended) for phase in run.phases] == [("machines built", 1, 2, "set up QEMU", "")]
    assert [failure["message"] for failure in run.failures] == ["full"]


@pytest.mark.parametrize("status", [events.SUCCESSFUL, events.UNSUCCESSFUL, events.INTERRUPTED])
def test_a_run_that_ended_has_the_status_that_it_ended_with(process, status):
    holder = Holder.of_process(process.pid)
    (run,) = runs_of([begun(holder), events.event(events.RUN_ENDED, holder, status=status)])
    assert run.status == status and run.ended


def test_a_run_whose_process_is_gone_is_interrupted(process):
    began = begun(Holder.of_process(process.pid))
    process.kill()
    process.wait()
    assert [run.status for run in runs_of([began])] == ["interrupted"]


def test_a_run_before_the_last_boot_is_interrupted(process):
    assert [run.status for run in runs_of([begun(Holder.of_process(process.pid), boot_id="another")])] == ["interrupted"]


def test_a_run_on_another_machine_counts_as_running():
    elsewhere = dataclasses.replace(Holder.of_process(), host="elsewhere")
    assert [run.status for run in runs_of([begun(elsewhere, boot_id="another")])] == ["running"]


def test_runs_at_the_same_time_are_told_apart(process):
    one, two = Holder.of_process(), Holder.of_process(process.pid)
    found = runs_of([begun(one), begun(two), events.event(events.PHASE_BEGAN, one, phase="images"), events.event(events.RUN_ENDED, two, status="failed")])
    assert [(run.status, len(run.phases)) for run in found] == [("running", 1), ("failed", 0)]


def test_events_of_another_version_are_no_error():
    assert runs_of([{"n": 1, "event": "run_began", "run": "x", "process": {"pid": 7}}, {"n": 2, "event": "what", "run": "x"}, {"n": 3, "event": "state"}])


def test_two_playbooks_of_one_process_are_two_runs():
    holder = Holder.of_process()
    found = runs_of([begun(holder), events.event(events.RUN_ENDED, holder, status="successful"), begun(holder)])
    assert [run.status for run in found] == ["successful", "running"]


def test_a_history_keeps_the_last_runs_and_no_more():
    history = RunHistory()
    for number in range(MOST_RUNS + 20):
        for kind, more in ((events.RUN_BEGAN, {"playbook": "swapin"}), (events.RUN_ENDED, {"status": "successful"})):
            history.take({"n": 1, "event": kind, "run": f"run-{number}", **more})
    assert [run.name for run in history.runs] == [f"run-{number}" for number in range(20, MOST_RUNS + 20)]
    history.take({"event": events.RUN_ENDED, "run": "run-0", "status": "failed"})  # of a run that is forgotten
    history.take({"event": events.RUN_ENDED, "run": f"run-{MOST_RUNS}", "status": "failed"})
    assert {run.name for run in history.runs if run.status == "failed"} == {f"run-{MOST_RUNS}"}


def test_a_run_is_found_to_be_gone_once(process):
    history = RunHistory()
    history.take(begun(Holder.of_process(process.pid)))
    assert history.settle() == []
    process.kill()
    process.wait()
    assert [run.status for run in history.settle()] == ["interrupted"] and history.settle() == []


@pytest.mark.parametrize("fields", [{}, {"run": ["x"]}, {"run": {}}, {"run": None}, {"run": "r", "process": 7}, {"run": "r", "process": []}])
def test_events_without_a_proper_run_are_no_error(fields):
    found = runs_of([{"event": kind, **fields} for kind in (events.RUN_BEGAN, events.PHASE_BEGAN, events.PHASE_ENDED)])
    assert {run.status for run in found} <= {"interrupted"}
