# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of one vhost: ``benito-host watch`` there, over a client that is started again whenever it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line

from ..reach.clients import Client, let_go
from .view import NOTHING

ALIVE_S = 2  # between two lines of a vhost where nothing happens
SILENCE_S = 7.0  # after which a vhost cannot be reached
FIRST_S = 20.0  # for the first line: SSH's greeting, sudo and Python on a busy machine
PAUSES_S = (0.5, 1.0, 2.0, 4.0)  # before another attempt
LONGEST = 16 << 20  # bytes of a line: the snapshot of some 50,000 nodes
_ERROR_BYTES = 4096
_ENDING_S = 2.0
_PREFIX = "benito-host: "
_NOTHING = (f"{_PREFIX}no experiment ", "benito-host: No such file", "benito-host: not found", "benito-host: command not found")  # in any shell's words


class Stream:
    """Follows one vhost for as long as ``run`` is awaited.

    client  makes the command line of the client, or says why there is none
    heard   called with each line, as JSON's value
    lost    called with the reason when the vhost cannot be reached or does not know the experiment; again with each new reason
    """

    def __init__(self, client: Callable[[], Awaitable[Client | str]], heard: Callable[[Any], None], lost: Callable[[str], None]):
        self._client, self._heard, self._lost = client, heard, lost
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Make the next attempt now, because something has changed."""
        self._hurry.set()

    async def run(self) -> None:
        """Follow the vhost until this task is cancelled. Every client is ended then."""
        attempt = 0
        while True:
            client = await self._client()
            any_line, reason = (False, client) if isinstance(client, str) else await self._follow(client)
            self._lost(reason)
            attempt = 0 if any_line else attempt + 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSES_S[min(attempt, len(PAUSES_S) - 1)]):  # wait_for may lose a cancellation before Python 3.12
                    await self._hurry.wait()
            self._hurry.clear()

    async def _follow(self, client: Client) -> tuple[bool, str]:
        """Read a client's lines until it ends or falls silent. Return (whether there were any, why it ended)."""
        try:
            process = await asyncio.create_subprocess_exec(*client.argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                                                           stderr=asyncio.subprocess.PIPE, limit=LONGEST, start_new_session=True)
        except OSError as exc:
            return False, f"{client.argv[0]} cannot be run: {exc.strerror}"
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(client.line.encode(errors="surrogateescape"))
        said = bytearray()
        errors = asyncio.create_task(_keep_last(process.stderr, said))
        any_line, reason = False, ""
        try:
            while True:
                async with asyncio.timeout(SILENCE_S if any_line else FIRST_S):
                    line = await process.stdout.readline()
                if not line:
                    await _wait(process)  # for its own status
                    break
                any_line = True
                self._heard(_parsed(line))
                await asyncio.sleep(0)  # a vhost that sends without end leaves the others their turn
        except TimeoutError:
            reason = f"it has been silent for {SILENCE_S if any_line else FIRST_S:.0f} s"
        except ValueError:
            reason = f"it sent a line of more than {LONGEST >> 20} MiB"
        finally:
            try:
                await _end(process)
                await asyncio.wait((errors,), timeout=_ENDING_S)  # what the client has started may keep its standard error open
            finally:
                errors.cancel()
                let_go(process)
        return any_line, reason or _why(said.decode(errors="replace"), process.returncode, any_line)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # no line of benito-host
        return None


async def _keep_last(stream: asyncio.StreamReader, kept: bytearray) -> None:
    """Read a stream to its end, and keep its last bytes in ``kept``."""
    while data := await stream.read(_ERROR_BYTES):
        kept += data
        del kept[:-_ERROR_BYTES]


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a client and what it has started. The far end ends when nobody reads it. Whoever is cancelled here kills the client at once."""
    assert process.stdin
    process.stdin.close()
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.returncode is not None:
                return
            _signal(process, number)
            await _wait(process)
    except asyncio.CancelledError:
        _signal(process, signal.SIGKILL)
        raise


async def _wait(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ENDING_S):
            await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # sudo is root's: it ends because nobody reads it
        if process.returncode is None:
            os.killpg(process.pid, number)


def _why(said: str, status: int | None, any_line: bool) -> str:
    """Return why a client ended, in a line."""
    lines = [clean_line(line, 300).strip() for line in said.splitlines() if line.strip()]
    if status == 0 and any_line or any(text in line for line in lines for text in _NOTHING):
        return NOTHING
    if lines:
        ours = [line for line in lines if line.startswith(_PREFIX)]
        return (ours or lines)[-1].removeprefix(_PREFIX)
    return "the connection ended" if any_line else f"its client ended with status {status}"
