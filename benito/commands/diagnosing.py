# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that find out what is wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import typer
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import benito_home

from ..doctor.checks import FAILED, WARNING, Check, lines
from ..doctor.controller import controller_checks
from ..doctor.pool import pool_checks
from ..errors import BenitoError
from ..options import Json
from ..output import print_json

_COLOURS = {FAILED: typer.colors.RED, WARNING: typer.colors.YELLOW}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> None:
    """Check this machine and all machines of the pool, and say what to do about what is wrong. Changes nothing. Exit status 1 if a check failed."""
    home = benito_home()
    with ThreadPoolExecutor(1) as beside:
        here = beside.submit(lambda: list(controller_checks(home)))
        pool = _pool(home)
        checks = [*here.result(), *pool]
    failed = sum(check.state == FAILED for check in checks)
    warnings = sum(check.state == WARNING for check in checks)
    if as_json:
        print_json({"checks": [check.as_dict() for check in checks], "failed": failed, "warnings": warnings})
    else:
        for line in lines(checks):
            state = line.split(" ", 1)[0]
            typer.echo(typer.style(state, fg=_COLOURS.get(state, typer.colors.GREEN)) + line[len(state):] if line[:1].strip() else line)
        typer.echo(f"{len(checks) - failed - warnings} checks are well, {warnings} warnings, {failed} failed")
    if failed:
        raise typer.Exit(1)


def _pool(home: str) -> list[Check]:
    try:
        return pool_checks(home)
    except BenitoError as exc:
        return [Check("pool", FAILED, str(exc), "correct the inventory that is named there")]
