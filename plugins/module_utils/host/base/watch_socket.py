# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Unix sockets of an experiment's supervisor: at one it publishes the states of its nodes, at the other it is asked to look again.

Only root can connect. They are reached by their folder's descriptor, because the path of a socket has at most 108 characters.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .paths import ExperimentPaths, remove_file

_PUBLISHED, _ASKED = "watch.sock", "look.sock"
_WAITING = 64  # connections that the supervisor has not accepted yet


def listen(paths: ExperimentPaths) -> socket.socket:
    """Return a socket that listens for clients and does not block. It replaces that of an earlier supervisor. Raises OSError."""
    found = _bound(paths, socket.SOCK_STREAM, _PUBLISHED)
    found.listen(_WAITING)
    return found


def listen_for_questions(paths: ExperimentPaths) -> socket.socket:
    """Return a socket that has a datagram for each ``ask_for_a_look``, and does not block. It replaces an earlier one. Raises OSError."""
    return _bound(paths, socket.SOCK_DGRAM, _ASKED)


def connect(paths: ExperimentPaths, limit_s: float) -> socket.socket:
    """Connect to the supervisor. Raises OSError when none listens, or when it does not accept within ``limit_s`` seconds."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        found.settimeout(limit_s)
        with _address(paths, _PUBLISHED) as address:
            found.connect(address)
    except OSError:
        found.close()
        raise
    return found


def ask_for_a_look(paths: ExperimentPaths) -> None:
    """Ask the supervisor to look at all nodes, because the caller has changed some. Does nothing where no supervisor runs."""
    with suppress(OSError), _address(paths, _ASKED) as address:  # it is busy where it has no room for one more: it will look
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as found:
            found.sendto(b"look", address)


def _bound(paths: ExperimentPaths, kind: int, name: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        with _address(paths, name) as address:
            remove_file(address)
            found.bind(address)
            os.chmod(address, 0o600)
    except OSError:
        found.close()
        raise
    return found


@contextmanager
def _address(paths: ExperimentPaths, name: str) -> Iterator[str]:
    folder = os.open(paths.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{name}"
    finally:
        os.close(folder)
