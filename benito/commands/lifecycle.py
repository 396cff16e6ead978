# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that change an experiment's state."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..experiment import Experiment
from ..options import Json, Name, NameAndNodes
from ..output import print_json
from ..settings import read_pairs, with_settings
from ..which import split_name, which, which_of

Forget = Annotated[bool, typer.Option("--forget-unreachable", help="give up machines that cannot be reached any more")]
File = Annotated[str, typer.Argument(metavar="FILE", help="the topology: TopDL, NS, GraphML or containerlab", show_default=False)]
Site = Annotated[str | None, typer.Option(metavar="FILE", help="a settings file instead of the one in BENITO_HOME", show_default=False)]
Config = Annotated[str | None, typer.Option(metavar="FILE", help="a site.conf of the original", show_default=False)]
Given = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="any setting by its name, repeatable", show_default=False)]
NewName = Annotated[str, typer.Argument(metavar="PID/EID", help="the new experiment, PID/GID/EID for one of a group", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(create)
    app.command(rich_help_panel=None)(containerize)
    for command in (swapin, swapout, terminate, reboot):
        app.command()(command)


@with_settings()
def create(
    name: NewName, file: File, site: Site = None, config: Config = None, given: Given = None, as_json: Json = False, *, settings: dict[str, Any],
) -> None:
    """Create an experiment from a topology. Every setting of docs/site.md is an option."""
    _create(*split_name(name), file, {**_files(site, config), **settings, **read_pairs(given or [])}, as_json)


@with_settings("packing")
def containerize(
    pid: Annotated[str, typer.Argument(metavar="PID", show_default=False)], eid: Annotated[str, typer.Argument(metavar="EID", show_default=False)], file: File,
    packing: Annotated[str | None, typer.Argument(metavar="[PACKING]", help="the most nodes of a pnode", show_default=False)] = None,
    site: Site = None, config: Config = None, given: Given = None, as_json: Json = False, *, settings: dict[str, Any],
) -> None:
    """Create an experiment, called as the original's containerize."""
    pack = {"packing": packing} if packing is not None else {}
    _create(pid, eid, file, {**_files(site, config), **pack, **settings, **read_pairs(given or [])}, as_json)


def _create(pid: str, eid: str, file: str, settings: dict[str, Any], as_json: bool) -> None:
    experiment = Experiment.create(pid, eid, file, show=not as_json, **settings)
    if as_json:
        print_json({"experiment": str(experiment), "state": experiment.state, "directory": experiment.directory, "assignment": experiment.assignment})
    else:
        typer.echo(f"Next: benito swapin {experiment}")


def _files(site: str | None, config: str | None) -> dict[str, str]:
    return {name: value for name, value in (("site", site), ("config", config)) if value is not None}


def swapin(name: Name = None, as_json: Json = False) -> None:
    """Give the experiment machines, build its nodes and run their start commands. Repairs one that is active."""
    experiment = which(name)
    experiment.swapin(show=not as_json)
    _report(experiment, as_json)


def swapout(name: Name = None, forget_unreachable: Forget = False, as_json: Json = False) -> None:
    """Remove everything of the experiment from its machines. It can be swapped in again."""
    experiment = which(name)
    experiment.swapout(show=not as_json, forget_unreachable=forget_unreachable)
    _report(experiment, as_json)


def terminate(name: Name = None, forget_unreachable: Forget = False, as_json: Json = False) -> None:
    """Swap out, and remove the experiment with its directory."""
    experiment = which(name)
    experiment.terminate(show=not as_json, forget_unreachable=forget_unreachable)
    if as_json:
        print_json({"experiment": str(experiment), "state": None})


def reboot(arguments: NameAndNodes, as_json: Json = False) -> None:
    """Reboot nodes and wait until they have booted. Their start commands run again."""
    experiment, nodes = which_of(arguments)
    if not nodes:
        raise typer.BadParameter("which nodes? name at least one")
    experiment.reboot(nodes, show=not as_json)
    if as_json:
        print_json({"experiment": str(experiment), "rebooted": nodes})


def _report(experiment: Experiment, as_json: bool) -> None:
    if as_json:
        print_json({"experiment": str(experiment), "state": experiment.state})
