# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the line RPC: on a Unix socket, and on TCP after a token. docs/service-rpc.md describes the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Callable, Iterator

from ..errors import HostError
from .line_connection import LONGEST, LineConnection
from .watchers import Watchers

MOST = 256  # connections of a server
MOST_STRANGERS = 32  # of them, those that have not sent the token yet
TOKEN_S = 5.0  # for the token
WRONG_S = 1.0  # before a wrong token is answered
_CLOSE_S = 2.0
_LONGEST_PATH = 107  # bytes, in every Linux
_BACKLOG = 100


class LineServer:
    """A server that listens until ``close`` is awaited. ``serve_unix`` and ``serve_tcp`` make one."""

    def __init__(self, watchers: Watchers, check_token: Callable[[str], bool] | None = None):
        self._watchers, self._check_token = watchers, check_token
        self._server: asyncio.Server | None = None
        self._path, self._inode = "", (0, 0)
        self._tasks: set[asyncio.Task] = set()
        self._strangers = 0

    @property
    def connections(self) -> int:
        """The number of connections now."""
        return len(self._tasks)

    @property
    def addresses(self) -> list[str]:
        """Where it listens: the path, or each ``HOST:PORT``."""
        names = [listening.getsockname() for listening in self._server.sockets] if self._server else []
        return [name if isinstance(name, str) else f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}" for name in names]

    async def close(self) -> None:
        """End all connections, and remove the socket if it is still this server's."""
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._path and _inode(self._path) == self._inode:
            os.unlink(self._path)

    async def listen_unix(self, path: str) -> None:
        """Listen as ``serve_unix`` describes."""
        listening = _unix_socket(path)
        self._path, self._inode = path, _inode(path)
        self._server = await asyncio.start_unix_server(self._accept, sock=listening, limit=LONGEST, backlog=_BACKLOG)

    async def listen_tcp(self, host: str, port: int) -> None:
        """Listen as ``serve_tcp`` describes."""
        try:
            self._server = await asyncio.start_server(self._accept, host, port, limit=LONGEST, backlog=_BACKLOG)
        except (OSError, OverflowError, UnicodeError) as exc:
            raise HostError(f"the line RPC cannot listen on {host}:{port}: {exc}") from exc

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = LineConnection(self._watchers, reader, writer)
        try:
            if self.connections > MOST:
                await connection.refuse(f"there are {MOST} connections already: close some")
            elif self._check_token is None or await self._has_token(connection, writer, self._check_token):
                await connection.serve()
        except ConnectionError:
            pass
        finally:
            await _close(writer)

    async def _has_token(self, connection: LineConnection, writer: asyncio.StreamWriter, check_token: Callable[[str], bool]) -> bool:
        """Read the first line and answer it. Return whether it has the token."""
        if self._strangers >= MOST_STRANGERS:
            await connection.refuse(f"{MOST_STRANGERS} connections have not sent a token yet: try again")
            return False
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._strangers += 1
        try:
            async with asyncio.timeout(TOKEN_S):
                line = await connection.next_line()
            word, _space, token = (line or b"").decode(errors="replace").strip().partition(" ")
            if word == "token" and len(line or b"") <= LONGEST and token.isascii() and check_token(token.strip()):
                await connection.send("token_reply", True)
                return True
            await asyncio.sleep(WRONG_S)
            await connection.refuse("the token is wrong" if word == "token" else "the first line must be: token SECRET")
        except TimeoutError:
            await connection.refuse(f"no token came within {TOKEN_S:g} s")
        finally:
            self._strangers -= 1
        return False


async def serve_unix(watchers: Watchers, path: str) -> LineServer:
    """Listen on a Unix socket that only its owner may open. A socket that a dead service has left is replaced.

    Raises HostError if another service listens there or the socket cannot be made.
    """
    server = LineServer(watchers)
    await server.listen_unix(path)
    return server


async def serve_tcp(watchers: Watchers, host: str, port: int, check_token: Callable[[str], bool]) -> LineServer:
    """Listen on TCP. A client's first line must be ``token SECRET``.

    check_token  says in constant time whether an ASCII text is the token

    Raises HostError if it cannot listen there.
    """
    server = LineServer(watchers, check_token)
    await server.listen_tcp(host, port)
    return server


def _unix_socket(path: str) -> socket.socket:
    """Return a socket that listens at the path, mode 0600 from its beginning."""
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise HostError(f"the socket {path} cannot be made: its path has more than {_LONGEST_PATH} bytes (choose a shorter BENITO_HOME)")
    listening = socket.socket(socket.AF_UNIX)
    try:
        with _alone(os.path.dirname(path) or "."):
            _remove_stale(path)
            umask = os.umask(0o177)
            try:
                listening.bind(path)
            finally:
                os.umask(umask)
            listening.listen(_BACKLOG)
    except OSError as exc:
        listening.close()
        raise HostError(f"the socket {path} cannot be made: {exc.strerror or exc}") from exc
    except HostError:
        listening.close()
        raise
    return listening


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Keep other services that begin at the same time away from the folder's socket."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_stale(path: str) -> None:
    """Remove a socket on which nobody listens. Raises HostError if somebody does, or if it is no socket."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise HostError(f"the socket {path} cannot be made: there is a file of that name (remove it)")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # one whose queue is full is alive, too
        with contextlib.suppress(ConnectionRefusedError):
            with contextlib.suppress(BlockingIOError):
                probe.connect(path)
            raise HostError(f"a service listens on {path} already: end it first")
    os.unlink(path)


def _inode(path: str) -> tuple[int, int]:
    """Return what tells a file from another one of its name."""
    try:
        found = os.lstat(path)
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a connection when its client has read the last line, or soon."""
    writer.close()
    try:
        async with asyncio.timeout(_CLOSE_S):
            await writer.wait_closed()
    except (ConnectionError, TimeoutError, asyncio.CancelledError):
        writer.transport.abort()
