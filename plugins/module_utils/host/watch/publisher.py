# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing lines to the clients of the supervisor's socket. A client that does not read is dropped, and nobody waits for one."""

from __future__ import annotations

import select
import socket

from ..base.paths import ExperimentPaths
from ..base.watch_socket import listen

MOST_CLIENTS = 32
MOST_WAITING = 1 << 20
"""Bytes beside its snapshot that may wait for one client."""
_RECEIVE = 4096


class _Client:
    """One connection, with what was not sent yet. ``most`` bytes may wait for it; 0 before it has got a snapshot."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.most = 0
        self.events = select.EPOLLIN
        self._waiting: list[bytes] = []
        self._bytes = 0

    def send(self, data: bytes) -> bool:
        """Send, or keep what cannot be sent now. Return False when the client is gone or too much waits for it."""
        self._waiting.append(data)
        self._bytes += len(data)
        return self.flush() and self._bytes <= self.most

    def flush(self) -> bool:
        """Send what waits, as far as possible. Return False when the client is gone."""
        while self._waiting:
            try:
                sent = self.sock.send(self._waiting[0])
            except BlockingIOError:
                return True
            except OSError:
                return False
            self._bytes -= sent
            rest = self._waiting[0][sent:]
            self._waiting[:1] = [rest] if rest else []
        return True

    def has_gone(self) -> bool:
        """Take what the client has said. Return whether it has hung up."""
        try:
            return not self.sock.recv(_RECEIVE)
        except BlockingIOError:
            return False
        except OSError:
            return True

    @property
    def waits(self) -> bool:
        return bool(self._waiting)


class Publisher:
    """Listens for clients. Its descriptors are members of the caller's epoll object.

    A new client first gets a snapshot, by ``greet``, then what is published.
    """

    def __init__(self, paths: ExperimentPaths, poll: select.epoll):
        self._poll = poll
        self._listener = listen(paths)
        self._clients: dict[int, _Client] = {}
        poll.register(self._listener.fileno(), select.EPOLLIN)

    @property
    def is_awaited(self) -> bool:
        """Whether a client has no snapshot yet."""
        return any(not client.most for client in self._clients.values())

    def on_event(self, fd: int, events: int) -> None:
        """Handle an event of epoll. What clients say is not listened to."""
        client = self._clients.get(fd)
        if fd == self._listener.fileno():
            self._accept()
        elif client and events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and client.has_gone():
            self._drop(fd)
        elif client and events & select.EPOLLOUT:
            self._settle(fd, client.flush())

    def publish(self, data: bytes) -> None:
        """Send lines to every client that has a snapshot."""
        for fd, client in list(self._clients.items()):
            if client.most:
                self._settle(fd, client.send(data))

    def greet_again(self) -> None:
        """Have everybody wait for a snapshot, because what was published before holds no more."""
        for client in self._clients.values():
            client.most = 0

    def greet(self, snapshot: bytes) -> None:
        """Send a snapshot to the clients that have none."""
        for fd, client in list(self._clients.items()):
            if not client.most:
                client.most = MOST_WAITING + len(snapshot)
                self._settle(fd, client.send(snapshot))

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except OSError:  # it has gone already, or there are too many open files
            return
        if len(self._clients) >= MOST_CLIENTS:
            sock.close()
            return
        sock.setblocking(False)
        self._clients[sock.fileno()] = _Client(sock)
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def _settle(self, fd: int, stays: bool) -> None:
        if not stays:
            self._drop(fd)
            return
        client = self._clients[fd]
        events = select.EPOLLIN | select.EPOLLOUT if client.waits else select.EPOLLIN
        if events != client.events:
            client.events = events
            self._poll.modify(fd, events)

    def _drop(self, fd: int) -> None:
        client = self._clients.pop(fd)
        self._poll.unregister(fd)
        client.sock.close()
