# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of reading one NS file, and the conversion of the arguments of its calls to objects and numbers.

Each function returns None for an invalid text and reports the error. An empty text that results from an earlier error
(``set link [$ns duplex-link …]`` that failed) is not reported again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ..scope import shown
from . import units
from .findings import Findings
from .interpreter import SourceLocation
from .network import Attachment, Ends, Medium, Network, Node

T = TypeVar("T")


class Reading:
    """One file being read: the network it built, its problems, and the profile of rules."""

    def __init__(self, source: str, profile: units.Profile):
        self.source = source
        self.profile = profile
        self.found = Findings(source)
        self.network = Network()

    def _refuse(self, location: SourceLocation, who: str, text: str, message: str, hint: str = "") -> None:
        if text or not self.found.has_errors:
            self.found.error(location, who, message, hint)

    def node(self, location: SourceLocation, who: str, text: str) -> Node | None:
        thing = self.network.objects.get(text)
        if isinstance(thing, Node):
            return thing
        self._refuse(location, who, text, f"{shown(text)} is not a node", "a node that $ns node made")
        return None

    def medium(self, location: SourceLocation, who: str, text: str, kind: str = "") -> Medium | None:
        """Return a link or LAN; ``kind`` is "link" or "lan" if only that is valid."""
        thing = self.network.objects.get(text)
        if isinstance(thing, Medium) and kind in ("", thing.kind):
            return thing
        wanted = {"link": "a link", "lan": "a LAN", "": "a link or LAN"}[kind]
        if isinstance(thing, Medium):
            other = who.replace("-link", "-lan") if thing.kind == "lan" else who.replace("-lan", "-link")
            is_what = "a LAN" if thing.kind == "lan" else "a link"
            self.found.error(location, who, f"{shown(text)} is not {wanted}", f"it is {is_what}" + (f": {other}" if other != who else ""))
        else:
            self._refuse(location, who, text, f"{shown(text)} is not {wanted}")
        return None

    def attachment(self, location: SourceLocation, who: str, node: Node | None, medium: Medium | None) -> Attachment | None:
        """Return the attachment of ``node`` to ``medium``; None if either is None or, with an error, if there is no attachment."""
        if node is None or medium is None:
            return None
        attachment = medium.attachment(node)
        if attachment is None:
            members = ", ".join(member.node.name for member in medium.members[:8])
            self.found.error(location, who, f"{node.name} is not on {medium.name}", f"on it are {members}")
        return attachment

    def destination(self, location: SourceLocation, who: str, text: str) -> Node | Medium | None:
        """Return the destination of a route."""
        thing = self.network.objects.get(text)
        if isinstance(thing, Ends):
            return thing.medium
        if isinstance(thing, (Node, Medium)):
            return thing
        self._refuse(location, who, text, f"{shown(text)} is no node, link or LAN")
        return None

    def bandwidth(self, location: SourceLocation, who: str, text: str) -> int | None:
        return self._number(location, who, lambda: units.bandwidth_kbps(text, self.profile))

    def delay(self, location: SourceLocation, who: str, text: str) -> float | None:
        number = self._number(location, who, lambda: units.delay_ms(text, self.profile))
        if number is None:
            return None
        if number[1]:
            self.found.warn("delays in ns", location, who, number[1])
        return number[0]

    def loss(self, location: SourceLocation, who: str, text: str) -> float | None:
        return self._number(location, who, lambda: units.loss_fraction(text))

    def seconds(self, location: SourceLocation, who: str, text: str) -> float | None:
        return self._number(location, who, lambda: units.seconds(text))

    def address(self, location: SourceLocation, who: str, text: str) -> str | None:
        """Parse four numbers from 0 to 255 with dots between them; return the address without leading zeros."""
        parts = text.split(".")
        if len(parts) == 4 and all(part.isascii() and part.isdigit() and len(part) <= 3 and int(part) <= 255 for part in parts):
            return ".".join(str(int(part)) for part in parts)
        self.found.error(location, who, f"{shown(text)} is not an IPv4 address", "four numbers from 0 to 255, such as 10.1.1.2")
        return None

    def whole(self, location: SourceLocation, who: str, text: str, least: int, most: int) -> int | None:
        """Parse a whole number from ``least`` to ``most``."""
        if text.isascii() and text.isdigit() and len(text) <= 12 and least <= int(text) <= most:
            return int(text)
        self.found.error(location, who, f"{shown(text)} is not allowed", f"a whole number from {least} to {most}")
        return None

    def one_of(self, location: SourceLocation, who: str, text: str, allowed: Sequence[str]) -> str | None:
        if text in allowed:
            return text
        self.found.error(location, who, f"{shown(text)} is not allowed", "one of " + ", ".join(allowed))
        return None

    def _number(self, location: SourceLocation, who: str, parse: Callable[[], T]) -> T | None:
        try:
            return parse()
        except ValueError as exc:
            message, hint = exc.args if len(exc.args) == 2 else (str(exc), "")
            self.found.error(location, who, message, hint)
            return None
