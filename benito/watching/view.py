# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the nodes of an experiment, from the streams of its vhosts. docs/status.md describes the streams.

A vhost tells only of the nodes that it carries, and root on a virtual machine may tell anything: each value is checked, and texts are cleaned.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line

UNKNOWN = "unknown"
STATES = ("running", "booted", "dead", "paused", "missing", "ghost")
COMMAND_STATES = ("", "waiting", "running", "ended", "failed", "lost")
NOT_YET = "not reached yet"
NOTHING = "it has nothing of the experiment"
_WIDTH = 500  # of a reason
_MOST_CODE = 2**31


@dataclass(frozen=True)
class NodeState:
    """The state of a node. docs/status.md explains the fields. The state is ``unknown`` while its vhost cannot be reached.

    vhost  the pnode or the virtual machine that carries it
    """

    kind: str
    vhost: str
    state: str = UNKNOWN
    exit_code: int | None = None
    start_command: str = ""
    exit_status: int | None = None
    since: str = ""


@dataclass
class VhostState:
    """The state of a vhost.

    reachable  whether its stream is there
    reason     why not, "" while it is
    startup    its startup status: 0, or 1 and the reason; None while it is not known
    since      when it became reachable or unreachable
    """

    reachable: bool = False
    reason: str = NOT_YET
    startup: tuple[int, str] | None = None
    since: str = ""


@dataclass
class View:
    """The nodes and vhosts of an experiment.

    carried  {vhost: {node: kind}}, as planned
    nodes    {node: NodeState}, in the order of ``carried``
    vhosts   {vhost: VhostState}

    The methods that take something in return what has changed, as events like those of a vhost's stream, each with ``vhost``.
    """

    carried: Mapping[str, Mapping[str, str]]
    nodes: dict[str, NodeState] = field(init=False)
    vhosts: dict[str, VhostState] = field(init=False)

    def __post_init__(self) -> None:
        self.nodes = {node: NodeState(kind, vhost) for vhost, carried in self.carried.items() for node, kind in carried.items()}
        self.vhosts = {vhost: VhostState(since=now()) for vhost in self.carried}

    @property
    def settled(self) -> bool:
        """Whether every vhost has been reached, or could not be."""
        return all(state.reason != NOT_YET for state in self.vhosts.values())

    def take(self, vhost: str, event: Any) -> list[dict[str, Any]]:
        """Take in a line of a vhost's stream. What is not understood is left out."""
        if not isinstance(event, dict):
            return []
        kind = event.get("event")
        if kind == "gone":
            return self.lose(vhost, NOTHING)
        changes = self._reached(vhost)
        if kind == "snapshot":
            told = event.get("nodes")
            told = told if isinstance(told, dict) else {}
            for node in self.carried[vhost]:
                changes += self._node(vhost, node, told.get(node, {"state": "missing"}))
        elif kind == "node":
            name = event.get("node")
            if isinstance(name, str) and name in self.carried[vhost]:
                changes += self._node(vhost, name, event)
        if kind in ("snapshot", "vhost"):
            changes += self._startup(vhost, event.get("startup"))
        return changes

    def lose(self, vhost: str, reason: str) -> list[dict[str, Any]]:
        """Take in that a vhost cannot be reached: its nodes are unknown."""
        state, reason = self.vhosts[vhost], clean_line(reason, _WIDTH)
        if not state.reachable and state.reason == reason:
            return []
        since = now() if state.reachable else state.since
        self.vhosts[vhost] = VhostState(False, reason, None, since)
        changes = [self.vhost_event(vhost)]
        for node, kind in self.carried[vhost].items():
            if self.nodes[node].state != UNKNOWN:
                self.nodes[node] = NodeState(kind, vhost, since=since)
                changes.append(self.node_event(node))
        return changes

    def node_event(self, node: str) -> dict[str, Any]:
        return {"event": "node", "time": now(), "node": node, **asdict(self.nodes[node])}

    def vhost_event(self, vhost: str) -> dict[str, Any]:
        return {"event": "vhost", "time": now(), "vhost": vhost, **self.vhost_dict(vhost)}

    def vhost_dict(self, vhost: str) -> dict[str, Any]:
        """Return the fields of a vhost for JSON."""
        state = self.vhosts[vhost]
        return {**asdict(state), "startup": list(state.startup) if state.startup else None}

    def as_dict(self) -> dict[str, Any]:
        """Return {"vhosts": {vhost: fields}, "nodes": {node: fields}} for JSON."""
        return {"vhosts": {vhost: self.vhost_dict(vhost) for vhost in self.vhosts}, "nodes": {node: asdict(state) for node, state in self.nodes.items()}}

    def _reached(self, vhost: str) -> list[dict[str, Any]]:
        if self.vhosts[vhost].reachable:
            return []
        self.vhosts[vhost] = VhostState(True, "", None, now())
        return [self.vhost_event(vhost)]

    def _startup(self, vhost: str, told: Any) -> list[dict[str, Any]]:
        if not (isinstance(told, list) and len(told) == 2 and told[0] in (0, 1) and isinstance(told[1], str)):
            return []
        startup = (int(told[0]), clean_line(told[1], _WIDTH))
        if startup == self.vhosts[vhost].startup:
            return []
        self.vhosts[vhost].startup = startup
        return [self.vhost_event(vhost)]

    def _node(self, vhost: str, node: str, told: Any) -> list[dict[str, Any]]:
        told = told if isinstance(told, dict) else {}
        found = NodeState(
            self.carried[vhost][node], vhost, _word(told.get("state"), STATES, UNKNOWN), _code(told.get("exit_code")),
            _word(told.get("start_command"), COMMAND_STATES, ""), _code(told.get("exit_status")), clean_line(_text(told.get("since")), 40),
        )
        if found == self.nodes[node]:
            return []
        self.nodes[node] = found
        return [self.node_event(node)]


def now() -> str:
    """Return the time in UTC with milliseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(value: Any, known: tuple[str, ...], otherwise: str) -> str:
    return value if isinstance(value, str) and value in known else otherwise


def _code(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_CODE else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
