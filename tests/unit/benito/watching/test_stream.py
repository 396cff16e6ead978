# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of a vhost, whose client is a real process here: a shell script that prints, falls silent, fails or does not end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

import pytest

from benito.reach.clients import Client
from benito.watching import stream as module
from benito.watching.stream import Stream
from benito.watching.view import NOTHING

LIMIT_S = 20.0


@pytest.fixture(autouse=True)
def fixture_limits(monkeypatch):
    """Make the limits short."""
    for name, value in {"SILENCE_S": 0.5, "FIRST_S": 1.0, "PAUSES_S": (0.05, 0.1), "_ENDING_S": 0.5}.items():
        monkeypatch.setattr(module, name, value)


def shell(script, line=""):
    return Client(("/bin/sh", "-c", script), line)


def follow(script, times=1, line="", while_following=None):
    """Follow a client until it has been lost ``times`` times. Return (values heard, reasons)."""

    async def run():
        heard, lost, enough = [], [], asyncio.Event()

        async def client():
            return script if isinstance(script, Client) else shell(script, line)

        def lose(reason):
            lost.append(reason)
            if len(lost) >= times:
                enough.set()

        task = asyncio.create_task(Stream(client, heard.append, lose).run())
        if while_following:
            await while_following()
        await asyncio.wait_for(enough.wait(), LIMIT_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return heard, lost

    return asyncio.run(run())


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as handle:
            return handle.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_gone(pid):
    deadline = time.monotonic() + 10
    while not gone(pid):
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.05)


def test_each_line_is_heard_as_a_value_and_garbage_as_none():
    heard, lost = follow("""printf '{"event": "alive"}\\nno json\\n\\377\\376\\n%s\\n[1' '{"n": [1, 2]}'; echo 'benito-host: it broke' >&2; exit 3""")
    assert heard == [{"event": "alive"}, None, None, {"n": [1, 2]}, None]
    assert lost == ["it broke"]


def test_nesting_and_numbers_beyond_measure_are_garbage():
    heard, _lost = follow("""head -c 200000 /dev/zero | tr '\\0' '['; echo; head -c 20000 /dev/zero | tr '\\0' '9'; echo; echo 7""")
    assert heard == [None, None, 7]


def test_the_client_gets_its_first_line_of_input_and_its_input_stays_open():
    heard, _lost = follow("""read secret; echo "\\"$secret\\""; read more || echo closed; exit 1""", line="pass word\n")
    assert heard == ["pass word"], "the second read waits until the silence is too long"


def test_a_vhost_that_falls_silent_is_lost_and_its_client_is_ended(tmp_path):
    heard, lost = follow(f"echo $$ > {tmp_path}/pid; echo 1; exec sleep 1000")
    assert heard == [1] and lost == ["it has been silent for 0 s"]
    wait_gone((tmp_path / "pid").read_text().strip())


def test_a_vhost_that_never_says_anything_is_lost_after_a_longer_time():
    began = time.monotonic()
    assert follow("exec sleep 1000") == ([], ["it has been silent for 1 s"])
    assert time.monotonic() - began > 0.9


def test_a_line_without_an_end_is_not_kept(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 1 << 20)
    heard, lost = follow("echo 1; exec tr '\\0' x < /dev/zero")
    assert heard == [1] and lost == ["it sent a line of more than 1 MiB"]


@pytest.mark.parametrize(("script", "reason"), [
    ("echo 1; exit 0", NOTHING),
    ("echo 'benito-host: no experiment P.e on this host: there is no /x' >&2; exit 1", NOTHING),
    ("/usr/local/sbin/benito-host-that-is-not-there", "not found"),
    ("exec sh -c /nowhere/benito-host", NOTHING),
    ("echo 'ssh: connect to host h port 22: Connection refused' >&2; exit 255", "ssh: connect to host h port 22: Connection refused"),
    ("printf 'warning\\nbenito-host: a\\033[31mb\\nConnection to h closed.\\n' >&2; exit 1", "ab"),
    ("exit 7", "its client ended with status 7"),
    ("echo 1; exit 7", "the connection ended"),
    ("exit 0", "its client ended with status 0"),
])
def test_why_a_client_ended_is_a_line(script, reason):
    _heard, lost = follow(script)
    assert reason in lost[0] and lost[0].isprintable()


