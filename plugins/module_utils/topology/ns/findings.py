# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The problems of an NS file and the files it reads, all reported by one run."""

from __future__ import annotations

from ...errors import InputError, Problem
from .interpreter import SourceLocation

MOST_ERRORS = 100
SHOWN_OF_A_KIND = 10
_MOST_KEPT = 10_000


class Findings:
    """The errors and warnings of one NS file, each with its location.

    Order: the file itself first, then the files it reads; in each by line.
    """

    def __init__(self, source: str):
        self.source = source
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        self._times: dict[str, int] = {}
        self._seen: set[Problem] = set()

    @property
    def has_errors(self) -> bool:
        return bool(self._errors)

    def error(self, location: SourceLocation, element: str, message: str, hint: str = "") -> None:
        """Report an error: the file is unusable."""
        if len(self._errors) < _MOST_KEPT:
            self._errors.append(self._problem(location, element, message, hint))

    def warn(self, kind: str, location: SourceLocation, element: str, message: str, hint: str = "", most: int = SHOWN_OF_A_KIND) -> None:
        """Report a warning. Of each ``kind`` the first ``most`` are kept and the others counted; duplicates are ignored."""
        problem = self._problem(location, element, message, hint)
        if problem in self._seen:
            return
        self._times[kind] = self._times.get(kind, 0) + 1
        if self._times[kind] <= most:
            self._seen.add(problem)
            self._warnings.append(problem)

    def once(self, kind: str, location: SourceLocation, element: str, message: str, hint: str = "") -> None:
        """Report a warning, unless there is one of this ``kind`` already."""
        if kind not in self._times:
            self.warn(kind, location, element, message, hint, most=1)

    def warnings(self) -> tuple[Problem, ...]:
        """Return all warnings in order, then one summary for each kind with more than ten."""
        more = [(kind, times - SHOWN_OF_A_KIND) for kind, times in self._times.items() if times > SHOWN_OF_A_KIND]
        counted = [Problem(f"{number} more warnings about {kind}", self.source) for kind, number in more]
        return (*sorted(self._warnings, key=self._order), *counted)

    def raise_errors(self) -> None:
        """Raise InputError with the errors in order, at most MOST_ERRORS of them and the number of the rest, if there are any."""
        if not self._errors:
            return
        problems = sorted(dict.fromkeys(self._errors), key=self._order)
        more = [Problem(f"{len(problems) - MOST_ERRORS} more errors", self.source)] if len(problems) > MOST_ERRORS else []
        raise InputError([*problems[:MOST_ERRORS], *more])

    def _problem(self, location: SourceLocation, element: str, message: str, hint: str) -> Problem:
        return Problem(_one_line(message), location.file or self.source, location.line, _one_line(element), _one_line(hint))

    def _order(self, problem: Problem) -> tuple[bool, str, int]:
        return (problem.file != self.source, problem.file, problem.line)


def _one_line(text: str) -> str:
    """Replace unprintable characters: a message is one printable line, but names and texts of a file may hold anything."""
    return text if text.isprintable() else "".join(character if character.isprintable() else "?" for character in text)
