# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments that are followed without machines: real directories and watchers, whose views a test feeds as vhosts would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.create import Request, prepare
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Topology
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.writer import write_topdl

from benito.serve.watchers import Watchers
from benito.watching.view import View
from benito.watching.watcher import Watcher


def create(home: Path, project: str, eid: str, topology: Topology) -> ExperimentDirectory:
    """Create an experiment."""
    file = home.parent / f"{eid}.xml"
    file.write_text(write_topdl(topology), encoding="utf-8")
    creation = prepare(Request(project, eid, str(file), home=str(home)))
    creation.write()
    return creation.directory


@contextlib.asynccontextmanager
async def watchers_of(home: Path) -> AsyncIterator[Watchers]:
    """The watchers of all experiments below a BENITO_HOME, while the block runs."""
    watchers = Watchers(str(home))
    task = asyncio.create_task(watchers.run())
    for _step in range(3):  # each watcher has its first look
        await asyncio.sleep(0)
    try:
        yield watchers
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def carry(watchers: Watchers, name: str, carried: dict[str, dict[str, str]]) -> Watcher:
    """Make an experiment's watcher follow vhosts that carry nodes: {vhost: {node: kind}}. All have been tried and none is reachable."""
    watcher = watchers.get(name)
    assert watcher
    watcher.view = View(carried)
    for vhost in carried:
        watcher.view.lose(vhost, "it is silent")
    watcher._publish(watcher.snapshot())
    return watcher


def tell(watcher: Watcher, vhost: str, **nodes: dict[str, Any]) -> None:
    """Let a vhost tell of its nodes, each in a line of its own."""
    for name, fields in nodes.items():
        watcher._publish(*watcher.view.take(vhost, {"event": "node", "node": name, **fields}))


class Client:
    """A client of the line RPC."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    async def line(self) -> str:
        """Return the next line, "" at the end."""
        async with asyncio.timeout(10):
            return (await self.reader.readline()).decode().removesuffix("\n")

    async def ask(self, text: str | bytes) -> str:
        """Send a line and return the next one."""
        self.writer.write((text if isinstance(text, bytes) else text.encode()) + b"\n")
        return await self.line()


@contextlib.asynccontextmanager
async def client_of(address: str) -> AsyncIterator[Client]:
    """A client of the server at a path or HOST:PORT."""
    if address.startswith("/"):
        made = await asyncio.open_unix_connection(address, limit=1 << 24)
    else:
        made = await asyncio.open_connection(*address.rsplit(":", 1), limit=1 << 24)
    try:
        yield Client(*made)
    finally:
        made[1].close()


async def until(condition) -> None:
    """Wait until a condition holds, at most 10 s."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
