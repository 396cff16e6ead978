# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may ask the service: the secret that every request has to bring, and bounds on what a request may bring beside it."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from pathlib import Path

from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.files import private_directory, write_text
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 4 << 20  # of a request: a topology of some 10,000 nodes
_SECRET_BYTES = 32


class Token:
    """The secret of the service, in a file that only its user can read. It is made when there is none; to change it, remove the file and start anew.

    Raises HostError when the file cannot be read or written, or others can read it.
    """

    def __init__(self, home: str):
        self.path = Path(home, "grandstand", "token")
        try:
            private_directory(str(self.path.parent))
            if not self.path.exists():
                write_text(str(self.path), secrets.token_urlsafe(_SECRET_BYTES) + "\n", 0o600)
            if self.path.stat().st_mode & 0o077:
                raise HostError(f"{self.path} can be read by others: remove it, and the service makes another one")
            self.secret = self.path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise HostError(f"the service's token {self.path} cannot be read or made: {exc}") from exc
        if len(self.secret) < _SECRET_BYTES:
            raise HostError(f"{self.path} has no token of at least {_SECRET_BYTES} characters: remove it, and the service makes another one")

    def matches(self, given: str) -> bool:
        """Return whether this is the secret. It takes the same time for every wrong one."""
        return hmac.compare_digest(given.encode(errors="replace"), self.secret.encode())

    def allows(self, authorization: str) -> bool:
        """Return whether a header Authorization has the secret: ``Bearer SECRET``, or the password of ``Basic`` for clients that only know that."""
        scheme, _space, value = authorization.strip().partition(" ")
        if scheme.lower() == "basic":
            try:
                value = base64.b64decode(value, validate=True).decode(errors="replace").partition(":")[2]
            except (binascii.Error, ValueError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return self.matches(value.strip())


class BoundedBody:
    """Refuses requests whose body is too large, before and while they are read."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES):
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > self._most:
            await _refuse(send, self._most)
            return
        left = self._most

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return message if left >= 0 else {"type": "http.disconnect"}

        await self._app(scope, bounded, send)


async def _refuse(send: Send, most: int) -> None:
    text = f'{{"detail":"the request has more than {most} bytes"}}'.encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})
