# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line RPC over real sockets, of experiments whose vhosts the tests play."""

from __future__ import annotations

import asyncio
import hmac
import os
import shutil
import socket
import stat
from ast import literal_eval

import pytest
from ansible_collections.deter.benito.tests.unit.benito.serve.followed import carry, client_of, create, tell, until, watchers_of
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo

from benito.errors import HostError
from benito.serve import line_connection, line_rpc
from benito.serve.line_connection import LineConnection
from benito.serve.line_rpc import serve_tcp, serve_unix
from benito.serve.status_reply import status_reply

PAIR = {"pnode-0000": {"a": "process", "b": "process"}}
UNREACHABLE = "{'hv:process:pnode-0000': {'a': [None, None], 'b': [None, None]}}"


@pytest.fixture(name="served")
def fixture_served(rpc_home, path):
    """Return a function that runs ``scenario(client, watchers, server)`` with a server on the socket."""

    def run(scenario, home=rpc_home):
        async def main():
            async with watchers_of(home) as watchers:
                server = await serve_unix(watchers, path)
                try:
                    async with client_of(path) as client:
                        await scenario(client, watchers, server)
                finally:
                    await server.close()
                assert not os.path.exists(path)

        asyncio.run(main())

    return run


def test_a_request_is_answered_in_the_seed_s_form_and_the_group_may_be_left_out(served):
    async def scenario(client, watchers, _server):
        watcher = carry(watchers, "Proj/Group/pair", PAIR)
        assert await client.ask("status_request Proj/Group/pair") == f"status_reply {UNREACHABLE}"
        tell(watcher, "pnode-0000", a={"state": "booted", "start_command": "ended", "exit_status": 2}, b={"state": "running"})
        for name in ("Proj/Group/pair", "Proj/pair"):
            assert await client.ask(f"status_request {name}\r") == "status_reply {'hv:process:pnode-0000': {'a': ['booted', 2], 'b': ['running', None]}}"

    served(scenario)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("status_request DeterTest/kinds", "experiment DeterTest/kinds is swapped; its nodes have a status while it is swapped in"),
        ("status_request DeterTest/none", "experiment DeterTest/none does not exist below "),
        ("status_request DeterTest", "'DeterTest' names no experiment: write PID/EID"),
        ("status_request ../../etc", "'../..' is not a name"),
        ("status_request", "status_request takes one argument, PID/EID, and got 0"),
        ("status_request DeterTest/kinds more", "status_request takes one argument, PID/EID, and got 2"),
        ("", "the line is empty"),
        ("Status_Request DeterTest/kinds", "there is no command 'Status_Request': write status_request or status_subscribe, then PID/EID"),
        (b"\xff\x00\x1b[31mred 'x' \\", "there is no command "),
        ("status_request DeterTest/" + "k" * 4072, "the line is longer than 4096 bytes"),
        (b"x" * 300_000, "the line is longer than 4096 bytes"),
    ],
)
def test_a_line_that_cannot_be_answered_gets_the_reason_and_the_connection_stays(served, line, reason):
    async def scenario(client, _watchers, _server):
        for _attempt in range(2):
            kind, body = (await client.ask(line)).split(" ", 1)
            text = literal_eval(body)
            assert kind == "error" and reason in text and text.isprintable() and len(text) <= 300

    served(scenario)


def test_a_broken_experiment_gets_an_error_that_says_what_is_broken(served, tmp_path):
    directory = create(tmp_path / "home", "Proj", "broken", vtopo({"lan": "a b"}))
    (tmp_path / "home" / "proj" / "Proj" / "exp" / "broken" / "state.json").write_text("{'")

    async def scenario(client, _watchers, _server):
        for command in ("status_request", "status_subscribe"):
            assert (await client.ask(f"{command} {directory}")).startswith("error 'experiment Proj/broken is broken: ")

    served(scenario, tmp_path / "home")


def test_a_last_line_without_newline_is_answered_too(served):
    async def scenario(client, watchers, _server):
        carry(watchers, "Proj/Group/pair", PAIR)
        client.writer.write(b"nonsense\nstatus_request Proj/pair")
        client.writer.write_eof()
        assert [(await client.line()).split(" ")[0] for _line in range(3)] == ["error", "status_reply", ""]

    served(scenario)


