# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that change an experiment's state."""

from __future__ import annotations

from typing import Annotated

import typer

from ..options import Json, Name
from ..output import print_json
from ..which import which

Forget = Annotated[bool, typer.Option("--forget-unreachable", help="give up machines that cannot be reached any more")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(swapin)
    app.command()(swapout)
    app.command()(terminate)


def swapin(name: Name = None, as_json: Json = False) -> None:
    """Give the experiment machines, build its nodes and run their start commands."""
    experiment = which(name)
    experiment.swapin(show=not as_json)
    if as_json:
        print_json({"experiment": str(experiment), "state": experiment.state})


def swapout(name: Name = None, forget_unreachable: Forget = False, as_json: Json = False) -> None:
    """Remove everything of the experiment from its machines. The experiment stays, and can be swapped in again."""
    experiment = which(name)
    experiment.swapout(show=not as_json, forget_unreachable=forget_unreachable)
    if as_json:
        print_json({"experiment": str(experiment), "state": experiment.state})


def terminate(name: Name = None, forget_unreachable: Forget = False, as_json: Json = False) -> None:
    """Swap out, and remove the experiment with its directory."""
    experiment = which(name)
    experiment.terminate(show=not as_json, forget_unreachable=forget_unreachable)
    if as_json:
        print_json({"experiment": str(experiment), "state": None})
