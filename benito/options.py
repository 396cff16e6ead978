# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and options that several commands have, and what the shell completes for them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import experiments

from .which import which


def complete_experiment(incomplete: str) -> list[str]:
    """Return the experiments whose names begin so. Reads the disk alone."""
    return [name for project, eid in experiments() if (name := f"{project}/{eid}").startswith(incomplete)]


def complete_experiment_or_node(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return experiments for the first argument, and nodes of the experiment that is meant. Reads the disk alone."""
    given = [str(word) for value in ctx.params.values() for word in (value if isinstance(value, (list, tuple)) else [value]) if value]
    named = next((word for word in given if "/" in word), None)
    found = [] if named else complete_experiment(incomplete)
    try:
        nodes = [node for carried in which(named).assignment.values() for node in carried]
    except BenitoError:
        return found
    return found + [node for node in nodes if node.startswith(incomplete)]


Name = Annotated[str | None, typer.Argument(metavar="[PID/EID]", help="the experiment; by default BENITO_EXPERIMENT, else the only active one",
                                            autocompletion=complete_experiment, show_default=False)]
"""The argument of a command on one experiment; ``which(name)`` returns the experiment."""

NameAndNodes = Annotated[list[str], typer.Argument(metavar="[PID/EID] NODE…", help="nodes, after their experiment where it cannot be told",
                                                   autocompletion=complete_experiment_or_node, show_default=False)]
"""The arguments of a command on nodes; ``which_of(arguments)`` returns (experiment, nodes)."""

Json = Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else")]


def one_of(*values: str) -> Any:
    """Return a completion of fixed values."""
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]
