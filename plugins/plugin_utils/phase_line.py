# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of the phase that runs, on the standard output of ansible-playbook.

On a terminal it is written again in place. Elsewhere there is a line when a phase ends, and signs of life while it lasts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ansible.utils.display import Display
from ansible_collections.deter.benito.plugins.plugin_utils.progress import ProgressLine
from ansible_collections.deter.benito.plugins.plugin_utils.running_phase import RunningPhase

SIGN_EACH_S = 5.0
_TICK_S, _EARLY_S = 0.5, 0.6  # a sign must not be late because a tick was
_BAR, _WIDE = 20, 120
_CLEAR = "\r\x1b[K"  # to the beginning of the line, and remove it


class PhaseLine:
    """Shows a phase while it runs. What Ansible and its plugins print meanwhile comes above its line.

    display   Ansible's
    in_place  whether the output is a terminal
    phase     returns the phase that runs, None if none does
    take      called with each line that a task prints about what it is doing, while a phase runs

    Its lock is the display's, because the process is forked only by those who hold that.
    """

    def __init__(self, display: Display, in_place: bool, phase: Callable[[], RunningPhase | None], take: Callable[[ProgressLine], None]):
        self._display, self._in_place, self._phase, self._take = display, in_place, phase, take
        self._lock, self._original, self._process = display._lock, display.display, os.getpid()
        self._stopped = threading.Event()
        self._unfinished = 0  # characters of the line that the cursor is in
        self._last_output = time.monotonic()
        self._signed: RunningPhase | None = None  # the phase of the last sign of life, and what it said
        self._said: list[str] = []

    def start(self) -> None:
        """Show phases from now on."""
        self._display.display = self._display_above
        threading.Thread(target=self._tick_until_stopped, daemon=True).start()

    def stop(self) -> None:
        """Show nothing any more."""
        with self._lock:
            if not self._stopped.is_set():
                self._stopped.set()
                self._finish_line()
                self._display.display = self._original

    def end_phase(self, phase: RunningPhase) -> None:
        """Print the line of a phase that has ended."""
        self._display.display((f"{_bar(1.0 if not phase.unhandled else phase.fraction)}" if self._in_place else "") + phase.ended_text())

    def _display_above(self, msg: str, *arguments: Any, **options: Any) -> None:
        """Print as ``Display.display`` does, above the line of the phase."""
        if os.getpid() != self._process:  # a worker process, which sends this to the main process
            self._original(msg, *arguments, **options)
            return
        with self._lock:
            if isinstance(msg, ProgressLine) and self._phase():
                self._take(msg)
                return
            if not options.get("log_only"):
                self._finish_line()
                self._last_output = time.monotonic()
            self._print(msg, *arguments, **options)

    def _tick_until_stopped(self) -> None:
        while not self._stopped.wait(_TICK_S):
            with self._lock:
                phase = self._phase()
                if phase is None or self._stopped.is_set():
                    continue
                if self._in_place:
                    self._redraw(phase)
                elif time.monotonic() - self._last_output >= SIGN_EACH_S - _EARLY_S:
                    self._give_sign(phase)

    def _redraw(self, phase: RunningPhase) -> None:
        width = shutil.get_terminal_size().columns - 1
        text = (_bar(phase.fraction) + phase.running_text())[:width]
        self._write(f"{_CLEAR}{text}")
        self._unfinished = len(text)

    def _give_sign(self, phase: RunningPhase) -> None:
        """Print the phase's line. The next signs of the phase continue one line, with what is new in it."""
        said, self._last_output = phase.parts(), time.monotonic()
        if self._signed is not phase:
            self._print(phase.running_text())
        else:
            if self._unfinished > _WIDE:
                self._finish_line()
            news = "".join(f"{part}, " for part in said if part not in self._said)
            piece = f"{', ' if self._unfinished else '  '}{news}{phase.seconds} s"
            self._write(piece)
            self._unfinished += len(piece)
        self._signed, self._said = phase, said

    def _finish_line(self) -> None:
        if self._unfinished:
            self._write(_CLEAR if self._in_place else "\n")
            self._unfinished = 0

    def _print(self, msg: str, *arguments: Any, **options: Any) -> None:
        """Print now. Python keeps what is written to a pipe until there is much of it, and Ansible leaves it at that."""
        self._original(msg, *arguments, **options)
        with contextlib.suppress(OSError):  # nobody reads any more
            sys.stdout.flush()

    def _write(self, text: str) -> None:
        self._print(text, screen_only=True, newline=False)


def _bar(fraction: float | None) -> str:
    done = round(_BAR * (fraction or 0.0))
    return f"[{'#' * done}{'-' * (_BAR - done)}] "
