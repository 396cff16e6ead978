# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Unix socket at which the supervisor of an experiment publishes the states of its nodes, and by which it is asked to look again.

Only root can connect. The socket is reached by its folder's descriptor, because the path of a socket has at most 108 characters.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .paths import ExperimentPaths, remove_file

NAME = "watch.sock"
LOOK = b"look\n"
"""What a client sends to have all nodes looked at."""
_WAITING = 64  # connections that the supervisor has not accepted yet


def listen(paths: ExperimentPaths) -> socket.socket:
    """Return a socket that listens for clients and does not block. It replaces that of an earlier supervisor. Raises OSError."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        with _address(paths) as address:
            remove_file(address)
            found.bind(address)
            os.chmod(address, 0o600)
        found.listen(_WAITING)
    except OSError:
        found.close()
        raise
    return found


def connect(paths: ExperimentPaths, limit_s: float) -> socket.socket:
    """Connect to the supervisor. Raises OSError when none listens, or when it does not accept within ``limit_s`` seconds."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        found.settimeout(limit_s)
        with _address(paths) as address:
            found.connect(address)
    except OSError:
        found.close()
        raise
    return found


def ask_for_a_look(paths: ExperimentPaths) -> None:
    """Ask the supervisor to look at all nodes, because the caller has changed some. Does nothing where no supervisor runs."""
    with suppress(OSError):
        with connect(paths, 1.0) as found:
            found.sendall(LOOK)


@contextmanager
def _address(paths: ExperimentPaths) -> Iterator[str]:
    folder = os.open(paths.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)
