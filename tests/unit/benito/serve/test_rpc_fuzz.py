# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Anything may be sent to both RPCs: each line and each call is answered, nothing is left behind, and no answer has a traceback.

BENITO_FUZZ=N makes the number of examples N instead of 300.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
import xmlrpc.client
from ast import literal_eval
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.deter.benito.tests.unit.benito.serve.followed import carry, watchers_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benito.serve import line_rpc
from benito.serve.line_connection import LONGEST
from benito.serve.line_rpc import LineServer, serve_tcp, serve_unix
from benito.serve.watchers import Watchers
from benito.serve.xml_rpc import answer

EXAMPLES = int(os.environ.get("BENITO_FUZZ") or 300)
FUZZ = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
KINDS = ("error", "status_reply")

# -- lines -------------------------------------------------------------------

WORDS = st.sampled_from([
    b"status_request", b"status_subscribe", b"status_reply", b"token", b"Proj/pair", b"Proj/Group/pair", b"DeterTest/kinds", b"DeterTest/none",
    b"..", b"/", b"//", b"Proj/../Proj/pair", b"%s", b"{}", b"'", b"\\", b"\x1b]0;x\x07", b"\xe2\x80\xae", b"\xff", b"\0", b"x" * 100, b"x" * LONGEST,
])
LINES = st.one_of(
    st.binary(max_size=60),
    st.lists(st.one_of(WORDS, WORDS, st.binary(max_size=8)), max_size=4).map(b" ".join),
    st.tuples(
        st.sampled_from([b"status_request", b"status_subscribe"]), st.sampled_from([b" ", b"\t", b"  ", b""]),
        st.sampled_from([b"Proj/pair", b"Proj/Group/pair", b"DeterTest/kinds", b"Proj/pai", b"Proj/pair/"]), st.sampled_from([b"", b"\r", b" "]),
    ).map(b"".join),
    st.integers(LONGEST - 30, 3 * LONGEST).map(lambda size: b"status_request Proj/" + b"p" * size),
)
STREAMS = st.tuples(st.lists(LINES, max_size=12), st.sampled_from([b"\n", b""])).map(lambda made: b"\n".join(made[0]) + made[1])


class Running:
    """Servers in a thread of their own. ``faults`` has what reached the event loop's handler of exceptions."""

    def __init__(self, home):
        self.home, self.faults = home, []
        self.loop = asyncio.new_event_loop()
        self.ready, self.ending = threading.Event(), asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._main(),))
        self.servers: dict[str, LineServer] = {}

    async def _main(self):
        self.loop.set_exception_handler(lambda _loop, context: self.faults.append(context))
        with tempfile.TemporaryDirectory(prefix="rpc") as folder:
            async with watchers_of(self.home) as self.watchers:
                carry(self.watchers, "Proj/Group/pair", {"pnode-0000": {"a": "process", "b": "process"}})
                self.servers["unix"] = await serve_unix(self.watchers, f"{folder}/sock")
                self.servers["tcp"] = await serve_tcp(self.watchers, "127.0.0.1", 0, lambda token: token == "secret")
                self.addresses = {name: server.addresses[0] for name, server in self.servers.items()}
                self.tasks = len(asyncio.all_tasks())
                self.ready.set()
                await self.ending.wait()
                for server in self.servers.values():
                    await server.close()

    async def at_rest(self) -> tuple[int, int, int]:
        """Return (connections, tasks more than at the beginning, subscribers) when no connection is left."""
        async with asyncio.timeout(10):
            while sum(server.connections for server in self.servers.values()):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        subscribers = len(self.watchers.get("Proj/Group/pair")._subscribers)
        return sum(server.connections for server in self.servers.values()), len(asyncio.all_tasks()) - 1 - self.tasks, subscribers

    def check(self) -> None:
        assert asyncio.run_coroutine_threadsafe(self.at_rest(), self.loop).result(20) == (0, 0, 0)
        assert self.faults == []


@pytest.fixture(scope="module")
def running(rpc_home) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(line_rpc, "WRONG_S", 0)
        made = Running(rpc_home)
        made.thread.start()
        assert made.ready.wait(20)
        yield made
        made.loop.call_soon_threadsafe(made.ending.set)
        made.thread.join(20)
        made.loop.close()
        assert made.faults == []


def talk(address: str, data: bytes) -> list[tuple[str, Any]]:
    """Send the data and return all answers as (kind, value)."""
    client = socket.socket(socket.AF_UNIX) if address.startswith("/") else socket.socket()
    with client:
        client.settimeout(10)
        client.connect(address if address.startswith("/") else ("127.0.0.1", int(address.rsplit(":", 1)[1])))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        found = b""
        while piece := client.recv(1 << 16):
            found += piece
    lines = found.decode().splitlines(keepends=True)
    assert all(line.endswith("\n") for line in lines) and "Traceback" not in found.decode()
    return [(kind, literal_eval(body)) for kind, body in (line.split(" ", 1) for line in lines)]


