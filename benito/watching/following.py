# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow an experiment for a person or a program: on a terminal, as lines of text, or as lines of JSON."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import typer
from rich.console import Console

from ..experiment import Experiment
from .lines import event_lines
from .screen import show_on
from .watcher import Watcher


def follow_experiment(experiment: Experiment, as_json: bool) -> None:
    """Print the experiment as it changes, until it is terminated. Raises ExperimentError if it does not exist, KeyboardInterrupt after Ctrl-C or SIGTERM."""
    experiment.read_state()
    console = Console()
    watcher = Watcher(experiment)
    if as_json or console.is_dumb_terminal or not sys.stdout.isatty():
        shown: Coroutine[Any, Any, None] = _print_events(watcher, as_json)
    else:
        shown = show_on(console, watcher)
    asyncio.run(_until_signal(watcher, shown))


async def _until_signal(watcher: Watcher, shown: Coroutine[Any, Any, None]) -> None:
    """Run both until the experiment ends. A signal ends them, so that no client of a vhost is left."""
    loop, received = asyncio.get_running_loop(), []
    tasks = [asyncio.create_task(watcher.run()), asyncio.create_task(shown)]

    def stop(number: int) -> None:
        received.append(number)
        for task in tasks:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in others:  # after an error of the other: nobody reads the output any more, for example
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    if received:
        raise KeyboardInterrupt
    for task in done:
        task.result()


async def _print_events(watcher: Watcher, as_json: bool) -> None:
    await watcher.settled()
    async for event in watcher.events():
        for line in [json.dumps(event, ensure_ascii=False)] if as_json else event_lines(event):
            typer.echo(line)
