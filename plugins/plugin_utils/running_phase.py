# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of a playbook run while it runs: what it has done, what it is doing, and the text of its line."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import NAME_WIDTH, clean_line
from ansible_collections.deter.benito.plugins.plugin_utils.playbook_phases import PhaseKind
from ansible_collections.deter.benito.plugins.plugin_utils.progress import ProgressLine

_UP = re.compile(r"(\d+) of (\d+) (virtual machines|system containers) are up")
_BOOKKEEPING = re.compile(r"(Record|Skip|Check that|End the play|Fail |Validating arguments|Refresh|Add |Show )")
_ACTIONS = "deter.benito."


class RunningPhase:
    """A phase that has begun.

    done, of  its counts, None where it has none
    detail    what it is doing, "" if unknown
    failed    the hosts on which a task failed
    """

    def __init__(self, kind: PhaseKind, total: int | None):
        self.kind, self.began = kind, time.monotonic()
        self.done: int | None = 0 if kind.counted and total is not None else None
        self.of = total if kind.counted else None
        self.detail, self.failed, self.unhandled, self.worked, self.shown = "", set[str](), False, False, False
        self._step, self._up = 0, dict[tuple[str, str], tuple[int, int]]()

    def begin_task(self, name: str) -> None:
        """Take notice of a task that begins. ``name`` is without its role."""
        if name in self.kind.steps:
            self._step = self.kind.steps.index(name)
        if name in self.kind.steps or not (self.kind.steps or _BOOKKEEPING.match(name)):
            self.detail = _as_detail(name)

    def take_result(self, name: str, action: str, result: dict[str, Any], item: bool, loops: bool) -> None:
        """Take notice of what a task returned for a host, or for an item if it loops."""
        self.worked = True
        if name == self.kind.counted and item == loops and "msg" not in result:
            self._count((self.done or 0) + 1, self.of or 0)
        elif action == f"{_ACTIONS}images" and isinstance(result.get("nodes"), dict):
            images = len(set(result["nodes"].values()))
            self._count(images, images)
        elif action == f"{_ACTIONS}swap_finish" and result.get("nodes"):
            self._count(sum(row.get("state") == "booted" for row in result["nodes"]), len(result["nodes"]))

    def take_line(self, line: ProgressLine) -> None:
        """Take notice of what a task says that it is doing."""
        self.worked = True
        if line.of is not None:
            self._count(line.done or 0, line.of)
        if found := _UP.fullmatch(line.what):
            self._up[line.host, found[3]] = (int(found[1]), int(found[2]))
            booted, nodes = (sum(numbers) for numbers in zip(*self._up.values()))
            self.detail = f"nodes booted {booted}/{nodes}"
        else:
            self.detail = f"{line.host}: {line.what}" if line.host else line.what

    def set_total(self, total: int) -> None:
        """Set how many things the phase counts."""
        if self.kind.counted:
            self._count(self.done or 0, total)

    @property
    def seconds(self) -> int:
        return round(time.monotonic() - self.began)

    @property
    def fraction(self) -> float | None:
        """How much of the phase is done, from 0 to 1; None if unknown."""
        if self.kind.steps and self.done != self.of:
            return self._step / len(self.kind.steps)
        return self.done / self.of if self.done is not None and self.of else None

    def parts(self) -> list[str]:
        """Return the counts and the detail of the phase while it runs, as far as they are known."""
        counted = f"{self.kind.name} {self.done}/{self.of}" if self.of else ""
        return [part for part in (counted, self.detail) if part] or [self.kind.name]

    def running_text(self) -> str:
        """Return the line of the phase while it runs."""
        return f"{', '.join(self.parts())}, {self.seconds} s"

    def ended_text(self) -> str:
        """Return the line of the phase when it has ended."""
        counted = f" {self.done}/{self.of}" if self.of else ": none" if self.of == 0 else ""
        return f"{self.kind.name}{counted}{', failed' if self.unhandled else ''}, {self.seconds} s"

    def counts(self) -> dict[str, Any]:
        """Return the fields that the phase's events have."""
        known = {"done": self.done, "of": self.of} if self.of is not None else {}
        return {"phase": self.kind.name, **known}

    def _count(self, done: int, of: int) -> None:
        self.done, self.of = done, max(done, of)


def _as_detail(name: str) -> str:
    text = clean_line(name, NAME_WIDTH)
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
