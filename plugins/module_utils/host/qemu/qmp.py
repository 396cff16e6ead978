# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of QMP, QEMU's control protocol. It sends one command at a time, which may pass a descriptor, and ignores events."""

from __future__ import annotations

import array
import json
import socket
import time
from typing import Any

from ...clean_text import clean_line, clean_value
from ...errors import HostError

_MOST_BYTES = 16 << 20  # of an answer


class Qmp:
    """A connection to one QEMU, and a context manager. QEMU serves one client at a time, so hold it briefly.

    Each method raises HostError when QEMU refuses, ends, or does not answer within ``limit_s`` seconds.
    """

    def __init__(self, path: str, limit_s: float = 30.0):
        """Connect to the socket ``path``, which may not exist yet."""
        self._limit_s = limit_s
        self._rest = b""
        self._socket = connect(path, limit_s)
        try:
            self._receive()
            self.execute("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Qmp:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def execute(self, command: str, descriptor: int | None = None, **arguments: Any) -> Any:
        """Run a command and return its result. ``descriptor`` is passed with it, see QMP's ``getfd``."""
        request = {"execute": command, "arguments": arguments}
        ancillary = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        try:
            self._socket.sendmsg([json.dumps(request).encode() + b"\n"], ancillary)
        except OSError as exc:
            raise HostError(f"QEMU does not accept {command}: {exc.strerror}") from exc
        while True:
            answer = self._receive()
            if "error" in answer:
                error = answer["error"]
                raise HostError(f"QEMU refused {command}: {clean_line(error.get('desc', error) if isinstance(error, dict) else error)}")
            if "return" in answer:
                return answer["return"]

    def migrated(self, limit_s: float) -> None:
        """Wait until an outgoing or incoming migration has completed."""
        deadline = time.monotonic() + limit_s
        while True:
            found = self.execute("query-migrate")
            found = found if isinstance(found, dict) else {}
            if found.get("status") == "completed":
                return
            if found.get("status") in ("failed", "cancelled"):
                raise HostError(f"migrating QEMU's state failed: {found.get('error-desc', found['status'])}")
            if time.monotonic() > deadline:
                raise HostError(f"migrating QEMU's state timed out after {limit_s:.0f} s: {found.get('status', 'not begun')}")
            time.sleep(0.01)

    def _receive(self) -> dict:
        while b"\n" not in self._rest:
            try:
                block = self._socket.recv(65536)
            except socket.timeout as exc:
                raise HostError(f"QEMU did not answer within {self._limit_s:.0f} s") from exc
            except OSError as exc:
                raise HostError(f"the connection to QEMU broke: {exc.strerror}") from exc
            if not block:
                raise HostError("QEMU has ended")
            self._rest += block
            if len(self._rest) > _MOST_BYTES:
                raise HostError(f"QEMU sent an answer of more than {_MOST_BYTES >> 20} MiB")
        line, self._rest = self._rest.split(b"\n", 1)
        try:
            answer = clean_value(json.loads(line))
        except (ValueError, RecursionError) as exc:
            raise HostError(f"QEMU sent {line[:200]!r}, which is not JSON") from exc
        if not isinstance(answer, dict):
            raise HostError(f"QEMU sent {line[:200]!r}, which is not a JSON object")
        return answer


def connect(path: str, limit_s: float) -> socket.socket:
    """Connect to a socket that a QEMU makes when it starts. Raises HostError after ``limit_s`` seconds."""
    deadline = time.monotonic() + limit_s
    while True:
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            found.settimeout(limit_s)
            found.connect(path)
            return found
        except (FileNotFoundError, ConnectionRefusedError) as exc:
            found.close()
            if time.monotonic() > deadline:
                raise HostError(f"QEMU has not opened {path} within {limit_s:.0f} s") from exc
            time.sleep(0.01)
        except OSError as exc:
            found.close()
            raise HostError(f"{path}: {exc.strerror}") from exc
