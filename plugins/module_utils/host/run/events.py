# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event loop of the supervisor. What it watches is a table of sources; a further thing to watch is one more row."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TYPE_CHECKING = False  # typing, which has it, takes longer to read than all that is imported here
if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True)
class Source:
    """One thing that is watched.

    name     for people
    fd       descriptor that becomes readable when something has happened
    read     () -> what has happened, a false value for nothing of interest; takes all that the descriptor offers
    act      (what has happened); does what is to be done about it
    delay_s  seconds to wait for more before acting, so that a burst of events is acted on once
    """

    name: str
    fd: int
    read: Callable[[], Any]
    act: Callable[[Any], object]
    delay_s: float = 0.0


class EventLoop:
    """Waits for all sources at once."""

    def __init__(self, sources: Sequence[Source]):
        self._sources = sources
        self._pending: dict[str, tuple[float, Any]] = {}

    def run(self) -> None:
        """Wait and act. Does not return; an action ends the program."""
        while True:
            self.step()

    def step(self, limit_s: float | None = None) -> None:
        """Wait until something happens or is due, at most ``limit_s`` seconds, and act."""
        now = time.monotonic()
        waits = [max(0.0, due - now) for due, _event in self._pending.values()] + ([limit_s] if limit_s is not None else [])
        readable, _w, _x = select.select([source.fd for source in self._sources], [], [], min(waits, default=None))
        for source in self._sources:
            event = source.read() if source.fd in readable else None
            if event and source.delay_s:
                due = self._pending.get(source.name, (time.monotonic() + source.delay_s, None))[0]  # later events do not put it off
                self._pending[source.name] = due, event
            elif event:
                source.act(event)
        for source in self._sources:
            if source.name in self._pending and self._pending[source.name][0] <= time.monotonic():
                source.act(self._pending.pop(source.name)[1])
