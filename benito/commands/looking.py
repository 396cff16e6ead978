# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that show experiments and change nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.node_table import BOOTED, ENDED, aligned, table

from ..errors import RunError
from ..experiment import Experiment, Status
from ..listing import age, listed
from ..log import as_line, entries
from ..options import Json, Name, one_of
from ..output import print_json, print_lines
from ..which import which

_WIDTH = 300  # of a reason in the list


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(name="list")(list_experiments)
    for command in (show, watch, wait, log, graph):
        app.command()(command)


def list_experiments(as_json: Json = False) -> None:
    """List all experiments: their state, nodes, pnodes and age."""
    found = listed()
    if as_json:
        print_json([asdict(entry) for entry in found])
    elif found:
        rows = [(entry.name, entry.state, *("-" if count is None else str(count) for count in (entry.nodes, entry.pnodes)), age(entry.age_s),
                 clean_line(entry.reason, _WIDTH)) for entry in found]
        print_lines(aligned([("EXPERIMENT", "STATE", "NODES", "PNODES", "AGE", "REASON" if any(row[-1] for row in rows) else ""), *rows]))
    else:
        typer.echo("no experiments", err=True)


def show(name: Name = None, as_json: Json = False) -> None:
    """Show every node as its vhost reports it now."""
    experiment = which(name)
    _print_status(experiment, status := experiment.status(), as_json)
    if status.failures:
        raise RunError("show", 1, (), "\n".join(status.failures))


def watch(name: Name = None, as_json: Json = False) -> None:
    """Follow every node, and the runs on the experiment, until Ctrl-C or the end of the experiment. With --json, print each event as one line."""
    from ..watching.following import follow_experiment  # it takes a while

    follow_experiment(which(name), as_json)


def wait(
    name: Name = None,
    until: Annotated[str, typer.Option(metavar=f"{BOOTED}|{ENDED}", help="all nodes have booted, or all start commands have ended",
                                       autocompletion=one_of(BOOTED, ENDED))] = BOOTED,
    timeout: Annotated[float, typer.Option(metavar="S", help="seconds", min=0)] = 600,
    as_json: Json = False,
) -> None:
    """Wait until all nodes have booted or all start commands have ended. The exit status is 3 after a timeout."""
    experiment = which(name)
    _print_status(experiment, experiment.wait(until, timeout), as_json)


def log(
    name: Name = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="go on with new entries as they come, until Ctrl-C")] = False,
    as_json: Json = False,
) -> None:
    """Print what has happened to the experiment. With --json, print each event of its runs as one line."""
    for entry in entries(which(name), follow, events=as_json):
        typer.echo(json.dumps(entry, ensure_ascii=False) if as_json else as_line(entry))


def graph(
    name: Name = None,
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="a .svg, .png, .pdf or .dot file [EID.svg]", show_default=False)] = None,
    partitions: Annotated[bool, typer.Option("--partitions", help="draw a box for each pnode")] = False,
    show_it: Annotated[bool, typer.Option("--open", help="open the picture")] = False,
    as_json: Json = False,
) -> None:
    """Draw the picture of the topology."""
    experiment = which(name)
    path = experiment.draw(out, partitions=partitions)
    if as_json:
        print_json({"experiment": str(experiment), "picture": path})
    else:
        typer.echo(path)
    if show_it:
        typer.launch(path)


def _print_status(experiment: Experiment, status: Status, as_json: bool) -> None:
    if as_json:
        print_json({"experiment": str(experiment), **asdict(status)})
        return
    if not status.nodes:
        typer.echo(f"experiment {experiment} is {status.state} since {status.since}" + (f": {status.reason}" if status.reason else ""))
    print_lines([*table(list(status.nodes), len(status.nodes)), *status.substrates])
