# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quoting of texts and names for Tcl: each text becomes exactly one word with its literal meaning."""

from __future__ import annotations

import re

_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./:=@%+,-]+")
_SPECIAL = re.compile(r'[\\\s"$\[\]{};#]')
_INDEXED = re.compile(r"([A-Za-z][A-Za-z0-9]*)-([0-9]+)")
_CONTROL = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\v": r"\v", "\f": r"\f"}

# Commands of Tcl 8.6 and the array of options; no object can have one of these names.
TCL_COMMANDS = frozenset(
    """after append apply array binary break catch chan clock close concat continue coroutine dict encoding eof error eval exec exit expr
    fblocked fconfigure fcopy file fileevent flush for foreach format gets glob global if incr info interp join lappend lassign lindex linsert
    list llength lmap load lrange lrepeat lreplace lreverse lsearch lset lsort namespace open package pid proc puts pwd read regexp regsub
    rename return scan seek set socket source split string subst switch tailcall tell throw time timerate trace try unload unset unknown
    update uplevel upvar variable vwait while yield yieldto zlib cd new self my oo tcl opt""".split()
)


def quoted(text: str) -> str:
    """Return ``text`` as one word of Tcl."""
    if _PLAIN_WORD.fullmatch(text):
        return text
    if text and "\\" not in text and "\n" not in text and "\r" not in text and _balanced(text):
        return "{" + text + "}"
    escaped = _SPECIAL.sub(lambda found: _CONTROL.get(found.group(), "\\" + found.group()), text)
    return escaped or "{}"


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


class Variables:
    """The variables that give objects their names: ``n-3`` is ``n(3)``, unless an object is called ``n``."""

    def __init__(self, names: list[str]):
        self._names = set(names)
        self.simulator = next(name for name in ("ns", "sim", *(f"sim{number}" for number in range(len(names) + 1))) if not self._is_taken(name))

    def _is_taken(self, name: str) -> bool:
        return name in self._names or any(other.startswith(f"{name}-") for other in self._names)

    def knows(self, name: str) -> bool:
        return name in self._names

    def target(self, name: str) -> str:
        """Return the variable of an object for ``set``."""
        found = _INDEXED.fullmatch(name)
        if found and found.group(1) not in self._names and found.group(1) != "opt":
            return f"{found.group(1)}({found.group(2)})"
        return name

    def value(self, name: str) -> str:
        """Return the reference to an object."""
        target = self.target(name)
        return f"${{{target}}}" if "-" in target else f"${target}"
