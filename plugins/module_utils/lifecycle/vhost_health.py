# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vhosts say of substrates, ports and nodes at the end of a swap-in: what is broken, and what is worth a remark.

A vhost may be a node itself, so nothing in its report is believed to have the right form, and every text is cleaned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..clean_text import clean_line

_WIDTH = 160  # of one fault or remark
_MOST = 6  # faults of a vhost, or remarks of a node, that are shown
_STATE_WIDTH = 20
_UP, _NO_FILTER = "up", ""
_PASSED = ("", "passed")  # states of other programs' filters
_ENDED_UNITS = ("failed", "inactive")


def status_of(reports: Mapping[str, Any], vhost: str) -> dict[str, Any]:
    """Return the status in a vhost's report, {} if it could not be asked for it.

    reports  {vhost: its report}, see finish.py
    """
    return as_dict(as_dict(reports.get(vhost)).get("status"))


def faults_of(status: dict[str, Any]) -> list[str]:
    """Return what is broken on a vhost, as text that names each object; [] if all is well.

    status  as benito-host reports it. One of an earlier version has no "faults"
    """
    faults = as_dict(status.get("faults"))
    of_substrates, of_nodes = as_dict(faults.get("substrates")), as_dict(faults.get("nodes"))
    found = []
    for name, state in as_dict(status.get("substrates")).items():
        if state != _UP:
            reasons = _texts(of_substrates.get(name))
            found.append(clean_line(f"substrate {name} is {state}", _WIDTH) + (f": {'; '.join(reasons)}" if reasons else ""))
    shown = {text for texts in of_substrates.values() for text in _texts(texts)}
    found += [f"{clean_line(name, _WIDTH)}: {text}" for name, texts in of_nodes.items() for text in _texts(texts) if text not in shown]
    if status.get("filter", _NO_FILTER) not in (_UP, _NO_FILTER):
        found.append(clean_line(f"the packet filter is {status['filter']}", _WIDTH))
    if status.get("foreign", "") not in _PASSED:
        found.append(clean_line(f"the packet filter {status['foreign']} of another program may drop the experiment's packets", _WIDTH))
    found += [clean_line(f"{device} is managed by {manager}", _WIDTH) for device, manager in as_dict(status.get("managed")).items()]
    if status.get("unit") in _ENDED_UNITS:
        found.append(f"the experiment's unit is {status['unit']}")
    return found[:_MOST] + ([f"and {len(found) - _MOST} more faults"] if len(found) > _MOST else [])


def remark_of(status: dict[str, Any], node: str) -> str:
    """Return what is worth a remark about a node: faults of its ports, then what differs inside it; "" if it is as planned."""
    faults = _texts(as_dict(as_dict(status.get("faults")).get("nodes")).get(node))
    differs = _texts(as_dict(status.get("differs")).get(node))
    return clean_line("; ".join([*faults, *(f"differs: {text}" for text in differs)]), _WIDTH)


def substrate_lines(reports: Mapping[str, Any]) -> list[str]:
    """Return the states of all substrates as lines of text: how many are in which state, then the others than ``up`` by name; [] if none is known.

    A substrate of several vhosts is up if it is up on all of them.
    """
    states: dict[str, str] = {}
    for vhost in reports:
        for name, state in as_dict(status_of(reports, vhost).get("substrates")).items():
            if states.get(name, _UP) == _UP:
                states[name] = clean_line(state, _STATE_WIDTH)
    if not states:
        return []
    counted = ", ".join(f"{count} {state}" for state, count in sorted(Counter(states.values()).items(), key=lambda item: item[0] != _UP))
    broken = [f"  {clean_line(name, _WIDTH)}: {state}" for name, state in states.items() if state != _UP]
    return [f"substrates: {counted}", *broken[:_MOST], *([f"  and {len(broken) - _MOST} more"] if len(broken) > _MOST else [])]


def as_dict(value: object) -> dict[str, Any]:
    """Return the value if it is an object of JSON, else an empty one: a vhost that is a node reports anything."""
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    return [clean_line(text, _WIDTH) for text in value[:_MOST]] if isinstance(value, list) else []
