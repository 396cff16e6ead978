# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One SSH session to a vhost that carries the commands of all its process vnodes, of all runs of this user.

The session runs ``benito-host enter --serve`` on the vhost (module_utils/host/run/enter_server.py), and has SSH forward a socket on this machine to the
server's socket there. Each connection to the socket is one command: SSH counts it as a forwarding and not as a session, so ``MaxSessions`` does not
limit it. The first process that needs the session starts it, under a lock. It ends some time after the last command, by the server.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import secrets
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.run.enter_server import (
    ENTERED,
    ERROR,
    EXIT,
    FAILURE,
    FOLDER,
    FRAME,
    OUTPUT,
    READY,
    REQUEST,
    REQUEST_WORD,
)

Result = tuple[int, bytes, bytes]
MOST_SESSIONS = 8  # at a time on one vhost, of commands that have a session each; sshd allows 10 by default
_ATTEMPTS = 3
_FAILED_S = 20.0  # for so long after a failure no process tries to start the session
_STARTING_S = 60.0  # for the vhost to start benito-host, beyond the timeout of the connection
_WAIT_FOR_SLOT_S = 30.0
_LONGEST_PATH = 100  # of a socket
_CHUNK = 1 << 16
_OPTIONS = ("ControlMaster=no", "BatchMode=yes", "ExitOnForwardFailure=yes", "StreamLocalBindUnlink=yes", "StreamLocalBindMask=0177", "ForwardAgent=no")


class NoSessionError(HostError):
    """The shared session cannot be had. No part of the command has run."""


class NotEnteredError(HostError):
    """The vhost has refused to enter the vnode, and says why."""


class SessionEndedError(HostError):
    """The session ended while the command ran."""


