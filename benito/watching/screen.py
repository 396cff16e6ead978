# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watched experiment on a terminal: a table that is drawn again as it changes."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Mapping
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..listing import age
from .lines import command_text, experiment_text, phase_text, state_text, vhost_text
from .watcher import Watcher

REDRAW_S = 1.0  # ages change
_AT_LEAST_S = 0.1  # between two drawings
_STYLES = {"booted": "green", "running": "yellow", "paused": "yellow", "dead": "bold red", "missing": "red", "unknown": "dim"}
_ORDER = ("dead", "missing", "unknown", "paused", "running", "ghost", "booted")
_COLUMNS = ("NODE", "KIND", "VHOST", "STATE", "FOR", "START COMMAND")
_MOST_TROUBLES = 5
_WIDTH = 500


async def show_on(console: Console, watcher: Watcher) -> None:
    """Draw the experiment until it is terminated or this task is cancelled. The last picture stays."""
    changed = asyncio.Event()

    async def listen() -> None:
        async for _event in watcher.events():
            changed.set()

    listener = asyncio.create_task(listen())
    try:
        with Live(console=console, auto_refresh=False, screen=False, vertical_overflow="crop") as live:
            while not listener.done():
                live.update(picture(watcher.snapshot(), console.height), refresh=True)
                await asyncio.sleep(_AT_LEAST_S)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(REDRAW_S):
                        await changed.wait()
                changed.clear()
            live.update(picture(watcher.snapshot(), console.height), refresh=True)
        await listener
    finally:
        listener.cancel()


def picture(snapshot: Mapping[str, Any], height: int) -> Group:
    """Return a snapshot as a picture of at most ``height`` lines. Where not all nodes fit, those that are not well come first."""
    nodes, head = snapshot["nodes"], [_line(experiment_text(snapshot) + _for(snapshot["since"]), "bold")]
    if run := _run_text(snapshot["run"]):
        head.append(_line(run))
    troubles = [text for name, vhost in snapshot["vhosts"].items() if (text := vhost_text(name, vhost))]
    most = max(1, min(_MOST_TROUBLES, height - 8))
    head += [_line(text, "red") for text in troubles[:most]]
    if len(troubles) > most:
        head.append(_line(f"… and {len(troubles) - most} more vhosts", "red"))
    if not nodes:
        return Group(*head)
    head.append(_line(_counts(nodes)))
    room = max(1, height - len(head) - 3)
    shown = list(nodes) if len(nodes) <= room else sorted(nodes, key=lambda name: _ORDER.index(nodes[name]["state"]))[:room]
    rest = [_line(f"… and {len(nodes) - len(shown)} more nodes")] if len(shown) < len(nodes) else []
    return Group(*head, _table(nodes, shown), *rest)


def _line(text: str, style: str = "") -> Text:
    return Text(clean_line(text, _WIDTH), style=style, no_wrap=True, overflow="ellipsis")


def _table(nodes: Mapping[str, Mapping[str, Any]], shown: list[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="")
    for column in _COLUMNS:
        table.add_column(column, no_wrap=True)
    for name in shown:
        node = nodes[name]
        style = _STYLES.get(node["state"], "")
        command = command_text(node)
        table.add_row(Text(name), Text(node["kind"]), Text(node["vhost"]), Text(state_text(node), style=style), Text(_age(node["since"])),
                      Text(command, style="" if command in ("-", "running", "waiting", "exit 0") else "red"))
    return table


def _counts(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    counts = {state: sum(node["state"] == state for node in nodes.values()) for state in reversed(_ORDER)}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)


def _run_text(run: Mapping[str, Any] | None) -> str:
    """Return what is running on the experiment now, or how the last run failed."""
    if run is None or run["status"] == "successful":
        return ""
    who = f"{run['playbook']} by {run['by']}"
    if run["status"] != "running":
        return f"{who}: {run['status']}" + (f": {run['failures'][0].get('message', '')}" if run["failures"] else "")
    return f"{who}{_for(run['began'])}" + (f": {phase_text(run['phases'][-1])}" if run["phases"] else "")


def _for(since: str) -> str:
    return f" (for {text})" if (text := _age(since)) != "-" else ""


def _age(since: str) -> str:
    try:
        began = datetime.datetime.fromisoformat(since)
        return age(max(0, int((datetime.datetime.now(datetime.UTC) - began).total_seconds())))
    except (ValueError, TypeError):
        return "-"
