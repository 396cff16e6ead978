# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log of all problems of one file, so that a single run reports them all."""

from __future__ import annotations

from ..errors import InputError, Problem

SHOWN_OF_A_KIND = 3


class _Kind:
    """The warnings of one kind: the first few, and the number of all."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.total = 0
        self.is_alike = True

    def add(self, problem: Problem) -> None:
        if self.first and (problem.message, problem.hint) != (self.first[0].message, self.first[0].hint):
            self.is_alike = False
        if len(self.first) < SHOWN_OF_A_KIND and problem not in self.first:
            self.first.append(problem)
        self.total += 1

    def summary(self, kind: str) -> Problem:
        """Return the only warning, or the number of all with the first few: "12 loops: node 'a': is joined to itself; likewise node 'b', …"."""
        first = self.first[0]
        if self.total == 1:
            return first
        said = ": ".join(part for part in (first.element, first.message) if part)
        if self.is_alike:
            others = [problem.element for problem in self.first[1:] if problem.element]
            said = f"{said}; likewise {', '.join(others)}" if others else said
        else:
            said = "; ".join([said, *(": ".join(part for part in (one.element, one.message) if part) for one in self.first[1:])])
        ending = ", …" if self.total > len(self.first) and self.is_alike else "; …" if self.total > len(self.first) else ""
        return Problem(said + ending, first.file, first.line, f"{self.total:,} {kind}", first.hint)


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
        self._warnings: dict[str, _Kind] = {}

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
        """Log a warning. Those of one ``kind``, a noun in the plural, become one line."""
        self._warnings.setdefault(kind, _Kind()).add(Problem(message, self.source, line, element, hint))

    def warnings(self) -> tuple[Problem, ...]:
        """Return one warning for each kind, in order of the lines of their first ones."""
        return tuple(sorted((found.summary(kind) for kind, found in self._warnings.items()), key=lambda problem: problem.line))

    def raise_errors(self) -> None:
        """Raise InputError with all errors in order of lines, if there are any."""
        if self._errors:
            raise InputError(sorted(dict.fromkeys(self._errors), key=lambda problem: problem.line))
