# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running many commands in the process nodes of an experiment over one SSH session: ``benito-host enter --serve``.

The controller has SSH forward a socket of its own to the socket of this server. Each connection is one command. SSH multiplexes the connections, with
flow control for each. A process of its own relays each connection, so a command or a reader that hangs blocks no other.

A request is a word that no other protocol begins with, a header (the lengths of what follows), a JSON object {"node", "argv"}, and the standard input.
The reply is frames: a byte for the kind, the length of the data, the data. The controller keeps the connection open until the last frame. If it closes it
before, the command is killed. What is no request, such as SSH's ``-O exit`` to this socket, is hung up on.
"""

# pylint: disable=ansible-bad-function  # a program of its own
from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import struct
import sys
import time

from ...errors import HostError
from ...hostplan import HostPlan
from ..base.paths import RUN_ROOT, ExperimentPaths, make_run_root, remove_empty, remove_file
from ..base.plan_file import read_plan
from .enter import enter_planned

REQUEST_WORD = b"BEN1"
REQUEST = struct.Struct("!IQ")  # the lengths of the JSON object and of the standard input
FRAME = struct.Struct("!cI")
ENTERED, OUTPUT, ERROR, EXIT, FAILURE = b"R", b"O", b"E", b"X", b"F"
READY = "benito-host: ready for commands"
FOLDER = f"{RUN_ROOT}/enter"
IDLE_S = 60.0
_CHECK_S = 0.2  # within which it ends when the experiment leaves the host
_MOST_COMMANDS = 1000  # at a time; others wait
_LONGEST_REQUEST = 1 << 24
_REQUEST_S = 60.0  # for each part of a request to come
_CHUNK = 1 << 16
_GONE = select.POLLRDHUP  # the controller sends no end before the last frame, so it is gone


def serve(paths: ExperimentPaths, name: str, idle_s: float = IDLE_S) -> None:
    """Serve commands at the socket ``name`` until there was none for a while, the SSH session ends, or the experiment gets another benito-host.

    Raises HostError.
    """
    if not re.fullmatch(r"[0-9a-f]{8,32}", name):
        raise HostError(f"{name!r} is no name of a socket: 8 to 32 hexadecimal digits")
    plans = _Plans(paths)
    plans.current()
    owner = int(os.environ.get("SUDO_UID") or os.geteuid())
    path = f"{FOLDER}/{name}"
    listener = _listen(path, owner)
    try:
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        _accept(listener, plans, owner, idle_s)
    finally:
        listener.close()
        remove_file(path)
        remove_empty(FOLDER, stop=os.path.dirname(RUN_ROOT))


class _Plans:
    """The experiment's plan, read again when its file has changed; and its version of benito-host."""

    def __init__(self, paths: ExperimentPaths):
        self.paths = paths
        self._version = _identity(paths.program)
        self._identity: tuple[int, ...] = ()
        self._plan: HostPlan | None = None

    def current(self) -> HostPlan:
        """Return the plan. Raises HostError."""
        identity = _identity(self.paths.plan)
        if self._plan is None or identity != self._identity:
            self._plan, self._identity = read_plan(self.paths), identity
        return self._plan

    def is_ours(self) -> bool:
        """Return whether the experiment is still on this host, with the version of benito-host that this process is."""
        return os.path.exists(self.paths.plan) and _identity(self.paths.program) == self._version


