# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/service-rpc.md do what the page says."""

from __future__ import annotations

import asyncio
import http.server
import os
import re
import shutil
import sys
import threading
from ast import literal_eval
from pathlib import Path

import pytest
from ansible_collections.deter.benito.tests.unit.benito.serve.followed import carry, client_of, tell, until, watchers_of

from benito.serve.line_rpc import serve_tcp, serve_unix
from benito.serve.watchers import Watchers
from benito.serve.xml_rpc import answer

PAGE = (Path(__file__).parents[4] / "docs" / "service-rpc.md").read_text(encoding="utf-8")
TEXTS = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
REQUEST, CHANGES, XML = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NODES = {"v": {"state": "booted", "start_command": "ended", "exit_status": 0}, "c": {"state": "running"}, "p": {"state": "dead", "exit_code": 137}}


@pytest.fixture(name="kinds")
def fixture_kinds(rpc_home, tmp_path, path, carried):
    """Return a function that runs ``scenario(watcher, unix, tcp)`` with servers, and a copy of DeterTest/kinds in the state that the page tells of."""
    home = tmp_path / "home"
    shutil.copytree(rpc_home, home)

    def run(scenario):
        async def main():
            async with watchers_of(home) as watchers:
                watcher = carry(watchers, "DeterTest/kinds", carried)
                tell(watcher, "pnode-0000", **NODES)
                tell(watcher, "v", n={"state": "booted"})
                servers = await serve_unix(watchers, path), await serve_tcp(watchers, "127.0.0.1", 0, lambda token: token == "SECRET")
                try:
                    await scenario(watcher, *(server.addresses[0] for server in servers))
                finally:
                    for server in servers:
                        await server.close()

        asyncio.run(main())

    return run


async def program(text: str, path: str) -> asyncio.subprocess.Process:
    """Start a program of the page whose BENITO_HOME has the socket."""
    variables = {**os.environ, "BENITO_HOME": os.path.dirname(path), "PYTHONUNBUFFERED": "1"}
    return await asyncio.create_subprocess_exec(sys.executable, "-c", text, env=variables, stdout=asyncio.subprocess.PIPE)


@pytest.mark.parametrize("text", TEXTS)
def test_each_exchange_is_as_the_page_has_it(kinds, text):
    async def scenario(_watcher, unix, tcp):
        async with client_of(tcp if text.startswith("token") else unix) as client:
            lines = text.splitlines()
            for request, expected in zip(lines[::2], lines[1::2], strict=True):
                found = await client.ask(request)
                if expected.endswith("…"):
                    assert found.startswith(expected[:-1])
                elif request.startswith("status_request"):
                    assert [found.split(" ")[0], literal_eval(found.split(" ", 1)[1])] == [expected.split(" ")[0], literal_eval(expected.split(" ", 1)[1])]
                else:
                    assert found == expected

    kinds(scenario)


def test_the_program_that_asks_prints_the_state(kinds):
    async def scenario(_watcher, unix, _tcp):
        done = await program(REQUEST, unix)
        async with asyncio.timeout(20):
            assert (await done.communicate())[0] == b"status_reply ['booted', None]\n"

    kinds(scenario)


def test_the_program_that_follows_prints_changes_and_the_end(kinds):
    async def scenario(watcher, unix, _tcp):
        running = await program(CHANGES, unix)
        async with asyncio.timeout(20):
            first = [(await running.stdout.readline()).decode() for _vhost in range(5)]
            assert all(line.startswith("status_reply {") for line in first)
            await until(lambda: watcher._subscribers)
            tell(watcher, "v", n={"state": "dead", "exit_code": 1})
            assert await running.stdout.readline() == b"status_change {'n': ['dead', 1]}\n"
            shutil.rmtree(watcher.experiment.directory)
            assert (await running.communicate())[0] == b"status_end DeterTest/kinds\n"

    kinds(scenario)


def test_the_program_that_calls_xml_rpc_prints_the_nodes(rpc_home, capsys):
    class Handler(http.server.BaseHTTPRequestHandler):
        """The service's address /RPC2 as far as the example needs it."""

        def do_POST(self):
            assert (self.path, self.headers["Authorization"]) == ("/RPC2", "Bearer SECRET")
            body = answer(self.rfile.read(int(self.headers["Content-Length"])), Watchers(str(rpc_home)))
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        exec(XML.replace("127.0.0.1:8460", f"127.0.0.1:{server.server_port}"), {})
        thread.join(10)
    assert capsys.readouterr().out == "['v.kinds.DeterTest', 'c.kinds.DeterTest', 'p.kinds.DeterTest', 'n.kinds.DeterTest']\n"
