# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events of a watched experiment, and the picture of it, as people read them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benito.watching.lines import event_lines
from benito.watching.screen import picture
from benito.watching.view import NOTHING, View

NOW = "2026-11-29T20:14:31.007Z"
BOOTED = {"state": "booted", "exit_code": None, "start_command": "ended", "exit_status": 0, "since": NOW}


def snapshot(view, state="active", reason="", run=None):
    return {"event": "snapshot", "time": NOW, "experiment": "P/e", "state": state, "since": NOW, "reason": reason, "run": run, **view.as_dict()}


def view_of(count, **others):
    """Return the View of a pnode whose nodes are booted, with ``others`` as {node: fields}."""
    nodes = {**{f"n-{number}": BOOTED for number in range(count)}, **{name: {**BOOTED, **fields} for name, fields in others.items()}}
    view = View({"pnode-0000": dict.fromkeys(nodes, "process")})
    view.take("pnode-0000", {"event": "snapshot", "startup": [0, ""], "nodes": nodes})
    return view


def drawn(event, height=24, width=100):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(picture(event, height))
    return console.file.getvalue().splitlines()


# --- lines ---------------------------------------------------------------------------------------------


def test_a_snapshot_has_a_line_for_the_experiment_each_vhost_that_is_not_well_and_each_known_node():
    view = View({"pnode-0000": {"a": "process", "b": "qemu"}, "pnode-0001": {"c": "process"}, "pnode-0002": {"d": "process"}})
    dead = {"state": "dead", "exit_code": 137}
    view.take("pnode-0000", {"event": "snapshot", "startup": [1, "machines: not built"], "nodes": {"a": BOOTED, "b": dead}})
    view.lose("pnode-0001", "no route")
    view.lose("pnode-0002", NOTHING)
    assert event_lines(snapshot(view)) == [f"{NOW} {text}" for text in (
        "experiment P/e is active", "pnode-0000 is not set up: machines: not built", "pnode-0001 cannot be reached: no route",
        "pnode-0002 has nothing of the experiment", "a is booted (process on pnode-0000), start command exit 0", "b is dead (137) (qemu on pnode-0000)")]


@pytest.mark.parametrize(("event", "text"), [
    ({"event": "state", "experiment": "P/e", "state": "failed", "reason": "no space"}, "experiment P/e is failed: no space"),
    ({"event": "gone", "experiment": "P/e"}, "experiment P/e has been terminated"),
    ({"event": "vhost", "vhost": "p", "reachable": True, "reason": "", "startup": None}, "p is reached"),
    ({"event": "vhost", "vhost": "p", "reachable": True, "reason": "", "startup": [0, ""]}, "p is set up"),
    ({"event": "run_began", "by": "ada@ctl", "playbook": "swapin"}, "ada@ctl runs swapin"),
    ({"event": "phase_progress", "phase": "images", "done": 1, "of": 2, "detail": "debian"}, "images 1/2, debian"),
    ({"event": "phase_ended", "phase": "images", "seconds": 3.4}, "images, 3 s"),
    ({"event": "task_failed", "host": "m1", "task": "T", "message": "full\n\x1b[2Jnow"}, "m1: T: full now"),
    ({"event": "run_ended", "status": "interrupted"}, "the run has ended: interrupted"),
])
def test_each_event_is_a_line(event, text):
    assert event_lines({"time": NOW, **event}) == [f"{NOW} {text}"]


@pytest.mark.parametrize("event", [{"event": "what"}, {"event": "phase_began", "phase": "images"},
                                   {"event": "node", "node": "a", "state": "unknown", "kind": "qemu", "vhost": "p", "start_command": ""}])
def test_what_another_line_says_or_nobody_knows_has_no_line(event):
    assert event_lines({"time": NOW, **event}) == []


@pytest.mark.parametrize("fields", [{"of": 2}, {"done": [], "of": {}}, {"seconds": "x"}, {"seconds": True}, {"phase": 7, "detail": 7, "of": "x"}, {}])
def test_events_of_runs_with_strange_fields_are_lines_all_the_same(fields):
    for kind in ("run_began", "phase_progress", "phase_ended", "task_failed", "run_ended"):
        assert all(line.isprintable() for line in event_lines({"event": kind, **fields}))


# --- the picture ----------------------------------------------------------------------------------------


def test_the_picture_has_state_counts_and_a_row_for_each_node():
    lines = drawn(snapshot(view_of(2, c={"state": "dead", "exit_code": 1, "start_command": "failed"})))
    assert lines[0].startswith("experiment P/e is active (for ") and lines[1] == "2 booted, 1 dead"
    assert lines[2].split() == ["NODE", "KIND", "VHOST", "STATE", "FOR", "START", "COMMAND"]
    assert [line.split()[0] for line in lines[3:]] == ["n-0", "n-1", "c"] and "dead (1)" in lines[5] and "exit 0" in lines[3]


def test_what_is_not_well_comes_first_where_not_all_nodes_fit():
    view = view_of(100, sick={"state": "dead", "exit_code": 9}, slow={"state": "running"})
    lines = drawn(snapshot(view), height=10)
    assert len(lines) <= 10
    assert [line.split()[0] for line in lines[3:5]] == ["sick", "slow"] and lines[-1] == f"… and {102 - (len(lines) - 4)} more nodes"


@pytest.mark.parametrize("height", [8, 10, 24, 50])
@pytest.mark.parametrize("width", [20, 80])
def test_the_picture_fits_the_terminal_whatever_is_wrong(height, width):
    view = View({f"pnode-{number:04}": {f"n-{number}": "qemu"} for number in range(60)})
    for number in range(60):
        view.lose(f"pnode-{number:04}", "a reason\nof many words " * 50)
    run = {"playbook": "swapin", "by": "ada@ctl", "began": NOW, "status": "running",
           "phases": [{"name": "images", "done": 1, "of": 2, "detail": "long \x1b[31m" * 80}], "failures": []}
    lines = drawn(snapshot(view, "failed", "line\n" * 40, run), height, width)
    assert len(lines) <= height and all(line.isprintable() and len(line) <= width for line in lines)
    assert "pnode-0000" in lines[2] and "more vhosts" in "\n".join(lines)


def test_the_last_run_is_shown_while_it_runs_and_when_it_failed():
    phase = {"name": "images", "done": 1, "of": 2, "detail": ""}
    run = {"playbook": "swapin", "by": "ada@ctl", "began": NOW, "status": "running", "phases": [phase], "failures": []}
    view = view_of(1)
    assert drawn(snapshot(view, run=run))[1].startswith("swapin by ada@ctl (for ") and drawn(snapshot(view, run=run))[1].endswith("images 1/2")
    assert drawn(snapshot(view, run={**run, "status": "failed", "failures": [{"message": "full\ndisk"}]}))[1] == "swapin by ada@ctl: failed: full disk"
    assert drawn(snapshot(view, run={**run, "status": "successful"}))[1] == "1 booted"


def test_an_experiment_without_machines_is_a_line():
    assert len(drawn(snapshot(View({}), "swapped"))) == 1