def _identity(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _listen(path: str, owner: int) -> socket.socket:
    """Return a socket that listens at ``path``, which only root and ``owner`` may connect to. Sockets that nobody serves any more are removed."""
    make_run_root()
    os.makedirs(FOLDER, exist_ok=True)
    os.chmod(FOLDER, 0o711)  # whoever logged in without being root passes through it
    for entry in os.scandir(FOLDER):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(entry.path)
            except BlockingIOError:
                pass
            except OSError:
                remove_file(entry.path)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError as exc:
        raise HostError(f"cannot listen at {path}: {exc.strerror}") from exc
    finally:
        os.umask(before)
    os.chown(path, owner, -1)
    listener.listen(4096)
    listener.setblocking(False)
    return listener


def _accept(listener: socket.socket, plans: _Plans, owner: int, idle_s: float) -> None:
    """Fork a process for each connection, until it is time to end."""
    session = sys.stdout.fileno()
    busy = 0
    last = time.monotonic()
    while busy or time.monotonic() - last < idle_s:
        events = select.poll()
        events.register(session, 0)  # an error: the SSH session has ended
        if busy < _MOST_COMMANDS:
            events.register(listener, select.POLLIN)
        found = dict(events.poll(_CHECK_S * 1000))
        gone = _reap()
        if gone:
            busy, last = busy - gone, time.monotonic()
        if session in found or not plans.is_ours():
            return
        if listener.fileno() in found:
            try:
                connection, _address = listener.accept()
            except OSError:
                continue
            busy, last = busy + 1, time.monotonic()
            _fork(connection, listener, plans, owner)
            connection.close()


def _reap() -> int:
    """Return how many processes of connections have ended."""
    count = 0
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            count += 1
    except ChildProcessError:
        pass
    return count


def _fork(connection: socket.socket, listener: socket.socket, plans: _Plans, owner: int) -> None:
    """Handle a connection in a child process."""
    try:
        plan, refusal = plans.current(), ""
    except HostError as exc:
        plan, refusal = None, str(exc)
    if os.fork():
        return
    try:
        listener.close()
        _pid, user, _group = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if user in (0, owner):
            connection.settimeout(_REQUEST_S)
            node, argv, pending = _request(connection)
            connection.settimeout(None)
            if plan is None:
                _send(connection, FAILURE, refusal.encode())
            else:
                _Command(connection, plans.paths, plan, node, argv, pending).relay()
    except (HostError, OSError):
        pass  # the controller is gone, or sends what is no request, or not all of it (socket.timeout is an OSError)
    finally:
        os._exit(0)


def _request(connection: socket.socket) -> tuple[str, list[str], int]:
    """Return (node, argv, bytes of standard input that follow). Raises HostError."""
    if _exactly(connection, len(REQUEST_WORD)) != REQUEST_WORD:
        raise HostError("another protocol")
    length, pending = REQUEST.unpack(_exactly(connection, REQUEST.size))
    if length > _LONGEST_REQUEST:
        raise HostError(f"a request of {length} bytes")
    try:
        asked = json.loads(_exactly(connection, length))
        return str(asked["node"]), [str(word) for word in asked["argv"]], pending
    except (ValueError, TypeError, KeyError) as exc:
        raise HostError(f"no request: {exc}") from exc


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        chunk = connection.recv(min(length - len(data), _CHUNK))
        if not chunk:
            raise HostError("the connection ended within a request")
        data += chunk
    return bytes(data)


def _send(connection: socket.socket, kind: bytes, data: bytes = b"") -> None:
    connection.sendall(FRAME.pack(kind, len(data)) + data)


class _Command:
    """A command in a node, and the relay between its pipes and the connection."""

    def __init__(self, connection: socket.socket, paths: ExperimentPaths, plan: HostPlan, node: str, argv: list[str], pending: int):
        self._connection, self._pending = connection, pending
        given, self._input = os.pipe()
        self._output, out = os.pipe()
        self._error, err = os.pipe()
        self._failure, failed = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.setsid()
                for number, fd in enumerate((given, out, err)):
                    os.dup2(fd, number)
                enter_planned(paths, plan, node, argv)
            except BaseException as exc:  # whatever it is, the controller reports it
                os.write(failed, f"{exc}"[:4000].encode(errors="replace"))
            finally:
                os._exit(127)
        for fd in (given, out, err, failed):
            os.close(fd)
        os.set_blocking(self._input, False)

    def relay(self) -> None:
        """Relay until the command and its output have ended. Kill the command if the connection ends first. Raises OSError."""
        try:
            if self._entered():
                self._relay_output()
                _send(self._connection, EXIT, str(self._wait()).encode())
                self._pid = 0
        finally:
            if self._pid:
                _kill_group(self._pid)

    def _entered(self) -> bool:
        with os.fdopen(self._failure, "rb") as stream:
            message = stream.read()
        _send(self._connection, FAILURE if message else ENTERED, message)
        return not message

    def _relay_output(self) -> None:
        pipes = {self._output: OUTPUT, self._error: ERROR}
        buffer = b""
        if not self._pending:
            self._close_input()
        while pipes:
            events = select.poll()
            for fd in pipes:
                events.register(fd, select.POLLIN)
            if buffer:
                events.register(self._input, select.POLLOUT)
            events.register(self._connection, _GONE if buffer else _GONE | select.POLLIN)
            for fd, event in events.poll():
                if fd == self._connection.fileno() and event & (_GONE | select.POLLHUP | select.POLLERR):
                    raise HostError("the controller has gone")
                if fd in pipes:
                    data = os.read(fd, _CHUNK)
                    if data:
                        _send(self._connection, pipes[fd], data)
                    else:
                        del pipes[fd]
                elif fd == self._input:
                    buffer = self._write(buffer)
                elif not buffer:
                    buffer = self._receive()

    def _receive(self) -> bytes:
        """Return the next part of the standard input. Raises HostError when the controller has closed the connection."""
        data = self._connection.recv(_CHUNK)
        if not data:
            raise HostError("the controller has gone")
        self._pending -= len(data)
        return data if self._input >= 0 else b""

    def _write(self, buffer: bytes) -> bytes:
        """Write to the command's standard input. Return what is left to write."""
        try:
            buffer = buffer[os.write(self._input, buffer):]
        except BlockingIOError:
            return buffer
        except BrokenPipeError:  # the command reads no more; what follows is dropped
            self._close_input()
            return b""
        if not buffer and self._pending <= 0:
            self._close_input()
        return buffer

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def _wait(self) -> int:
        """Return the exit status of the command, whose output has ended. Raises HostError when the controller goes before."""
        self._close_input()
        pause_s = 0.001
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if select.select([self._connection], [], [], pause_s)[0]:
                self._receive()
            pause_s = min(2 * pause_s, 0.05)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
    try:
        os.waitpid(pid, 0)
    except OSError:
        pass
