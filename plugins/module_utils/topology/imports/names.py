# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Valid, unique names for imported nodes, links and interfaces.

Nodes and links share one case-insensitive namespace, so every name can be a host name and can appear in an NS file.
"""

from __future__ import annotations

import re
import unicodedata

from ...names import is_interface_name, is_node_name
from ..checks import PNODE, RESERVED_INTERFACES, RESERVED_NODES
from ..problem_log import ProblemLog
from ..scope import shown

LONGEST_NODE, LONGEST_INTERFACE = 32, 15
_LETTERS_OF_LONG = 2  # what is left of the word before the numbers of a long name of an interface
_NOT_OF_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_DIGIT = re.compile(r"[0-9]")
_NUMBERED = re.compile(r"inf[0-9]{3,}")
# Names that resolvers parse as an address (inet_aton).
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_RESERVED = RESERVED_NODES | {"ops"}  # "ops" at Emulab sites


class Names:
    """The names of nodes and links of one topology."""

    def __init__(self, problems: ProblemLog):
        self.problems = problems
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def give(self, kind: str, wanted: str, line: int) -> str:
        """Return a name for a node or link called ``wanted``; warn if it differs."""
        base = as_name(wanted, kind)
        name = self._free(base)
        if name != wanted:
            self.problems.warn(f"{kind}s that got another name", line, f"{kind} {shown(wanted)}", f"is called {name} here")
        return name

    def number(self, kind: str) -> str:
        """Return a name for a thing without one: ``link0``, ``link1``, …"""
        return self._free(f"{kind}{self._next.get(kind, 0)}", kind)

    def _free(self, base: str, counted: str = "") -> str:
        """Return ``base``, with a number if the name is taken, and mark it as taken."""
        name = base
        while name.lower() in self._taken:
            key = counted or base.lower()
            number = self._next[key] = self._next.get(key, 1 - bool(counted)) + 1
            ending = str(number) if counted else f"-{number}"
            name = (counted or base)[: LONGEST_NODE - len(ending)] + ending
        self._taken.add(name.lower())
        return name


def as_name(wanted: str, kind: str = "node") -> str:
    """Return the valid node name closest to ``wanted``; letters lose their diacritics."""
    plain = _plain(wanted)[:LONGEST_NODE].rstrip("-")
    if _NUMBER.fullmatch(plain):
        plain = f"{'n' if kind == 'node' else kind.lower()}-{plain}"[:LONGEST_NODE].rstrip("-")
    elif not plain or plain.lower() in _RESERVED or PNODE.fullmatch(plain):
        plain = f"{kind.lower()}-{plain}"[:LONGEST_NODE].rstrip("-")
    return plain if is_node_name(plain) else kind.lower()


class InterfaceNames:
    """The names of one computer's interfaces."""

    __slots__ = ("_taken", "_next")

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def give(self, wanted: str = "") -> str:
        """Return the valid name closest to ``wanted``, with a number if it is taken; without one ``inf000``, ``inf001``, …"""
        name = base = as_interface_name(wanted)
        if not base or _NUMBERED.fullmatch(base):
            number = len(self._taken)
            while not name or name in self._taken:
                name = f"inf{number:03}"
                number += 1
        while name in self._taken:
            number = self._next[base] = self._next.get(base, 1) + 1
            name = f"{base[: LONGEST_INTERFACE - len(str(number)) - 1]}-{number}"
        self._taken.add(name)
        return name


def as_interface_name(wanted: str) -> str:
    """Return the valid name of a network device closest to ``wanted``, "" if there is none.

    A long name keeps its numbers, which tell interfaces apart: ``GigabitEthernet0/0/0/1`` becomes ``Gi0-0-0-1``.
    """
    name = _plain(wanted).rstrip("-")
    first_digit = _DIGIT.search(name)
    if len(name) > LONGEST_INTERFACE and first_digit:
        word = name[: min(first_digit.start(), _LETTERS_OF_LONG)]
        name = word + name[first_digit.start() :][len(word) - LONGEST_INTERFACE :].lstrip("-")
    name = name[:LONGEST_INTERFACE].rstrip("-")
    return name if is_interface_name(name) and name not in RESERVED_INTERFACES else ""


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text[:200])
    ascii_only = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _NOT_OF_NAMES.sub("-", ascii_only).lstrip("-")