def test_a_client_that_cannot_be_run_is_a_reason():
    assert follow(Client(("/nowhere/ssh",)))[1] == ["/nowhere/ssh cannot be run: No such file or directory"]


def test_a_client_is_started_again_whenever_it_ends():
    heard, lost = follow("echo 1; exit 1", times=3)
    assert heard == [1, 1, 1] and lost == ["the connection ended"] * 3


def test_a_reason_for_no_client_is_given_and_it_is_asked_again():

    async def run():
        asked, lost = [], []

        async def client():
            asked.append(1)
            return "there is no way"

        stream = Stream(client, lambda value: None, lost.append)
        task = asyncio.create_task(stream.run())
        while len(lost) < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        return asked, lost

    asked, lost = asyncio.run(run())
    assert len(asked) >= 3 and set(lost) == {"there is no way"}


def test_a_hurry_ends_the_pause(monkeypatch):
    monkeypatch.setattr(module, "PAUSES_S", (1000.0,))

    async def run():
        lost, again = [], asyncio.Event()

        async def client():
            return "no"

        stream = Stream(client, lambda value: None, lambda why: (lost.append(why), again.set()))
        task = asyncio.create_task(stream.run())
        for _time in range(3):
            await asyncio.wait_for(again.wait(), LIMIT_S)
            again.clear()
            stream.hurry()
        task.cancel()
        return len(lost)

    assert asyncio.run(run()) == 3


def test_a_stream_that_is_hurried_and_ended_at_once_ends():

    async def run():
        async def client():
            return "no"

        stream = Stream(client, lambda value: None, lambda why: None)
        task = asyncio.create_task(stream.run())
        await asyncio.sleep(0.02)
        stream.hurry()
        task.cancel()
        assert (await asyncio.wait((task,), timeout=1))[0]

    asyncio.run(run())


def test_a_child_of_the_client_that_keeps_its_standard_error_does_not_end_the_stream(tmp_path):
    """An SSH client may leave a process behind that keeps the connection for others."""
    heard, lost = follow(f"(sleep 30; true) >/dev/null & echo $! >> {tmp_path}/pids; echo 1; echo 'benito-host: over' >&2; exit 1", times=2)
    for pid in (tmp_path / "pids").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), 9)
    assert heard == [1, 1] and lost == ["over", "over"]


STUBBORN = "trap '' TERM; echo $$ > {}; echo 1; while :; do sleep 0.1; echo 1; done"


@pytest.mark.parametrize("cancels", [1, 2])
@pytest.mark.parametrize("script", [STUBBORN, "echo $$ > {}; echo 1; sleep 1000"])
def test_no_client_is_left_after_a_cancellation_however_often(tmp_path, script, cancels):
    pid = tmp_path / "pid"

    async def run():
        heard = asyncio.Event()

        async def client():
            return shell(script.format(pid))

        task = asyncio.create_task(Stream(client, lambda value: heard.set(), lambda why: None).run())
        await asyncio.wait_for(heard.wait(), LIMIT_S)
        for _time in range(cancels):
            task.cancel()
            await asyncio.sleep(0.05)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
    wait_gone(pid.read_text().strip())


def test_a_cancellation_is_not_forgotten_when_a_line_comes_at_the_same_time():

    async def run():
        ended = 0
        for _time in range(20):
            heard = asyncio.Event()

            async def client():
                return shell("while :; do echo 1; done")

            task = asyncio.create_task(Stream(client, lambda value, heard=heard: heard.set(), lambda why: None).run())
            await asyncio.wait_for(heard.wait(), LIMIT_S)
            task.cancel()
            done, _others = await asyncio.wait((task,), timeout=3)
            ended += len(done)
            task.cancel()
        return ended

    assert asyncio.run(run()) == 20


def test_a_vhost_that_sends_without_end_leaves_the_others_their_turn():

    async def run():
        turns, lines = 0, 0

        async def client():
            return shell("exec yes 1")

        def hear(_value):
            nonlocal lines
            lines += 1

        task = asyncio.create_task(Stream(client, hear, lambda why: None).run())
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            await asyncio.sleep(0)
            turns += 1
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return turns, lines

    turns, lines = asyncio.run(run())
    assert lines > 1000 and turns > lines / 3
