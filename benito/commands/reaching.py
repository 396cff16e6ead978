# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that reach into nodes."""

from __future__ import annotations

from typing import Annotated

import typer
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory, experiments
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.lent import read_plans

from ..errors import InputError, Problem
from ..experiment import Experiment
from ..options import Json, Name, complete_experiment_or_node
from ..output import print_json, print_lines
from ..reach import node_list as lists
from ..reach.commanding import Outcome, run_on
from ..reach.console import console_end
from ..reach.login import replace_by_login
from ..reach.members import Members
from ..reach.pairs import all_pairs, neighbour_pairs
from ..reach.pinging import ping_pairs
from ..reach.shell_text import shell_text
from ..which import which, which_of

NodeAndCommand = Annotated[list[str], typer.Argument(metavar="[PID/EID] NODE [-- COMMAND…]", autocompletion=complete_experiment_or_node, show_default=False,
                                                     help="the node; a command of one word is a shell's text, one of several words a program with arguments")]
PatternAndCommand = Annotated[list[str], typer.Argument(metavar="[PID/EID] PATTERN -- COMMAND…", autocompletion=complete_experiment_or_node, show_default=False,
                                                        help="an Ansible host pattern: a node, a group such as kind_qemu, 'web-*', all; then as for ssh")]
OneNode = Annotated[list[str], typer.Argument(metavar="[PID/EID] NODE", autocompletion=complete_experiment_or_node, show_default=False, help="the node")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(ssh)
    app.command()(run)
    app.command()(console)
    app.command()(ping)
    app.command(name="node-list", context_settings={"help_option_names": ["--help"]})(node_list)


def ssh(arguments: NodeAndCommand) -> None:
    """Log in to a node of any kind, or run a command there. The exit status is that of the login or command, 255 if there was none."""
    experiment, words = which_of(arguments)
    node, command = _first(words, "node")
    replace_by_login(Members(_directory(experiment)), node, command)


def run(arguments: PatternAndCommand,
        timeout: Annotated[int, typer.Option(min=1, help="seconds for the command on each node")] = 60, as_json: Json = False) -> None:
    """Run a command on all nodes that match, side by side. Exit status 1 if it failed anywhere, with the names of those nodes.

    Output is shown for each node as it ends, up to 1 MiB of a node.
    """
    experiment, words = which_of(arguments)
    pattern, command = _first(words, "pattern")
    text = shell_text(command)
    outcomes = run_on(_directory(experiment), pattern, text, timeout, heard=lambda outcome: None if as_json else _show_outcome(outcome))
    if as_json:
        print_json([{"node": outcome.node, "status": outcome.status, "out": outcome.out, "err": outcome.err, "failure": outcome.failure}
                    for outcome in outcomes])
    failed = sorted(outcome.node for outcome in outcomes if outcome.failed)
    if failed:
        typer.echo(f"failed on {len(failed)} of {len(outcomes)} nodes: {', '.join(failed)}", err=True)
        raise typer.Exit(1)


def console(arguments: OneNode, lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=2000, help="how many lines")] = 50,
            as_json: Json = False) -> None:
    """Show the end of a node's console, which tells why it has not booted; of a node without one, the output of its start command."""
    experiment, words = which_of(arguments)
    node, rest = _first(words, "node")
    _refuse(rest)
    text = console_end(Members(_directory(experiment)), node, lines)
    if as_json:
        print_json({"node": node, "console": text})
    else:
        print_lines(text.splitlines())


