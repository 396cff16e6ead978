# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One family of errors. They are raised where a fault is found, and caught once, at the entry point.

The children name the cause: the input, the experiment's state, a host. Any other exception that reaches the entry point is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False  # importing typing takes longer than everything imported here
if TYPE_CHECKING:
    from collections.abc import Iterable


class BenitoError(Exception):
    """An error that a person can act on. It states the fault, its place and a remedy."""


@dataclass(frozen=True)
class Problem:
    """One fault of an input.

    file     the input as the user named it, or "" when there is none
    line     1-based line, or 0 when unknown
    element  the element with the fault, in the input's terms: "computer a, interface inf000"
    message  the fault
    hint     the remedy; may be empty
    """

    message: str
    file: str = ""
    line: int = 0
    element: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.file and self.line else self.file
        head = ": ".join(part for part in (where, self.element, self.message) if part)
        return f"{head} ({self.hint})" if self.hint else head


class InputError(BenitoError):
    """The input is wrong. The error holds every problem that was found, not only the first.

    problems  tuple of Problem, in document order, never empty
    """

    def __init__(self, problems: Problem | Iterable[Problem]):
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ExperimentError(BenitoError):
    """The experiment's state does not allow the operation: it is absent, existing, locked or active."""


class HostError(BenitoError):
    """A machine cannot carry out its plan, or failed to."""