def lines_of(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def test_every_line_is_answered_and_nothing_is_left(running):
    @FUZZ
    @given(STREAMS)
    def fuzz(data):
        found = talk(running.addresses["unix"], data)
        assert [kind in KINDS for kind, _value in found] == [True] * len(lines_of(data))
        assert all(isinstance(value, dict if kind == "status_reply" else str) for kind, value in found)
        assert all(value.isprintable() and len(value) <= 300 for kind, value in found if kind == "error")

    fuzz()
    running.check()


def test_every_first_line_on_tcp_is_the_token_or_ends_the_connection(running):
    @settings(FUZZ, max_examples=EXAMPLES // 2)
    @given(st.one_of(st.just(b"token secret\n"), st.binary(max_size=20), WORDS, LINES), STREAMS)
    def fuzz(first, data):
        try:
            found = talk(running.addresses["tcp"], first + data)
        except ConnectionResetError:  # it was closed before all was read
            return
        if lines_of(first + data)[:1] == [b"token secret"]:
            assert found[0] == ("token_reply", True) and len(found) == len(lines_of(first + data))
        else:
            assert [kind for kind, _value in found] == ["error"]

    fuzz()
    running.check()


def test_clients_that_go_in_the_middle_leave_nothing(running):
    @settings(FUZZ, max_examples=EXAMPLES // 2)
    @given(STREAMS, st.integers(0, 3))
    def fuzz(data, reads):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(running.addresses["unix"])
            client.sendall(data)
            for _read in range(min(reads, data.count(b"\n"))):  # the last line may have no end
                client.recv(10)

    fuzz()
    running.check()


# -- XML-RPC -----------------------------------------------------------------

NAMES = st.sampled_from(["Proj", "Proj/Group", "pair", "DeterTest", "kinds", "", "..", "a" * 33, "'", "é"])
VALUES = st.recursive(
    st.one_of(NAMES, st.integers(-(2**31), 2**31 - 1), st.floats(allow_nan=False), st.booleans(), st.binary(max_size=9), st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["proj", "exp", "x"]), inner, max_size=3)), max_leaves=6,
)
METHODS = st.sampled_from(["experiment.extra_nodes", "system.listMethods", "system.methodHelp", "system.multicall", "", "__init__", "a" * 2000])
CALLS = st.tuples(METHODS, st.lists(VALUES, max_size=3)).map(lambda made: xmlrpc.client.dumps(tuple(made[1]), made[0]).encode())
TAGS = ("methodCall", "methodName", "methodResponse", "params", "param", "value", "int", "i8", "string", "double", "boolean", "array", "data", "struct",
        "member", "name", "nil", "base64", "dateTime.iso8601", "bigdecimal", "fault", "a")
TEXTS = st.sampled_from(["", "experiment.extra_nodes", "Proj", "pair", "1", "-9e999", "NaN", "x", "&lt;", "&#0;", "&x;", "9" * 5000, "20200101T00:00:00"])
XML = st.recursive(TEXTS, lambda inner: st.tuples(st.sampled_from(TAGS), st.lists(inner, max_size=4)).map(
    lambda made: f"<{made[0]}>{''.join(made[1])}</{made[0]}>"), max_leaves=15)
DECLARATION = '<?xml version="1.0" encoding="%s"?>'
PROLOGUES = st.sampled_from(["", '<?xml version="1.0"?>', DECLARATION % "utf-16", DECLARATION % "x", "<!DOCTYPE a>", "\ufeff"])


@st.composite
def damaged_calls(draw) -> bytes:
    """A call of which a piece is cut out or replaced."""
    body = draw(CALLS)
    begin = draw(st.integers(0, len(body)))
    return body[:begin] + draw(st.binary(max_size=6)) + body[draw(st.integers(begin, min(begin + 30, len(body)))):]


def test_every_call_is_answered_by_a_result_or_a_fault_with_a_sentence(rpc_home):
    watchers = Watchers(str(rpc_home))

    @FUZZ
    @given(st.one_of(st.binary(max_size=200), CALLS, damaged_calls(), st.tuples(PROLOGUES, XML).map(lambda made: "".join(made).encode()),
                     XML.map(lambda inner: f"<methodCall><methodName>experiment.extra_nodes</methodName><params>{inner}</params></methodCall>".encode())))
    def fuzz(body):
        try:
            xmlrpc.client.loads(answer(body, watchers))
        except xmlrpc.client.Fault as fault:
            text = fault.faultString
            assert fault.faultCode < 0 and text.isprintable() and 0 < len(text) <= 400 and "Traceback" not in text

    fuzz()
