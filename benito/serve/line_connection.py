# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection of the line RPC: its requests in turn, and the experiment that it follows. docs/service-rpc.md describes the protocol."""

from __future__ import annotations

import asyncio
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line

from ..errors import BenitoError, ExperimentError
from ..watching.lines import experiment_text
from ..watching.watcher import Watcher
from .naming import named_experiment
from .status_reply import Reply, changes, merged, status_reply
from .watchers import Watchers

LONGEST = 4096  # bytes of a request
WRITE_S = 10.0  # for a client to read what waits for it
TOGETHER_S = 0.05  # changes that come within it are sent as one
CHECK_S = 5.0  # between two looks whether an experiment is still followed
SETTLE_S = 2.0  # for the vhosts of an experiment that has just begun to be followed
_REASON_WIDTH = 300
_COMMANDS = ("status_request", "status_subscribe")


class LineConnection:
    """Answers each line of a client by a line until the client ends the connection."""

    def __init__(self, watchers: Watchers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._watchers, self._reader, self._writer = watchers, reader, writer
        self._follower: asyncio.Task | None = None
        self._followed = ""

    async def serve(self) -> None:
        """Answer the client until its last line. Raises ConnectionError when it is gone or does not read."""
        try:
            while (line := await self.next_line()) is not None:
                await self._answer(line)
                await asyncio.sleep(0)  # lines that wait already are read without a pause
        finally:
            if self._follower:
                self._follower.cancel()
                await asyncio.gather(self._follower, return_exceptions=True)

    async def next_line(self) -> bytes | None:
        """Return the next line without its newline, None at the end. What it returns of a line that is too long is longer than LONGEST."""
        beginning = b""
        while True:
            try:
                rest = await self._reader.readuntil()
            except asyncio.IncompleteReadError as exc:
                return beginning or exc.partial or None
            except asyncio.LimitOverrunError as exc:
                piece = await self._reader.readexactly(exc.consumed)
                beginning = beginning or piece[: LONGEST + 1]
            else:
                return beginning or rest[:-1]

    async def send(self, kind: str, body: Any) -> None:
        """Send a line with a Python literal. Raises ConnectionError when the client does not read."""
        self._writer.write(f"{kind} {body!r}\n".encode(errors="backslashreplace"))
        try:
            async with asyncio.timeout(WRITE_S):
                await self._writer.drain()
        except TimeoutError:
            self._writer.transport.abort()
            raise ConnectionAbortedError from None

    async def refuse(self, reason: str) -> None:
        """Send ``error`` with a reason."""
        await self.send("error", clean_line(reason, _REASON_WIDTH))

    async def _answer(self, line: bytes) -> None:
        words = line.decode(errors="replace").split()
        if len(line) > LONGEST:
            await self.refuse(f"the line is longer than {LONGEST} bytes")
        elif not words:
            await self.refuse("the line is empty: write status_request PID/EID")
        elif words[0] not in _COMMANDS:
            await self.refuse(f"there is no command {clean_line(words[0], 40)!r}: write {' or '.join(_COMMANDS)}, then PID/EID")
        elif len(words) != 2:
            await self.refuse(f"{words[0]} takes one argument, PID/EID, and got {len(words) - 1}")
        else:
            try:
                watcher = await self._watcher(words[1])
                await (self._request if words[0] == "status_request" else self._subscribe)(watcher)
            except BenitoError as exc:
                await self.refuse(str(exc))

    async def _watcher(self, name: str) -> Watcher:
        """Return the watcher of an experiment that can be read, when it knows the state of the vhosts. Raises BenitoError."""
        directory = named_experiment(self._watchers.home, name)
        watcher = self._watchers.get(str(directory))
        if watcher is None:
            raise ExperimentError(f"experiment {directory} does not exist any more")
        await asyncio.sleep(0)  # a new watcher has its first look
        await watcher.settled(SETTLE_S)
        if watcher.state["state"] == "broken":
            raise ExperimentError(_state_text(watcher))
        return watcher

    async def _request(self, watcher: Watcher) -> None:
        reply = status_reply(watcher.view)
        if not reply:
            raise ExperimentError(f"{_state_text(watcher)}; its nodes have a status while it is swapped in")
        await self.send("status_reply", reply)

    async def _subscribe(self, watcher: Watcher) -> None:
        if self._follower and not self._follower.done():
            raise ExperimentError(f"this connection follows {self._followed} already: open another one")
        reply = status_reply(watcher.view)
        await self.send("status_reply", reply)
        self._followed = str(watcher.experiment)
        self._follower = asyncio.create_task(self._follow(watcher, reply))

    async def _follow(self, watcher: Watcher, sent: Reply) -> None:
        """Send what differs from what the client knows, until the experiment is terminated or the client is gone."""
        changed, well = asyncio.Event(), True
        listener = asyncio.create_task(_listen(watcher, changed))
        try:
            while well and not listener.done():
                if new := changes(sent, status_reply(watcher.view)):
                    sent = merged(sent, new)
                    await self.send("status_change", new)
                await asyncio.sleep(TOGETHER_S)
                try:
                    async with asyncio.timeout(CHECK_S):  # wait_for may lose a cancellation before Python 3.12
                        await changed.wait()
                except TimeoutError:
                    well = self._watchers.get(self._followed) is watcher
                changed.clear()
            if self._watchers.get(self._followed):
                await self.refuse(f"experiment {self._followed} was not followed to its end: subscribe again")
            else:
                await self.send("status_end", self._followed)
        except ConnectionError:  # the reader of the connection sees it, too
            pass
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)


async def _listen(watcher: Watcher, changed: asyncio.Event) -> None:
    """Set ``changed`` at each event, and at the end."""
    try:
        async for _event in watcher.events():
            changed.set()
    finally:
        changed.set()


def _state_text(watcher: Watcher) -> str:
    return experiment_text({"experiment": str(watcher.experiment), **watcher.state})
