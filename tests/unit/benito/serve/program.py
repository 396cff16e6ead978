# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service as a program, and a client of it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[4]
LIMIT_S = 60.0


class Service:
    """The service of a BENITO_HOME: ``begin``, ``kill`` and ``end`` it, and ask it."""

    def __init__(self, home: Path, folder: Path):
        self.home, self.folder, self.port = home, folder, _free_port()
        self.process: subprocess.Popen | None = None

    @property
    def token(self) -> str:
        return (self.home / "grandstand" / "token").read_text().strip()

    @property
    def log(self) -> Path:
        return self.folder / "service.log"

    def command(self, *options: str) -> dict:
        """The arguments of subprocess for ``benito serve``."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BENITO_"))}
        kept |= {"PYTHONPATH": str(ROOT), "BENITO_HOME": str(self.home), "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return {"args": [sys.executable, "-m", "benito", "serve", "--port", str(self.port), *options], "env": kept, "cwd": self.folder}

    def begin(self, *options: str) -> Service:
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(**self.command(*options), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_until("the service answers", self.lives)
        return self

    def lives(self) -> bool:
        assert self.process and self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("GET", "/healthz", token="")[0] == 200
        except OSError:
            return False

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait(LIMIT_S)

    def end(self) -> int:
        """End it as systemd does, and return its exit status."""
        assert self.process
        self.process.terminate()
        return self.process.wait(LIMIT_S)

    def ask(self, method: str, path: str, body: object = None, token: str | None = None, **headers: str) -> tuple[int, dict[str, str], object]:
        """Return (status, headers, answer) of a request; the answer is JSON's value or text. ``token``: "" for none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        secret = self.token if token is None else token
        sent = {"Authorization": f"Bearer {secret}"} if secret else {}
        connection.request(method, path, data, {**sent, **({"Content-Type": "application/json"} if data else {}), **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, json.loads(text) if "json" in found.get("content-type", "") else text

    def get(self, path: str) -> object:
        """The answer to a request that must be met."""
        status, _headers, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def job(self, number: int) -> dict:
        found = self.get(f"/api/v1/runs/{number}")
        assert isinstance(found, dict)
        return found


@contextlib.contextmanager
def new_service() -> Iterator[Service]:
    """Provide a service of its own, without experiments and not begun. Its folder has a short path, because that of a socket may not be long."""
    with tempfile.TemporaryDirectory(prefix="b") as folder:
        (Path(folder) / "home" / "proj").mkdir(parents=True)
        found = Service(Path(folder) / "home", Path(folder))
        try:
            yield found
        finally:
            if found.process and found.process.poll() is None:
                found.kill()


def basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{secret}".encode()).decode()


def wait_until(what: str, there, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not there():
        assert time.monotonic() < deadline, f"not within {limit_s:.0f} s: {what}"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
