# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of nodes in the form of the original's reply."""

from __future__ import annotations

from ast import literal_eval

import pytest

from benito.serve.status_reply import changes, merged, status_reply
from benito.watching.view import View


def view(carried, **nodes) -> View:
    """A view whose vhosts have told of these nodes. All others are missing."""
    made = View(carried)
    for vhost, names in carried.items():
        made.take(vhost, {"event": "snapshot", "startup": [0, ""], "nodes": {name: fields for name, fields in nodes.items() if name in names}})
    return made


def test_all_four_kinds_and_a_nested_process_are_read_by_the_snippet_of_the_original(carried):
    found = view(carried, v={"state": "booted", "start_command": "ended", "exit_status": 3}, c={"state": "running"}, n={"state": "booted"},
                 p={"state": "dead", "exit_code": 137, "start_command": "ended", "exit_status": 0}, m={"state": "booted", "start_command": "running"})
    line = f"status_reply {status_reply(found)!r}"

    type, body = line.split(" ", 1)  # the original's snippet
    message = literal_eval(body)

    carrier, pnode = (next(vhost for vhost, nodes in carried.items() if name in nodes) for name in ("v", "m"))
    assert type == "status_reply"
    assert message == {
        f"hv:qemu:{carrier}": {"v": ["booted", 3]}, f"hv:openvz:{carrier}": {"c": ["running", None]}, f"hv:process:{carrier}": {"p": ["dead", 137]},
        "hv:process:v": {"n": ["booted", None]}, f"hv:embedded_pnode:{pnode}": {"m": ["booted", None]},
    }


def test_the_text_for_virtual_machines_only_has_the_form_of_the_original():
    carried = {"pnode-0000": {"cnode17": "qemu", "cnode20": "qemu"}, "pnode-0010": {"lnode6": "qemu"}}
    found = view(carried, cnode17={"state": "running"}, lnode6={"state": "booted"})
    found.lose("pnode-0000", "it is silent")
    unreachable = "'hv:qemu:pnode-0000': {'cnode17': [None, None], 'cnode20': [None, None]}"
    assert repr(status_reply(found)) == f"{{{unreachable}, 'hv:qemu:pnode-0010': {{'lnode6': ['booted', None]}}}}"


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"state": "paused", "start_command": "ended", "exit_status": 1}, ["running", 1]),
        ({"state": "missing"}, [None, None]),
        ({"state": "ghost"}, [None, None]),
        ({"state": "burning"}, [None, None]),
        ({"state": "dead"}, ["dead", None]),
        ({"state": "dead", "exit_code": 0}, ["dead", 0]),
        ({"state": "booted", "start_command": "failed"}, ["booted", None]),
        ({"state": "booted", "start_command": "lost"}, ["booted", None]),
    ],
)
def test_states_that_the_original_did_not_have_become_one_of_its_own(fields, value):
    assert status_reply(view({"pnode-0000": {"a": "qemu"}}, a=fields)) == {"hv:qemu:pnode-0000": {"a": value}}


def test_changes_have_only_the_nodes_that_differ_and_what_has_gone_as_unreachable():
    before = {"hv:qemu:pnode-0000": {"a": ["running", None], "b": ["booted", 0], "c": [None, None]}, "hv:process:a": {"d": ["booted", None]}}
    after = {"hv:qemu:pnode-0000": {"a": ["booted", None], "b": ["booted", 0]}, "hv:openvz:pnode-0001": {"e": [None, None]}}
    found = changes(before, after)
    assert found == {"hv:qemu:pnode-0000": {"a": ["booted", None]}, "hv:openvz:pnode-0001": {"e": [None, None]}, "hv:process:a": {"d": [None, None]}}
    assert changes(merged(before, found), after) == {}