def test_a_subscriber_gets_all_nodes_then_those_that_change_and_hears_the_end(served, tmp_path):
    home = tmp_path / "home"
    directory = create(home, "Proj", "short", vtopo({"lan": "a b"}, a={"node_type": "process"}, b={"node_type": "process"}))

    async def scenario(client, watchers, _server):
        watcher = carry(watchers, "Proj/short", PAIR)
        assert await client.ask("status_subscribe Proj/short") == f"status_reply {UNREACHABLE}"
        tell(watcher, "pnode-0000", a={"state": "running"})
        assert await client.line() == "status_change {'hv:process:pnode-0000': {'a': ['running', None]}}"
        assert await client.ask("status_subscribe Proj/short") == "error 'this connection follows Proj/short already: open another one'"
        assert await client.ask("status_request Proj/short") == "status_reply {'hv:process:pnode-0000': {'a': ['running', None], 'b': [None, None]}}"
        tell(watcher, "pnode-0000", a={"state": "booted"}, b={"state": "dead", "exit_code": 1})
        assert await client.line() == "status_change {'hv:process:pnode-0000': {'a': ['booted', None], 'b': ['dead', 1]}}"
        watcher._publish(*watcher.view.lose("pnode-0000", "it is silent"))
        assert await client.line() == f"status_change {UNREACHABLE}"
        shutil.rmtree(directory.path)
        assert await client.line() == "status_end 'Proj/short'"
        assert (await client.ask("status_request Proj/short")).startswith("error 'experiment Proj/short does not exist")

    served(scenario, home)


def test_a_subscriber_of_an_experiment_that_is_swapped_out_hears_of_its_nodes_when_it_is_swapped_in_and_out(served):
    async def scenario(client, watchers, _server):
        assert await client.ask("status_subscribe Proj/pair") == "status_reply {}"
        watcher = carry(watchers, "Proj/Group/pair", PAIR)
        assert await client.line() == f"status_change {UNREACHABLE}"
        tell(watcher, "pnode-0000", a={"state": "booted"}, b={"state": "booted"})
        assert literal_eval((await client.line()).split(" ", 1)[1]) == {"hv:process:pnode-0000": {"a": ["booted", None], "b": ["booted", None]}}
        watcher.view = type(watcher.view)({})
        watcher._publish(watcher.snapshot())
        assert await client.line() == f"status_change {UNREACHABLE}"

    served(scenario)


def test_a_client_that_goes_leaves_no_task_and_no_subscription(served):
    async def scenario(_client, watchers, server):
        watcher = carry(watchers, "Proj/Group/pair", PAIR)
        before = len(asyncio.all_tasks())
        for _client in range(20):
            async with client_of(server.addresses[0]) as client:
                await client.ask("status_subscribe Proj/pair")
        await until(lambda: server.connections == 1)
        assert not watcher._subscribers and len(asyncio.all_tasks()) == before

    served(scenario)


def test_a_subscription_ends_at_whatever_moment_its_client_goes(served, monkeypatch):
    monkeypatch.setattr(line_connection, "TOGETHER_S", 0)

    async def scenario(client, watchers, _server):
        watcher = carry(watchers, "Proj/Group/pair", PAIR)
        for steps in range(12):  # of the event loop
            connection = LineConnection(watchers, client.reader, client.writer)
            connection._followed = "Proj/Group/pair"
            following = asyncio.create_task(connection._follow(watcher, status_reply(watcher.view)))
            for _step in range(steps):
                await asyncio.sleep(0)
            following.cancel()
            ended, _following = await asyncio.wait([following], timeout=1)
            assert ended, steps

    served(scenario)


def test_a_client_that_does_not_read_is_dropped_and_holds_up_nobody(served, monkeypatch):
    monkeypatch.setattr(line_connection, "WRITE_S", 0.3)
    many = {"pnode-0000": {f"n{number}": "process" for number in range(5000)}}

    async def scenario(client, watchers, server):
        watcher = carry(watchers, "Proj/Group/pair", many)
        async with client_of(server.addresses[0]) as slow:
            slow.writer.transport.pause_reading()
            slow.writer.write(b"status_subscribe Proj/pair\n" + b"status_request Proj/pair\n" * 100)
            await until(lambda: server.connections == 2)
            tell(watcher, "pnode-0000", n1={"state": "booted"})
            assert "'n1': ['booted', None]" in await client.ask("status_request Proj/pair")
            await until(lambda: server.connections == 1)
        assert not watcher._subscribers

    served(scenario)


