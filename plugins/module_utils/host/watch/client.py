# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following an experiment's nodes: passing on what the supervisor publishes, as lines of JSON on standard output.

It goes on while supervisors come and go, until nobody reads its output any more or the experiment has left the host.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time

from ...errors import HostError
from ..base.paths import ExperimentPaths
from ..base.watch_socket import connect
from .states import now

_RETRY_S = 0.2
_CONNECT_S = 5.0
_ABSENT_S = 5.0  # without a supervisor, after which that is published
_CHUNK = 1 << 16
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


def watch(paths: ExperimentPaths, output: int = 1, alive_s: float = 0) -> None:
    """Write lines to the descriptor ``output`` until its reader goes or the experiment does. Raises HostError when it is not on this host.

    alive_s  seconds without another line after which a line ``alive`` is written; 0 for never
    """
    if not os.path.exists(paths.plan):
        raise HostError(f"no experiment {paths.experiment} on this host: there is no {paths.plan}")
    try:
        _Follower(paths, output, alive_s).run()
    except BrokenPipeError:
        pass  # nobody reads any more


class _Follower:
    def __init__(self, paths: ExperimentPaths, output: int, alive_s: float):
        self._paths, self._output, self._alive_s = paths, output, alive_s
        self._poll = select.poll()
        self._poll.register(output, 0)  # only for the end of its reader
        self._wrote = time.monotonic()

    def run(self) -> None:
        absent, reported = time.monotonic(), False
        while os.path.exists(self._paths.plan):
            try:
                sock = connect(self._paths, _CONNECT_S)
            except OSError:  # no supervisor listens, for now
                sock = None
            if sock:
                with sock:
                    if self._follow(sock):
                        absent, reported = time.monotonic(), False
            if time.monotonic() - absent > _ABSENT_S and not reported:
                reported = True
                reason = f"{self._paths.unit} does not run on this machine; see journalctl -u {self._paths.unit}"
                self._write_line({"event": "vhost", "time": now(), "experiment": self._paths.experiment, "startup": [1, reason]})
            self._wait(None, _RETRY_S)
        self._write_line({"event": "gone", "time": now(), "experiment": self._paths.experiment})

    def _follow(self, sock: socket.socket) -> bool:
        """Pass on whole lines until the supervisor hangs up. Return whether there were any."""
        rest, any_line = b"", False
        while True:
            if not self._wait(sock, self._alive_s or None):
                continue
            try:
                data = sock.recv(_CHUNK)
            except OSError:
                data = b""
            if not data:
                return any_line
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                any_line = True
                self._write(whole + newline)

    def _wait(self, sock: socket.socket | None, limit_s: float | None) -> bool:
        """Wait until the supervisor has sent something. Return whether it has. Raises BrokenPipeError when nobody reads the output any more."""
        if sock:
            self._poll.register(sock, select.POLLIN)
        try:
            ready = self._poll.poll(None if limit_s is None else limit_s * 1000)
        finally:
            if sock:
                self._poll.unregister(sock)
        if any(fd == self._output and events & _GONE for fd, events in ready):
            raise BrokenPipeError
        if self._alive_s and time.monotonic() - self._wrote >= self._alive_s:
            self._write_line({"event": "alive", "time": now(), "experiment": self._paths.experiment})
        return bool(ready)

    def _write_line(self, line: dict) -> None:
        self._write(json.dumps(line).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._output, data):]
        self._wrote = time.monotonic()
