# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service as a whole: it follows all experiments, runs playbooks, and listens."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.experiment import events
from ansible_collections.deter.benito.plugins.module_utils.experiment.service_address import noted
from ansible_collections.deter.benito.plugins.module_utils.file_lock import take_lock
from ansible_collections.deter.benito.plugins.module_utils.files import private_directory

from ..watching.watcher import Watcher
from . import line_rpc
from .app import make_app
from .jobs import Jobs
from .metrics import Metrics
from .notifications import Notifications
from .security import Token
from .settings import FILE, ServiceSettings
from .watchers import Watchers

ADDRESS = "127.0.0.1"
SOCKET = "grandstand.sock"
_ENDING_S = 2
_MOST_CONNECTIONS = 512


class Service:
    """The service of one BENITO_HOME, while ``run`` is awaited."""

    def __init__(self, home: str, settings: ServiceSettings):
        self.home, self.settings = home, settings
        self.token = Token(home)
        self.watchers = Watchers(home, self._begun)
        self.jobs = Jobs(home, self.watchers)
        self.metrics = Metrics(self.watchers)
        self.notifications = Notifications(home, settings)
        self._tasks: set[asyncio.Task] = set()

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.settings.port}"

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises HostError when an address or the socket cannot be had."""
        app = make_app(self.watchers, self.jobs, self.token, self.metrics, self.settings.all_hosts)
        server = _Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off", limit_concurrency=_MOST_CONNECTIONS,
                                        timeout_graceful_shutdown=_ENDING_S))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.end)
        async with contextlib.AsyncExitStack() as stack:
            sock = stack.enter_context(_listening(self.settings.port))
            for line_server in await self._line_servers():
                stack.push_async_callback(line_server.close)
            stack.enter_context(noted(self.home, self.url))
            print(f"deter.benito serves {self.home} on {self.url}; the token is in {self.token.path}", flush=True)
            await self._until_end(server, sock)

    async def _line_servers(self) -> list[line_rpc.LineServer]:
        servers = [await line_rpc.serve_unix(self.watchers, str(Path(self.home, SOCKET)))]
        if self.settings.line_rpc:
            servers.append(await line_rpc.serve_tcp(self.watchers, *self.settings.line_rpc, self.token.matches))
        return servers

    async def _until_end(self, server: _Server, sock: socket.socket) -> None:
        """Run everything until the server or something in the background ends. Raises what ended it."""
        background = [asyncio.create_task(self.watchers.run()), asyncio.create_task(self.jobs.run())]
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            await asyncio.wait([serving, *background], return_when=asyncio.FIRST_COMPLETED)
            server.end()
            await serving
            for task in background:
                if task.done():
                    task.result()
        finally:
            for task in [*background, *self._tasks]:
                task.cancel()
            await asyncio.gather(*background, *self._tasks, return_exceptions=True)

    def _begun(self, watcher: Watcher) -> None:
        for follow in (self._count, self._notify):
            task = asyncio.create_task(follow(watcher))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _count(self, watcher: Watcher) -> None:
        """Take in how long each run of an experiment takes."""
        async for event in watcher.events():
            if event["event"] == events.RUN_ENDED:
                run = next((run for run in watcher.runs.runs if run.name == event.get("run") and run.status != events.RUNNING), None)
                if run:
                    self.metrics.ended(run, _seconds(run.began, run.ended or event["time"]))

    async def _notify(self, watcher: Watcher) -> None:
        await self.notifications.look(watcher)
        async for event in watcher.events():
            if event["event"] in ("snapshot", events.RUN_ENDED):
                await self.notifications.look(watcher)


class _Server(uvicorn.Server):
    """A server that leaves signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        """End after the requests that run now, at most two seconds later."""
        self.should_exit = True


@contextlib.contextmanager
def only_service(home: str) -> Iterator[None]:
    """Hold the lock of the service of this BENITO_HOME for the block. Raises HostError when another one has it."""
    path = os.path.join(home, "grandstand", "lock")
    private_directory(os.path.dirname(path))
    try:
        descriptor = take_lock(path, fcntl.LOCK_EX)
    except BlockingIOError as exc:
        raise HostError(f"a service for {home} runs already (its lock is {path})") from exc
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _listening(port: int) -> socket.socket:
    """Return a socket on the loopback address. Raises HostError when the port cannot be had."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((ADDRESS, port))
    except OSError as exc:
        sock.close()
        raise HostError(f"port {port} of {ADDRESS} cannot be had: {exc.strerror}; choose another one by --port, or port: in {FILE}") from exc
    return sock


def serve(home: str, settings: ServiceSettings) -> None:
    """Run the service until a signal ends it. Raises HostError."""
    with only_service(home):
        asyncio.run(Service(home, settings).run())


def _seconds(began: str, ended: str) -> float:
    try:
        return (datetime.datetime.fromisoformat(ended) - datetime.datetime.fromisoformat(began)).total_seconds()
    except ValueError:
        return 0.0
