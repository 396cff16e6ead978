# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``benito``: its entry point, and how errors end it. docs/command.md describes the commands and exit statuses."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .collection import CollectionMissing, make_importable, version

FAILED, USAGE, TIMEOUT, INTERRUPTED = 1, 2, 3, 130


class Commands(TyperGroup):
    """Ends a command whose error is the user's or a machine's with a sentence and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        from .errors import BenitoError, InputError, NoChoice, WaitTimeout  # needs the collection

        try:
            return super().invoke(ctx)
        except BenitoError as exc:
            status = USAGE if isinstance(exc, (InputError, NoChoice)) else TIMEOUT if isinstance(exc, WaitTimeout) else FAILED
            typer.echo(f"benito: {exc}", err=True)
            raise typer.Exit(status) from exc
        except KeyboardInterrupt as exc:
            typer.echo("benito: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from exc


def make_app() -> typer.Typer:
    """Return the application with all its commands. Raises CollectionMissing."""
    make_importable()
    from .commands import diagnosing, lifecycle, looking, reaching, serving  # needs the collection

    app = typer.Typer(
        name="benito", cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
        help="Create network experiments, swap them in, look at them and reach their nodes.", context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def options(version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_show_version, help="print the version and exit")] = False) -> None:
        """Create network experiments, swap them in, look at them and reach their nodes."""

    for commands in (lifecycle, looking, reaching, diagnosing, serving):
        commands.register(app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"benito {version()}")
        raise typer.Exit


def run() -> None:
    """Run the command line of this process."""
    try:
        app = make_app()
    except CollectionMissing as exc:
        sys.exit(f"benito: {exc}")
    app(prog_name="benito")
