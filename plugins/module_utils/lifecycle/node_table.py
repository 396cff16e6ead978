# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of every node, as reported by vhosts: as rows, and as a table of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..clean_text import clean_line
from ..experiment.directory import ExperimentDirectory
from .lent import read_allocation, read_plans
from .vhost_health import as_dict, remark_of, status_of

COLUMNS = ("node", "kind", "pnode", "machine", "state", "start_command", "remark")
BOOTED, ENDED = "booted", "ended"  # what can be waited for
_WIDTH = 20  # of a state
_NOT_ENDED = ("waiting", "running", "unknown")


def node_rows(directory: ExperimentDirectory, reports: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    """Return a row for each node, {column: text}.

    reports  {vhost: its report}, with "status" if it could be asked

    The pnode of a process inside a virtual machine is ``pnode-0000/its-machine``. Raises BenitoError when the directory cannot be read.
    """
    lent, plans, rows = read_allocation(directory).hosts, read_plans(directory), []
    outside = {vnode.name: vhost for vhost, plan in plans.items() for vnode in plan.vnodes}
    for vhost, plan in plans.items():
        pnode = vhost if vhost in lent else outside.get(vhost, vhost)
        status = status_of(reports, vhost)
        nodes = as_dict(status.get("nodes"))
        for vnode in plan.vnodes:
            found = as_dict(nodes.get(vnode.name))
            rows.append({"node": vnode.name, "kind": vnode.kind, "pnode": vhost if pnode == vhost else f"{pnode}/{vhost}",
                         "machine": lent[pnode].name if pnode in lent else "",
                         "state": _word(found.get("state", "unknown")), "start_command": _word(_start_command(found)),
                         "remark": remark_of(status, vnode.name)})
    return rows


def table(rows: list[dict[str, str]], most: int = 60) -> list[str]:
    """Return the rows as aligned lines of text. If there are more than ``most``, nodes with a remark, not booted or with a failed command come first.

    There is a column for remarks only if there is one.
    """
    if not rows:
        return []
    odd = [row for row in rows if row["state"] != "booted" or row["start_command"] in ("failed", "lost") or row["remark"]]
    shown = rows if len(rows) <= most else (odd + [row for row in rows if row not in odd])[:most]
    columns = COLUMNS if any(row["remark"] for row in shown) else COLUMNS[:-1]
    text = aligned([tuple(column.replace("_", " ").upper() for column in columns), *(tuple(row[column] for column in columns) for row in shown)])
    return [*text, f"… and {len(rows) - len(shown)} more nodes"] if len(shown) < len(rows) else text


def aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    """Return lines of text whose columns are as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]


def unmet(rows: list[dict[str, str]], until: str) -> list[str]:
    """Return the nodes that have not booted, or whose start command has not ended; [] if ``until`` is neither."""
    if until == ENDED:
        return [row["node"] for row in rows if row["start_command"] in _NOT_ENDED or row["state"] == "unknown"]
    return [row["node"] for row in rows if row["state"] not in (BOOTED, "ghost")] if until == BOOTED else []


def _word(text: object) -> str:
    """Return a state as a vhost reports it, cleaned and not too long."""
    return clean_line(text, _WIDTH)


def _start_command(node: dict[str, Any]) -> str:
    state, status = node.get("start_command", ""), node.get("exit_status")
    return f"exit {status}" if state == "ended" else state or "-"
