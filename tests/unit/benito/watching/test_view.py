# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of nodes and vhosts follows the lines of the vhosts. A vhost may send anything: it can say only what is possible, and only of its own nodes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benito.watching.view import COMMAND_STATES, NOTHING, STATES, UNKNOWN, View

CARRIED = {"pnode-0000": {"a": "process", "m": "qemu"}, "m": {"inside": "process"}}
BOOTED = {"kind": "process", "state": "booted", "exit_code": None, "start_command": "ended", "exit_status": 3, "since": "2026-11-29T20:14:31.007Z"}


def snapshot(**nodes):
    return {"event": "snapshot", "startup": [0, ""], "nodes": nodes}


@pytest.fixture(name="view")
def fixture_view():
    """Return a View whose first vhost has been reached. Both of its nodes are booted."""
    view = View(CARRIED)
    view.take("pnode-0000", snapshot(a=BOOTED, m=BOOTED))
    return view


def test_every_node_is_unknown_until_its_vhost_is_reached():
    view = View(CARRIED)
    assert {name: (node.kind, node.vhost, node.state) for name, node in view.nodes.items()} == {
        "a": ("process", "pnode-0000", UNKNOWN), "m": ("qemu", "pnode-0000", UNKNOWN), "inside": ("process", "m", UNKNOWN)}
    assert not view.settled
    view.take("pnode-0000", {"event": "alive"})
    view.lose("m", "no route")
    assert view.settled


def test_a_snapshot_tells_of_every_node_and_only_changes_are_events(view):
    assert view.nodes["a"].exit_status == 3 and view.vhosts["pnode-0000"].startup == (0, "")
    assert view.take("pnode-0000", snapshot(a=BOOTED, m=BOOTED)) == []
    (event,) = view.take("pnode-0000", snapshot(a=BOOTED))
    assert (event["event"], event["node"], event["state"], event["vhost"], event["kind"]) == ("node", "m", "missing", "pnode-0000", "qemu")


def test_a_vhost_that_is_lost_makes_its_nodes_unknown_and_comes_back(view):
    events = view.lose("pnode-0000", "it has been silent for 7 s")
    assert [(event["event"], event.get("node")) for event in events] == [("vhost", None), ("node", "a"), ("node", "m")]
    assert events[0]["reachable"] is False and events[0]["reason"] == "it has been silent for 7 s" and events[0]["startup"] is None
    assert {view.nodes[name].state for name in ("a", "m")} == {UNKNOWN} and view.nodes["a"].since == events[0]["since"]
    assert view.lose("pnode-0000", "it has been silent for 7 s") == []
    (event,) = view.lose("pnode-0000", "no route")
    assert (event["reason"], event["since"]) == ("no route", events[0]["since"]), "it has been lost since then, for another reason now"

    events = view.take("pnode-0000", snapshot(a=BOOTED, m={**BOOTED, "state": "dead", "exit_code": 137}))
    assert [(event["event"], event.get("state"), event.get("reachable")) for event in events] == [
        ("vhost", None, True), ("node", "booted", None), ("node", "dead", None), ("vhost", None, True)]
    assert view.nodes["m"].exit_code == 137


def test_a_vhost_that_the_experiment_has_left_has_nothing_of_it(view):
    events = view.take("pnode-0000", {"event": "gone"})
    assert events[0]["reason"] == NOTHING and view.nodes["a"].state == UNKNOWN


def test_no_vhost_tells_of_the_nodes_of_another(view):
    assert view.take("pnode-0000", {"event": "node", "node": "inside", **BOOTED}) == []
    view.take("m", {"event": "snapshot", "nodes": {"a": {**BOOTED, "state": "dead"}, "inside": BOOTED, "stranger": BOOTED}})
    assert (view.nodes["a"].state, view.nodes["inside"].state) == ("booted", "booted") and set(view.nodes) == {"a", "m", "inside"}


@pytest.mark.parametrize("line", [None, 7, "text", [], [{"event": "snapshot"}], {}, {"event": []}, {"event": "node"}, {"event": "node", "node": ["a"]},
                                  {"event": "node", "node": "stranger"}, {"event": "vhost", "startup": [0]}, {"event": "vhost", "startup": [2, "x"]},
                                  {"event": "vhost", "startup": [0, None]}, {"event": "vhost", "startup": "0"}, {"event": "what", "nodes": {}}])
def test_a_line_that_is_not_understood_changes_nothing(view, line):
    before = view.as_dict()
    assert view.take("pnode-0000", line) == [] and view.as_dict() == before


@pytest.mark.parametrize(("field", "value"), [("state", "flying"), ("state", ["booted"]), ("state", None), ("exit_code", 2**31), ("exit_code", 10**4000),
                                              ("exit_code", 1.5), ("exit_code", True), ("exit_code", "137"), ("start_command", "<b>"), ("exit_status", {}),
                                              ("since", 7), ("kind", "openvz"), ("vhost", "other")])
def test_a_value_that_is_impossible_is_left_out(view, field, value):
    view.take("pnode-0000", {"event": "node", "node": "a", **BOOTED, field: value})
    node = view.nodes["a"]
    assert (node.kind, node.vhost) == ("process", "pnode-0000")
    assert getattr(node, field) in {"state": (UNKNOWN,), "start_command": ("",), "since": ("",)}.get(field, (None, "process", "pnode-0000"))


def test_texts_have_no_control_characters_and_an_end(view):
    view.take("pnode-0000", {"event": "node", "node": "a", **BOOTED, "since": "\x1b[2J\x9b1m" + "9" * 10**6})
    view.take("pnode-0000", {"event": "vhost", "startup": [1, "\x1b]0;title\x07bad\nline\ud800" + "x" * 10**6]})
    view.lose("m", "\x1b[31mred\r\nand more")
    text = json.dumps(view.as_dict(), ensure_ascii=False)
    assert text.isprintable() and len(text.encode()) < 3000
    assert view.vhosts["pnode-0000"].startup[1].startswith("bad line") and view.vhosts["m"].reason == "red and more"


_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([*STATES, *COMMAND_STATES, "a", "m", "snapshot"]),
                       lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "m", "state", "since", "startup"]), inner, max_size=4),
                       max_leaves=12)
_FIELDS = ("nodes", "node", "startup", "state", "exit_code", "start_command", "exit_status", "since", "vhost")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.fixed_dictionaries({"event": st.sampled_from(["snapshot", "node", "vhost", "alive", "gone"]) | _VALUES},
                                      optional={field: _VALUES for field in _FIELDS}) | _VALUES, max_size=6))
def test_whatever_a_vhost_sends_the_nodes_stay_as_planned_and_their_states_possible(lines):
    view = View(CARRIED)
    for line in lines:
        for event in view.take("pnode-0000", line):
            json.dumps(event, ensure_ascii=False, allow_nan=False).encode()
    assert {name: (node.kind, node.vhost) for name, node in view.nodes.items()} == {
        name: (kind, vhost) for vhost, nodes in CARRIED.items() for name, kind in nodes.items()}
    assert all(node.state in (*STATES, UNKNOWN) for node in view.nodes.values()) and view.nodes["inside"].state == UNKNOWN
