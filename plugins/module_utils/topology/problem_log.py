# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects everything found wrong with one file, so that all of it is reported in one run."""

from __future__ import annotations

from ..errors import InputError, Problem

SHOWN_OF_A_KIND = 10


class ProblemLog:
    """Errors and warnings of one file.

    source   the file as the user named it
    damaged  the XML was malformed and only what could be recovered is being looked at: things
             missing from it prove nothing
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
        """Note something that makes the file unusable."""
        self._errors.append(Problem(message, self.source, line, element, hint))

    def absence(self, line: int, element: str, message: str, hint: str = "") -> None:
        """Note an error that consists in something not being there; void in a damaged file."""
        if not self.damaged:
            self.error(line, element, message, hint)

    def warn(self, kind: str, line: int, element: str, message: str, hint: str = "") -> None:
        """Note something the reader should know; of one ``kind`` the first ten are kept, the others counted."""
        seen = self._more.get(kind, 0)
        self._more[kind] = seen + 1
        if seen < SHOWN_OF_A_KIND:
            self._warnings.append(Problem(message, self.source, line, element, hint))

    def warnings(self) -> tuple[Problem, ...]:
        """All warnings in order of lines, then what was only counted."""
        counted = [
            Problem(f"{total - SHOWN_OF_A_KIND} more warnings about {kind}", self.source) for kind, total in self._more.items() if total > SHOWN_OF_A_KIND
        ]
        return tuple(sorted(self._warnings, key=lambda problem: problem.line)) + tuple(counted)

    def raise_errors(self) -> None:
        """Raise InputError with every error in order of lines, if there is one."""
        if self._errors:
            raise InputError(sorted(dict.fromkeys(self._errors), key=lambda problem: problem.line))