def test_one_connection_too_many_is_refused_and_the_others_stay(served, monkeypatch):
    monkeypatch.setattr(line_rpc, "MOST", 1)

    async def scenario(client, _watchers, server):
        async with client_of(server.addresses[0]) as second:
            assert await second.line() == "error 'there are 1 connections already: close some'"
            assert await second.line() == ""
        assert (await client.ask("")).startswith("error 'the line is empty")

    served(scenario)


# -- the socket --------------------------------------------------------------


def test_the_socket_is_its_owner_s_alone_whatever_the_umask(served, path):
    async def scenario(_client, _watchers, _server):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert os.umask(0) == 0

    old = os.umask(0)
    try:
        served(scenario)
    finally:
        os.umask(old)


def test_the_socket_of_a_dead_service_is_replaced(served, path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)

    async def scenario(client, _watchers, _server):
        assert (await client.ask("")).startswith("error")

    served(scenario)


def test_the_socket_of_a_living_service_is_refused_and_left_alone(served, rpc_home, path):
    async def scenario(client, watchers, _server):
        with pytest.raises(HostError, match=f"a service listens on {path} already: end it first"):
            await serve_unix(watchers, path)
        assert (await client.ask("")).startswith("error")

    served(scenario)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("x" * 120, "its path has more than 107 bytes"), ("file", "there is a file of that name"), ("/nowhere/sock", "No such file")],
)
def test_a_socket_that_cannot_be_made_is_explained(rpc_home, tmp_path, name, reason):
    (tmp_path / "file").write_text("mine")

    async def scenario():
        async with watchers_of(rpc_home) as watchers:
            with pytest.raises(HostError, match=reason):
                await serve_unix(watchers, str(tmp_path / name))

    asyncio.run(scenario())
    assert (tmp_path / "file").read_text() == "mine"


# -- TCP ---------------------------------------------------------------------


@pytest.fixture(name="served_on_tcp")
def fixture_served_on_tcp(rpc_home, monkeypatch):
    """Return a function that runs ``scenario(address, server)`` with a server on TCP whose token is "secret"."""
    monkeypatch.setattr(line_rpc, "WRONG_S", 0.01)

    def run(scenario):
        async def main():
            async with watchers_of(rpc_home) as watchers:
                carry(watchers, "Proj/Group/pair", PAIR)
                server = await serve_tcp(watchers, "127.0.0.1", 0, lambda token: hmac.compare_digest(token, "secret"))
                try:
                    await scenario(server.addresses[0], server)
                finally:
                    await server.close()

        asyncio.run(main())

    return run


def test_tcp_answers_after_the_token(served_on_tcp):
    async def scenario(address, _server):
        async with client_of(address) as client:
            assert await client.ask("token secret\r") == "token_reply True"
            assert await client.ask("status_request Proj/pair") == f"status_reply {UNREACHABLE}"

    served_on_tcp(scenario)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        *((f"token{rest}", "the token is wrong") for rest in (" wrong", "", " sécret", " " + "x" * 5000, " secret secret")),
        ("status_request Proj/pair", "the first line must be: token SECRET"), ("GET / HTTP/1.1", "the first line must be: token SECRET"),
    ],
)
def test_tcp_without_the_token_gets_a_reason_and_is_closed(served_on_tcp, line, reason):
    async def scenario(address, server):
        async with client_of(address) as client:
            assert await client.ask(line) == f"error '{reason}'"
            assert await client.line() == ""
        await until(lambda: server.connections == 0)

    served_on_tcp(scenario)


def test_tcp_without_any_line_is_closed_and_strangers_are_few(served_on_tcp, monkeypatch):
    monkeypatch.setattr(line_rpc, "TOKEN_S", 0.5)
    monkeypatch.setattr(line_rpc, "MOST_STRANGERS", 1)

    async def scenario(address, server):
        async with client_of(address) as known:
            await known.ask("token secret")
            async with client_of(address) as silent:
                await until(lambda: server.connections == 2)
                async with client_of(address) as third:
                    assert await third.line() == "error '1 connections have not sent a token yet: try again'"
                assert await silent.line() == "error 'no token came within 0.5 s'"
                assert await silent.line() == ""
            assert (await known.ask("status_request Proj/pair")).startswith("status_reply")

    served_on_tcp(scenario)


def test_a_port_that_is_taken_is_explained(served_on_tcp, rpc_home):
    async def scenario(address, _server):
        async with watchers_of(rpc_home) as watchers:
            with pytest.raises(HostError, match=f"the line RPC cannot listen on {address}: "):
                await serve_tcp(watchers, "127.0.0.1", int(address.rsplit(":", 1)[1]), lambda token: True)

    served_on_tcp(scenario)
