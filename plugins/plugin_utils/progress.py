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


class ProgressLine(str):
    """A line that says what a task is doing. Ansible prints it as it is; the callback deter.benito.progress puts it into the line of a phase.

    what      what is being done, without the seconds
    host      the host on which it is done, "" for the controller
    done, of  how many things of the phase are done, None where the task does not count them
    """

    def __new__(cls, what: str, host: str = "", seconds: float | None = None, done: int | None = None, of: int | None = None) -> ProgressLine:
        """Return the line. ``seconds``: for how long it has been done, None at its beginning."""
        text = clean_line(what, NAME_WIDTH)
        line = super().__new__(cls, (f"{host}: " if host else "") + text + ("" if seconds is None else f" ({seconds:.0f} s)"))
        line.what, line.host, line.done, line.of = text, host, done, of
        return line

    what: str
    host: str
    done: int | None
    of: int | None

    def __reduce__(self) -> tuple:
        return _restored, (str(self), self.__dict__)  # a worker process sends it to the callback


def _restored(text: str, fields: dict) -> ProgressLine:
    line = str.__new__(ProgressLine, text)
    line.__dict__.update(fields)
    return line


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
    def __init__(self, count: int | None) -> None:
        self._text, self._began, self._count = "", time.monotonic(), count
        self._things: dict[str, None] = {}

    def begin(self, text: str) -> None:
        """Show that a phase begins."""
        self._text, self._began = text, time.monotonic()
        self._things[text.partition(":")[0]] = None
        self._display(None)

    def show(self) -> None:
        """Show for how long the phase has been running."""
        if self._text:
            self._display(time.monotonic() - self._began)

    def _display(self, seconds: float | None) -> None:
        done = None if self._count is None else min(len(self._things) - 1, self._count)
        display.display(ProgressLine(self._text, "", seconds, done, self._count))


@contextmanager
def show_phases(count: int | None = None) -> Iterator[Callable[[str], None]]:
    """Give a function that shows the name of each phase when it begins. While the phase lasts, it is shown again every few seconds.

    count  how many things are made, if each has phases that begin with its name and a colon
    """
    phases = _Phases(count)
    with repeated(phases.show, _EACH_S, _EACH_S):
        yield phases.begin
