# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log of all problems of one file, so that a single run reports them all."""

from __future__ import annotations

from ..errors import InputError, Problem

SHOWN_OF_A_KIND = 10


class ProblemLog:
    """The errors and warnings of one file.

    source   the file as the user named it
    damaged  whether the XML was malformed and only the recovered part is checked: a missing element
             proves nothing then
    """

    def __init__(self, source: str):
        self.source = source
        self.damaged = False
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        self._more: dict[str, int] = {}

    @property
    def has_errors(self) -> bool:
        return bool(self._errors)

    def error(self, line: int, element: str, message: str, hint: str = "") -> None:
        """Log an error: the file is unusable."""
        self._errors.append(Problem(message, self.source, line, element, hint))

    def absence(self, line: int, element: str, message: str, hint: str = "") -> None:
        """Log an error about something missing; do nothing if the file is damaged."""
        if not self.damaged:
            self.error(line, element, message, hint)

    def warn(self, kind: str, line: int, element: str, message: str, hint: str = "") -> None:
        """Log a warning. Of each ``kind`` the first ten are kept and the others counted."""
        seen = self._more.get(kind, 0)
        self._more[kind] = seen + 1
        if seen < SHOWN_OF_A_KIND:
            self._warnings.append(Problem(message, self.source, line, element, hint))

    def warnings(self) -> tuple[Problem, ...]:
        """Return all warnings in order of lines, then one summary for each kind with more than ten."""
        counted = [
            Problem(f"{total - SHOWN_OF_A_KIND} more warnings about {kind}", self.source) for kind, total in self._more.items() if total > SHOWN_OF_A_KIND
        ]
        return tuple(sorted(self._warnings, key=lambda problem: problem.line)) + tuple(counted)

    def raise_errors(self) -> None:
        """Raise InputError with all errors in order of lines, if there are any."""
        if self._errors:
            raise InputError(sorted(dict.fromkeys(self._errors), key=lambda problem: problem.line))
