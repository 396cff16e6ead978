# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the nodes of an experiment as they are now, from what its vhosts report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..experiment.directory import ExperimentDirectory
from .finish import failure_lines
from .node_table import BOOTED, node_rows, unmet
from .vhost_health import substrate_lines

_MOST_NAMES = 10


@dataclass(frozen=True)
class Shown:
    """The nodes of an experiment.

    state       of the experiment
    nodes       a row for each node, see node_table.py; [] while it is swapped out
    text        lines that stand for the table where there are no nodes
    substrates  their states, as lines of text
    failures    lines of text: which vhosts could not be asked, and why
    late        the nodes that are not what was waited for
    message     both as lines for a person; [] if all is well
    """

    state: str
    nodes: list[dict[str, str]]
    text: list[str]
    substrates: list[str]
    failures: list[str]
    late: list[str]
    message: list[str]


def show_nodes(directory: ExperimentDirectory, reports: dict[str, dict[str, Any]], until: str = "") -> Shown:
    """Return the nodes as the vhosts report them.

    reports  {vhost: {"status": as vhost_status returns it} or {"failure": reason}}
    until    "booted" or "ended" if this was waited for

    Raises BenitoError when the directory cannot be read.
    """
    state = directory.read_state()
    rows = node_rows(directory, reports)
    failed = {vhost: str(report["failure"]) for vhost, report in reports.items() if report.get("failure")}
    failures = failure_lines(directory, failed)
    late = unmet(rows, until)
    message = [f"experiment {directory}: {len(failed)} of {len(reports)} vhosts could not be asked", *failures] if failures else []
    if late:
        what = "booted" if until == BOOTED else "ended their start commands"
        names = ", ".join(late[:_MOST_NAMES]) + (f" and {len(late) - _MOST_NAMES} more" if len(late) > _MOST_NAMES else "")
        message.append(f"experiment {directory}: not all nodes have {what} in time: {names}")
    return Shown(state.state, rows, [] if rows else [f"experiment {directory} is {state}"], substrate_lines(reports), failures, late, message)
