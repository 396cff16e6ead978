# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a vhost by clients that are programs of this machine."""

from __future__ import annotations

import asyncio

import pytest

from benito.reach.clients import Client
from benito.watching import stream
from benito.watching.stream import Stream


async def nobody() -> str:
    return "nobody knows the vhost"


def test_a_stream_that_is_hurried_and_ended_at_once_ends():
    async def scenario():
        followed = Stream(nobody, lambda line: None, lambda reason: None)
        running = asyncio.create_task(followed.run())
        await asyncio.sleep(0.05)
        followed.hurry()
        running.cancel()
        ended, _running = await asyncio.wait([running], timeout=1)
        assert ended

    asyncio.run(scenario())


@pytest.mark.parametrize("leaves", ["", "sleep 1 >&2 & "])
def test_a_client_that_ends_is_started_again_even_if_what_it_started_has_its_streams(monkeypatch, leaves):
    monkeypatch.setattr(stream, "_ENDING_S", 0.2)
    monkeypatch.setattr(stream, "PAUSES_S", (0.05,))
    lines, reasons = [], []

    async def client() -> Client:
        return Client(("setsid", "-w", "sh", "-c", f"{leaves}echo '{{\"event\": \"alive\"}}'"))

    async def scenario():
        running = asyncio.create_task(Stream(client, lines.append, reasons.append).run())
        async with asyncio.timeout(10):
            while len(reasons) < 3 and not running.done():
                await asyncio.sleep(0.02)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.sleep(1.2 if leaves else 0)  # for the last one that a client has started

    asyncio.run(scenario())
    assert lines[0] == {"event": "alive"} and len(reasons) >= 3
