# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of annotation as plain data: a selection of elements, and the changes of their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import Problem
from ..topology.attribute_names import COMPUTER, EXPERIMENT, INTERFACE, OTHER, SUBSTRATE

ELEMENT_TYPES = (COMPUTER, SUBSTRATE, INTERFACE, OTHER, EXPERIMENT)
CYCLE, SPREAD, EACH = "cycle", "spread", "each"


@dataclass(frozen=True)
class Where:
    """The location of a rule, for messages.

    file   the file of rules as the user named it, "" if they were given directly
    lines  {path of keys from the top of the file: its line}
    path   the keys that lead to the rule, such as (1,)
    label  the name of the rule: "rule 2", or "" for the only one
    """

    file: str = ""
    lines: Mapping[tuple, int] = field(default_factory=dict)
    path: tuple = ()
    label: str = ""

    def problem(self, message: str, hint: str = "", *keys: str | int) -> Problem:
        """Return a Problem about the value at ``keys`` inside the rule."""
        path = (*self.path, *keys)
        line = next((self.lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in self.lines), 0)
        inner = ".".join(str(key + 1) if isinstance(key, int) else str(key) for key in keys)
        return Problem(_printable(message), self.file, line, ", ".join(part for part in (self.label, _printable(inner)) if part), _printable(hint))


def _printable(text: str) -> str:
    """Escape unprintable characters: the result is one line without control sequences for a terminal."""
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


@dataclass(frozen=True)
class Range:
    """A range of numbers from least to most, both included; most None: no upper limit."""

    least: int = 0
    most: int | None = None

    def __contains__(self, number: int) -> bool:
        return self.least <= number and (self.most is None or number <= self.most)


@dataclass(frozen=True)
class Select:
    """A selection of elements. All conditions must be true of an element; an empty one or None is no condition.

    element_type  one of ELEMENT_TYPES
    names       shell globs of its name: at least one matches
    regex       a regular expression of its whole name
    exceptions  shell globs of names that are left out
    kinds       its ``containers:node_type``, as canonical names: one of them
    degree      the number of its interfaces; of a substrate, the number of interfaces attached to it
    neighbours  the number of other elements that it shares a substrate with
    substrates  shell globs of its substrates: at least one matches
    computers   shell globs of an interface's computer, or of a substrate's computers: at least one matches
    has         (attribute, shell glob of its value or None for any): all of them match
    lacks       likewise: none of them match
    """

    element_type: str = COMPUTER
    names: tuple[str, ...] = ()
    regex: str = ""
    exceptions: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    degree: Range | None = None
    neighbours: Range | None = None
    substrates: tuple[str, ...] = ()
    computers: tuple[str, ...] = ()
    has: tuple[tuple[str, str | None], ...] = ()
    lacks: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class Value:
    """The value of an attribute for each of the selected elements.

    text     may hold placeholders such as {name}; {value} is the distributed value
    literal  whether the text has no placeholders
    how      CYCLE: the values in turn; SPREAD: blocks of nearly equal size, one for each value; EACH: each value for ``size``
             elements; "": nothing is distributed
    values   the values to distribute; None for the numbers from 0 on
    size     for EACH, the number of elements per value; for the others, with values None, the number of numbers
    """

    text: str = ""
    literal: bool = False
    how: str = ""
    values: tuple[str, ...] | None = None
    size: int = 0


@dataclass(frozen=True)
class Rule:
    """The change of the attributes of selected elements: first ``remove`` (shell globs of names), then ``set``.

    allow_none  whether it may select nothing
    """

    select: Select
    set: Mapping[str, Value] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    allow_none: bool = False
    where: Where = Where()