class SharedSession:
    """The session for one set of connection variables and one experiment.

    folder     where sockets are, of this user alone
    command    the SSH client with its options, the vhost, and the program there, without ``enter`` and what follows:
               ``command(options before all others, arguments after "enter")``
    timeout_s  for connecting to the vhost
    """

    def __init__(self, folder: str, command: Callable[[list[str], list[str]], list[bytes]], timeout_s: float):
        self._command, self._timeout_s = command, timeout_s
        self._folder = folder
        key = hashlib.sha256(b"\0".join(command([], []))).hexdigest()[:16]
        self._base = f"{folder}/benito-{key}"

    def run(self, node: str, argv: list[str], given: bytes) -> Result:
        """Run a command in a vnode. Return (exit status, standard output, standard error).

        Raises NoSessionError, NotEnteredError or SessionEndedError.
        """
        asked = json.dumps({"node": node, "argv": argv}).encode()
        request = REQUEST_WORD + REQUEST.pack(len(asked), len(given)) + asked + given
        for _attempt in range(_ATTEMPTS):
            name = self._current() or self._started()
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(f"{self._folder}/{name}")
                    result = _exchange(connection, request)
            except OSError:
                result = None
            if result is not None:
                return result
            self._forget(name)
        self._note_failure("the vhost closes each connection to the forwarded socket; does its sshd forbid AllowStreamLocalForwarding?")
        raise NoSessionError(self._recent_failure())

    def reset(self) -> None:
        """Have the next command start another session. Commands that run go on."""
        name = self._current()
        if name:
            self._forget(name)
        _remove(f"{self._base}.failed")

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait until fewer than MOST_SESSIONS commands have an SSH session of their own to this vhost, but not for ever. Count as one within."""
        taken = None
        deadline = time.monotonic() + _WAIT_FOR_SLOT_S
        while taken is None and time.monotonic() < deadline:
            taken = next(filter(None, map(self._take, random.sample(range(MOST_SESSIONS), MOST_SESSIONS))), None)
            if taken is None:
                time.sleep(random.uniform(0.02, 0.1))
        try:
            yield
        finally:
            if taken is not None:
                os.close(taken)

    def _take(self, number: int) -> int | None:
        fd = os.open(f"{self._base}.slot{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            os.close(fd)
            return None

    def _current(self) -> str:
        """Return the name of the session's socket, "" if there is no session."""
        try:
            return os.path.basename(os.readlink(self._base))
        except OSError:
            return ""

    def _forget(self, name: str) -> None:
        """Forget a session that does not answer, unless another process has replaced it already."""
        with self._locked():
            if self._current() == name:
                _remove(self._base)
        _remove(f"{self._folder}/{name}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fd = os.open(f"{self._base}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _started(self) -> str:
        """Return the name of a session's socket: of one that another process has just started, or of a new one. Raises NoSessionError."""
        with self._locked():
            name = self._current()
            if name:
                return name
            failure = self._recent_failure()
            if failure:
                raise NoSessionError(failure)
            name = secrets.token_hex(8)
            local = f"{self._folder}/{name}"
            if len(local) > _LONGEST_PATH or any(character in local for character in "%: \t\"'\\"):
                raise NoSessionError(f"{self._folder} is too long a path for a socket, or has special characters")
            failure = self._start(name, local)
            if failure:
                self._note_failure(failure)
                raise NoSessionError(failure)
            os.symlink(name, self._base)
            return name

    def _start(self, name: str, local: str) -> str:
        """Start the session. Return "" when it is ready, else why it is not."""
        options = [word for option in _OPTIONS for word in ("-o", option)]
        argv = self._command([*options, "-L", f"{local}:{FOLDER}/{name}"], ["--serve", name])
        log = f"{local}.log"
        with open(log, "wb") as stream:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True)
        deadline = time.monotonic() + self._timeout_s + _STARTING_S
        try:
            while True:
                ended = process.poll() is not None
                with open(log, "rb") as stream:
                    text = stream.read().decode(errors="replace")
                if READY in text and not ended:
                    return ""
                if ended or time.monotonic() > deadline:
                    return text.strip() or "the vhost does not answer"
                time.sleep(0.01)
        except BaseException:  # of a task's timeout, too
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            _remove(log)
            if READY not in text and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def _note_failure(self, why: str) -> None:
        with open(f"{self._base}.failed", "w", encoding="utf-8") as stream:
            stream.write(why)

    def _recent_failure(self) -> str:
        try:
            with open(f"{self._base}.failed", encoding="utf-8") as stream:
                return stream.read() if time.time() - os.fstat(stream.fileno()).st_mtime < _FAILED_S else ""
        except OSError:
            return ""


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _exchange(connection: socket.socket, request: bytes) -> Result | None:
    """Send a request and return its result; None if the connection ended before the vhost began. Raises NotEnteredError or SessionEndedError."""
    connection.setblocking(False)
    pending = memoryview(request)
    received, entered = bytearray(), False
    outputs = {OUTPUT: bytearray(), ERROR: bytearray()}
    while True:
        events = select.poll()
        events.register(connection, select.POLLIN | (select.POLLOUT if pending else 0))
        event = events.poll()[0][1]
        if event & select.POLLOUT:
            try:
                pending = pending[connection.send(pending[:_CHUNK]):]
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError):  # the vhost reads no more; its last frames are still to be read
                pending = memoryview(b"")
        if not event & ~select.POLLOUT:
            continue
        try:
            data = connection.recv(_CHUNK)
        except BlockingIOError:
            continue
        except ConnectionResetError:
            data = b""
        if not data:
            if entered:
                raise SessionEndedError("the SSH session to the vhost ended while the command ran")
            return None
        received += data
        for kind, content in _frames(received):
            if kind == FAILURE:
                raise NotEnteredError(content.decode(errors="replace"))
            if kind == EXIT:
                return int(content), bytes(outputs[OUTPUT]), bytes(outputs[ERROR])
            entered = entered or kind == ENTERED
            if kind in outputs:
                outputs[kind] += content


def _frames(received: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Take the whole frames out of what was received."""
    while len(received) >= FRAME.size:
        kind, length = FRAME.unpack_from(received)
        if len(received) < FRAME.size + length:
            return
        content = bytes(received[FRAME.size:FRAME.size + length])
        del received[:FRAME.size + length]
        yield kind, content
