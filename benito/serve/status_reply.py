# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of an experiment's nodes as the original's ``status_reply`` had it. docs/service-rpc.md has the table of states.

A reply is {"hv:KIND:VHOST": {node: [boot status, code]}}. Its text is a Python literal.
"""

from __future__ import annotations

from ..watching.view import NodeState, View

Value = list[str | int | None]
Reply = dict[str, dict[str, Value]]

_BOOT_STATUS = {"running": "running", "paused": "running", "booted": "booted", "dead": "dead"}  # of any other state nothing is running


def status_reply(view: View) -> Reply:
    """Return the reply for all nodes of a view."""
    reply: Reply = {}
    for name, node in view.nodes.items():
        reply.setdefault(f"hv:{node.kind}:{node.vhost}", {})[name] = _value(node)
    return reply


def changes(before: Reply, after: Reply) -> Reply:
    """Return the nodes of ``after`` that are new or have another value than ``before``. Nodes that have gone are there as unreachable ones."""
    found: Reply = {}
    for hypervisor, nodes in after.items():
        known = before.get(hypervisor, {})
        if changed := {name: value for name, value in nodes.items() if known.get(name) != value}:
            found[hypervisor] = changed
    for hypervisor, nodes in before.items():
        left = after.get(hypervisor, {})
        for name, value in nodes.items():
            if name not in left and value != [None, None]:
                found.setdefault(hypervisor, {})[name] = [None, None]
    return found


def merged(before: Reply, changed: Reply) -> Reply:
    """Return ``before`` with the changes in it."""
    return {**before, **{hypervisor: {**before.get(hypervisor, {}), **nodes} for hypervisor, nodes in changed.items()}}


def _value(node: NodeState) -> Value:
    status = _BOOT_STATUS.get(node.state)
    if status is None:
        return [None, None]
    return [status, node.exit_code if status == "dead" else node.exit_status]
