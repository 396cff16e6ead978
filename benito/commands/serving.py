# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that runs the service."""

from __future__ import annotations

from typing import Annotated

import typer
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import benito_home


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(serve)


def serve(
    port: Annotated[str | None, typer.Option(metavar="PORT", help="of HTTP on 127.0.0.1 [8460]", show_default=False)] = None,
    line_rpc: Annotated[str | None, typer.Option("--line-rpc", metavar="ADDRESS:PORT", help="listen for the line RPC here, too; it takes the token",
                                                 show_default=False)] = None,
    notify_command: Annotated[str | None, typer.Option("--notify-command", metavar="COMMAND", help="run by the shell when a swap-in has ended",
                                                       show_default=False)] = None,
    notify_url: Annotated[str | None, typer.Option("--notify-url", metavar="URL", help="told by POST when a swap-in has ended", show_default=False)] = None,
) -> None:
    """Serve all experiments to other programs, until Ctrl-C: over HTTP, the line RPC and XML-RPC. BENITO_HOME/grandstand.yml has the same settings."""
    from ..serve.service import serve as run  # it takes a while
    from ..serve.settings import read_settings

    home = benito_home()
    run(home, read_settings(home, port=port, line_rpc=line_rpc, notify_command=notify_command, notify_url=notify_url))
