# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that show that a long task is at work, printed while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ansible.utils.display import Display
from ansible_collections.deter.benito.plugins.module_utils.clean_text import NAME_WIDTH, clean_line

_EACH_S = 5

display = Display()


@contextmanager
def repeated(show: Callable[[], None], first_s: float, each_s: float) -> Iterator[None]:
    """Call ``show`` while the block runs: after ``first_s``, then each ``each_s``."""
    ended = threading.Event()

    def call() -> None:
        pause = first_s
        while not ended.wait(pause):
            show()
            pause = each_s

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    try:
        yield
    finally:
        ended.set()
        caller.join()


class _Phases:
    def __init__(self) -> None:
        self._text, self._began = "", time.monotonic()

    def begin(self, text: str) -> None:
        """Show that a phase begins."""
        self._text, self._began = clean_line(text, NAME_WIDTH), time.monotonic()
        display.display(self._text)

    def show(self) -> None:
        """Show for how long the phase has been running."""
        if self._text:
            display.display(f"{self._text} ({time.monotonic() - self._began:.0f} s)")


@contextmanager
def show_phases() -> Iterator[Callable[[str], None]]:
    """Give a function that shows the name of each phase when it begins. While the phase lasts, it is shown again every few seconds."""
    phases = _Phases()
    with repeated(phases.show, _EACH_S, _EACH_S):
        yield phases.begin
