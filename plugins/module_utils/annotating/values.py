# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of attributes: texts with placeholders, and values distributed over the selected elements."""

from __future__ import annotations

import re

from ..errors import BenitoError, Problem
from ..topology.scope import XML_SPACE, shown
from ..topology.topdl.writer import NOT_XML
from .draft import Draft, ElementRef
from .patterns import any_glob
from .rules import CYCLE, INTERFACE, SPREAD, SUBSTRATE, Rule, Value
from .selecting import Structure

PLACEHOLDERS = ("name", "index", "number", "count", "value", "computer", "substrate")
# ${name} is left to the shell.
_PLACEHOLDER = re.compile(r"(?<!\$){(" + "|".join(PLACEHOLDERS) + ")}")
_DIGITS = re.compile("[0-9]+")
LONGEST = 65_536


class _NoText(BenitoError):
    """The absence of a placeholder's value for an element, or an invalid text."""

    def __init__(self, why: str, hint: str = ""):
        super().__init__(why)
        self.why, self.hint = why, hint


def values(draft: Draft, structure: Structure, rule: Rule, name: str, refs: list[ElementRef], problems: list[Problem]) -> list[str | None]:
    """Return the value of the attribute ``name`` for each element; None if it has none, and the first such case is added to ``problems``."""
    value = rule.set[name]
    found: list[str | None] = []
    told = False
    for index, ref in enumerate(refs):
        try:
            found.append(_text(draft, structure, rule, value, refs, index))
        except _NoText as exc:
            found.append(None)
            if not told:
                problems.append(rule.where.problem(f"{exc.why} (the first: {draft.label(ref)})", exc.hint, "set", name))
            told = True
    return found


def used(value: Value) -> set[str]:
    """Return the placeholders in a value."""
    return set() if value.literal else set(_PLACEHOLDER.findall(value.text))


def _text(draft: Draft, structure: Structure, rule: Rule, value: Value, refs: list[ElementRef], index: int) -> str:
    distributed = _distributed(value, index, len(refs)) if value.how else ""

    def filled(match: re.Match[str]) -> str:
        return _fill(draft, structure, rule, refs, index, distributed, match[1])

    text = value.text if value.literal else _PLACEHOLDER.sub(filled, value.text)
    text = text.strip(XML_SPACE)
    if len(text) > LONGEST:
        raise _NoText(f"its value is longer than {LONGEST:,} characters")
    strange = NOT_XML.search(text)
    if strange:
        raise _NoText(f"{shown(text)} holds the character U+{ord(strange.group()):04X}, which TopDL cannot carry")
    return text


def _distributed(value: Value, index: int, count: int) -> str:
    many = value.size if value.values is None else len(value.values)
    if value.how == CYCLE:
        turn = index % many
    elif value.how == SPREAD:
        turn = index * min(many, count) // count
    else:
        turn = index // value.size
        if value.values is not None and turn >= many:
            message = f"{many} values for {value.size} elements each are for {many * value.size}, and {count} are chosen"
            raise _NoText(message, "more of them, or a larger 'each'")
    return str(turn) if value.values is None else value.values[turn]


def _fill(draft: Draft, structure: Structure, rule: Rule, refs: list[ElementRef], index: int, distributed: str, placeholder: str) -> str:
    ref = refs[index]
    if placeholder == "index":
        return str(index)
    if placeholder == "count":
        return str(len(refs))
    if placeholder == "value":
        return distributed
    if placeholder == "name":
        return draft.name(ref)
    if placeholder == "number":
        digits = _DIGITS.findall(draft.name(ref))
        if not digits:
            raise _NoText(hint="{index} counts the chosen elements from 0", why="there is no number in its name for {number}")
        return digits[-1]
    if placeholder == "computer":
        if ref.element_type != INTERFACE:
            raise _NoText(hint="{name} is its own name", why="only an interface has a {computer}")
        return draft.owner(ref).name
    return _substrate(structure, rule, ref)


def _substrate(structure: Structure, rule: Rule, ref: ElementRef) -> str:
    if ref.element_type == SUBSTRATE:
        raise _NoText(hint="{name} is its own name", why="a substrate is on no {substrate}")
    names = structure.substrates(ref)
    if rule.select.substrates:
        names = tuple(filter(any_glob(rule.select.substrates), names))
    if len(names) != 1:
        where = f"on {', '.join(names[:5])}" if names else "on none"
        raise _NoText(f"{{substrate}} must be one, and it is {where}", "select by substrate, or by a degree of 1")
    return names[0]
