# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of every node, as reported by vhosts: as rows, and as a table of text."""

from __future__ import annotations

from typing import Any

from ..clean_text import clean_line
from ..experiment.directory import ExperimentDirectory
from .lent import read_allocation, read_plans

COLUMNS = ("node", "kind", "pnode", "machine", "state", "start_command")
_WIDTH = 20  # of a state


def node_rows(directory: ExperimentDirectory, reports: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    """Return a row for each node, {column: text}.

    reports  {vhost: its report}, with "status" if it could be asked

    The pnode of a process inside a virtual machine is ``pnode-0000/its-machine``. Raises BenitoError when the directory cannot be read.
    """
    lent, plans, rows = read_allocation(directory).hosts, read_plans(directory), []
    outside = {vnode.name: vhost for vhost, plan in plans.items() for vnode in plan.vnodes}
    for vhost, plan in plans.items():
        pnode = vhost if vhost in lent else outside.get(vhost, vhost)
        nodes = _dict(_dict(_dict(reports.get(vhost)).get("status")).get("nodes"))
        for vnode in plan.vnodes:
            found = _dict(nodes.get(vnode.name))
            rows.append({"node": vnode.name, "kind": vnode.kind, "pnode": vhost if pnode == vhost else f"{pnode}/{vhost}",
                         "machine": lent[pnode].name if pnode in lent else "",
                         "state": _word(found.get("state", "unknown")), "start_command": _word(_start_command(found))})
    return rows


def table(rows: list[dict[str, str]], most: int = 60) -> list[str]:
    """Return the rows as aligned lines of text. If there are more than ``most``, nodes that are not booted or whose command failed come first."""
    if not rows:
        return []
    odd = [row for row in rows if row["state"] != "booted" or row["start_command"] in ("failed", "lost")]
    shown = rows if len(rows) <= most else (odd + [row for row in rows if row not in odd])[:most]
    lines = [tuple(column.replace("_", " ").upper() for column in COLUMNS), *(tuple(row[column] for column in COLUMNS) for row in shown)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(COLUMNS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return [*text, f"… and {len(rows) - len(shown)} more nodes"] if len(shown) < len(rows) else text


def _dict(value: object) -> dict[str, Any]:
    """Return the value if it is an object of JSON, else an empty one: a vhost that is a node reports anything."""
    return value if isinstance(value, dict) else {}


def _word(text: object) -> str:
    """Return a state as a vhost reports it, cleaned and not too long."""
    return clean_line(text, _WIDTH)


def _start_command(node: dict[str, Any]) -> str:
    state, status = node.get("start_command", ""), node.get("exit_status")
    return f"exit {status}" if state == "ended" else state or "-"
