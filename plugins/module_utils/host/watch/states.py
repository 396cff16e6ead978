# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the nodes of this vhost, and since when. Times survive a restart of the supervisor, in a file; states are looked at anew.

The file has a line for each change of state, ``[node, state, since, process]`` as JSON. It is written anew when most of its lines are out of date.
"""

from __future__ import annotations

import json
import os
import time

from ...errors import HostError
from ..base.paths import ExperimentPaths, write_atomically

TYPE_CHECKING = False  # typing, which has it, takes longer to read than all that is imported here
if TYPE_CHECKING:
    from typing import Any

    Node = dict[str, Any]

FIELDS = ("kind", "state", "exit_code", "start_command", "exit_status")
_LINES_AT_LEAST = 1000  # of the file before it is written anew
_MOST_BYTES = 64 << 20  # of the file that are read


def now() -> str:
    """Return the time in UTC, with milliseconds: ``2026-11-29T20:15:07.123Z``."""
    seconds = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds * 1000) % 1000:03}Z"


class NodeStates:
    """The nodes of a plan: {name: Node}, a Node having FIELDS and ``since``."""

    def __init__(self, paths: ExperimentPaths):
        self._path = paths.changes
        self._last = read_changes(paths)
        self._lines = 0
        self._fd = -1
        self._kinds: dict[str, str] = {}
        self._known: dict[str, Node] = {}
        self._changed: dict[str, None] = {}

    def expect(self, kinds: dict[str, str]) -> None:
        """Set which nodes there are, {name: kind}, in the plan's order."""
        self._kinds = kinds
        self._known = {name: node for name, node in self._known.items() if kinds.get(name) == node["kind"]}
        self._last = {name: entry for name, entry in self._last.items() if name in kinds}
        self._changed = {name: None for name in self._changed if name in self._known}
        self._write_anew()

    @property
    def nodes(self) -> dict[str, Node]:
        """Every node that was looked at, in the plan's order."""
        return {name: self._known[name] for name in self._kinds if name in self._known}

    @property
    def complete(self) -> bool:
        """Whether every node was looked at."""
        return len(self._known) == len(self._kinds)

    def get(self, name: str) -> Node | None:
        """Return what is known of a node."""
        return self._known.get(name)

    def update(self, name: str, found: Node, process: int = 0) -> None:
        """Take in what is true of a node now.

        found    some or all of FIELDS
        process  id of the process that the node is, 0 for none. Another one means that the node has started anew
        """
        if name not in self._kinds:
            return
        before = self._known.get(name, {})
        node = {"kind": self._kinds[name], **{field: found.get(field, before.get(field)) for field in FIELDS[1:]}}
        state, since, last_process = self._last.get(name, ("", "", 0))
        if node["state"] == "dead" and not node["exit_code"] and state == "missing":
            node.update(state="missing", exit_code=None)  # its unit is there and has not been started yet
        if node["state"] != state or (process and last_process and process != last_process):
            since = now()
            self._remember(name, (str(node["state"]), since, process))
        elif process and not last_process:
            self._remember(name, (state, since, process))
        node["since"] = since
        if node != before:
            self._known[name] = node
            self._changed[name] = None

    def take_changed(self) -> dict[str, Node]:
        """Return the nodes that have changed since the last call."""
        changed, self._changed = self._changed, {}
        return {name: self._known[name] for name in changed}

    def _remember(self, name: str, entry: tuple[str, str, int]) -> None:
        self._last[name] = entry
        self._lines += 1
        if self._lines > _LINES_AT_LEAST + 2 * len(self._last):
            self._write_anew()
            return
        try:
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.write(self._fd, _line(name, entry))
        except OSError:
            pass  # a full disk costs the time of a change, and nothing else

    def _write_anew(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        try:
            write_atomically(self._path, b"".join(_line(name, entry) for name, entry in self._last.items()).decode())
            self._lines = len(self._last)
        except HostError:
            pass  # as above


def read_changes(paths: ExperimentPaths) -> dict[str, tuple[str, str, int]]:
    """Return {node: (its last known state, since when, id of its process or 0)}. What is damaged is left out."""
    found: dict[str, tuple[str, str, int]] = {}
    try:
        with open(paths.changes, "rb") as stream:
            lines = stream.read(_MOST_BYTES).split(b"\n")
    except OSError:
        return {}
    for line in lines:
        try:
            name, state, since, process = json.loads(line)
        except (ValueError, TypeError, RecursionError):  # the last line of a supervisor that was killed may not be whole
            continue
        if isinstance(name, str) and isinstance(state, str) and isinstance(since, str) and isinstance(process, int):
            found[name] = state, since, process
    return found


def _line(name: str, entry: tuple[str, str, int]) -> bytes:
    return json.dumps([name, *entry]).encode() + b"\n"