def ping(name: Name = None, every: Annotated[bool, typer.Option("--all", help="every two nodes that the topology connects, by way of others too")] = False,
         timeout: Annotated[float, typer.Option(min=0.1, max=60, help="seconds that an answer may take")] = 3.0, as_json: Json = False) -> None:
    """Ping each node's neighbours from inside of it, all side by side, and show who reaches whom. Exit status 1 if a ping fails, with the pairs."""
    from rich.console import Console

    from ..reach.matrix import show

    experiment = which(name)
    directory = _directory(experiment).require()
    plans = read_plans(directory)
    pairs = all_pairs(plans) if every else neighbour_pairs(plans.values())
    if not pairs:
        reason = "has no two nodes with addresses on one network" if plans else f"is not swapped in (benito swapin {experiment})"
        raise InputError(Problem(f"experiment {experiment} {reason}"))
    results = ping_pairs(directory, pairs, timeout)
    failed = [result for result in results if result.rtt_ms is None]
    if as_json:
        print_json({"pairs": [{"from": result.pair.source, "to": result.pair.target, "address": result.pair.address, "ms": result.rtt_ms,
                               "failure": result.failure} for result in results], "failed": len(failed)})
    else:
        show(results, Console())
        typer.echo(f"{len(results) - len(failed)} of {len(results)} pings were answered")
    for result in failed:
        typer.echo(f"failed: {result.pair}: {result.failure}", err=True)
    if failed:
        raise typer.Exit(1)


def node_list(
        name: Name = None,
        physical: Annotated[bool, typer.Option("-p", help="names of the machines (default)")] = False,
        types: Annotated[bool, typer.Option("-P", help="names of the machines with their types, as MACHINE=TYPE")] = False,
        virtual: Annotated[bool, typer.Option("-v", help="names of the experiment's machines, such as pnode-0000")] = False,
        hosts: Annotated[bool, typer.Option("-h", help="the machine of each vnode, as NODE=MACHINE")] = False,
        containers: Annotated[bool, typer.Option("-c", help="short names of vnodes and of nodes that are machines themselves")] = False,
        extra: Annotated[bool, typer.Option("-e", "--extra", help="machines and vnodes as NODE.EID.PID; of all experiments, if none is named")] = False,
        as_json: Json = False) -> None:
    """List an experiment's nodes for scripts, as the original's command node_list did: names in one line."""
    asked = [make for wanted, make in ((physical, lists.physical_names), (types, lists.physical_types), (virtual, lists.virtual_names),
                                       (hosts, lists.hosts_of_vnodes), (containers, lists.containers), (extra, lists.extra_lines)) if wanted]
    if len(asked) > 1:
        raise InputError(Problem("-p, -P, -v, -h, -c and -e exclude each other", hint="name one"))
    if extra:
        named = [which(name)] if name else [Experiment(project, eid) for project, eid in experiments()]
        all_members = [Members(_directory(experiment)) for experiment in named]
        if as_json:
            print_json({str(members.directory): lists.extra_nodes(members) for members in all_members})
        else:
            print_lines([line for members in all_members for line in lists.extra_lines(members)])
        return
    found = (asked[0] if asked else lists.physical_names)(Members(_directory(which(name))))
    if as_json:
        print_json(found)
    else:
        print_lines([" ".join(found)])


def _directory(experiment: Experiment) -> ExperimentDirectory:
    return ExperimentDirectory(experiment.home, experiment.pid, experiment.eid)


def _first(words: list[str], what: str) -> tuple[str, list[str]]:
    """Return (the node or pattern, the words after it). Raises InputError when there is none."""
    if not words:
        raise InputError(Problem(f"no {what}", hint=f"name one after the experiment, such as benito ssh PID/EID {what.upper()}"))
    return words[0], words[1:]


def _refuse(words: list[str]) -> None:
    if words:
        raise InputError(Problem(f"{words[0]!r} is one argument too many"))


def _show_outcome(outcome: Outcome) -> None:
    """Print what a node printed, each line with the node's name, and how it failed."""
    for text, is_error in ((outcome.out, False), (outcome.err, True)):
        for line in text.removesuffix("\n").split("\n") if text else []:
            typer.echo(f"{outcome.node}: {line}", err=is_error)
    if outcome.failed:
        typer.echo(f"{outcome.node}: {outcome.failure or f'exit status {outcome.status}'}", err=True)
