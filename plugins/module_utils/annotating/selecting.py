# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The selection of a topology's elements by a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from ..embedding.kinds import kind_named
from ..errors import Problem
from ..topology.attributes import NODE_TYPE, PREFIX
from ..topology.model import Topology
from ..topology.scope import shown
from .draft import Draft, ElementRef
from .patterns import PatternError, any_glob, glob, matched_by_expression
from .rules import COMPUTER, INTERFACE, OTHER, SUBSTRATE, Rule

_Test = Callable[[ElementRef], bool]

# Conditions that apply to each type of element, besides its name and its attributes.
MEANINGFUL = {
    COMPUTER: ("kind", "degree", "neighbours", "substrate"),
    OTHER: ("degree", "neighbours", "substrate"),
    SUBSTRATE: ("degree", "computer"),
    INTERFACE: ("kind", "substrate", "computer"),
}


class Structure:
    """The connections of a topology, which annotating does not change."""

    def __init__(self, topology: Topology):
        self._topology = topology

    @cached_property
    def members(self) -> dict[str, list[int]]:
        """Return {substrate: the numbers of the elements attached to it, once for each interface}."""
        found: dict[str, list[int]] = {}
        for number, element in enumerate(self._topology.elements):
            for interface in element.interfaces:
                for name in interface.substrates:
                    found.setdefault(name, []).append(number)
        return found

    def substrates(self, ref: ElementRef) -> tuple[str, ...]:
        """Return the distinct substrates of an element or an interface, in the order of its interfaces."""
        interfaces = self._topology.elements[ref.number].interfaces
        chosen = interfaces[ref.port : ref.port + 1] if ref.element_type == INTERFACE else interfaces
        return tuple(dict.fromkeys(name for interface in chosen for name in interface.substrates))

    def degree(self, ref: ElementRef) -> int:
        """Return the number of an element's interfaces, or of those attached to a substrate."""
        if ref.element_type == SUBSTRATE:
            return len(self.members.get(self._topology.substrates[ref.number].name, ()))
        return len(self._topology.elements[ref.number].interfaces)

    def neighbours(self, ref: ElementRef) -> int:
        """Return the number of other elements that an element shares a substrate with."""
        largest, *others = sorted((self._on(name) for name in self.substrates(ref)), key=len, reverse=True) or [{ref.number}]
        return len(largest) - 1 + len(set().union(*others) - largest)

    def computers(self, ref: ElementRef) -> list[str]:
        """Return the name of an interface's element, or the names of the elements attached to a substrate."""
        if ref.element_type == INTERFACE:
            return [self._topology.elements[ref.number].name]
        name = self._topology.substrates[ref.number].name
        return [self._topology.elements[number].name for number in self.members.get(name, ())]

    def _on(self, name: str) -> set[int]:
        if name not in self._sets:
            self._sets[name] = set(self.members.get(name, ()))
        return self._sets[name]

    @cached_property
    def _sets(self) -> dict[str, set[int]]:
        return {}


def chosen(draft: Draft, structure: Structure, rule: Rule, problems: list) -> list[ElementRef]:
    """Return the elements that a rule selects, in document order; add errors in its patterns to ``problems``."""
    refs = draft.refs(rule.select.element_type)
    for test in _tests(draft, structure, rule, problems):
        refs = [ref for ref in refs if test(ref)]
    if refs and rule.select.regex:
        try:
            matching = matched_by_expression(rule.select.regex, [draft.name(ref) for ref in refs])
        except PatternError as exc:
            problems.append(rule.where.problem(f"{shown(rule.select.regex)} {exc}", "", "select", "regex"))
            return []
        refs = [ref for ref in refs if draft.name(ref) in matching]
    return refs


def _tests(draft: Draft, structure: Structure, rule: Rule, problems: list[Problem]) -> Iterator[_Test]:
    """Yield the rule's tests of an ElementRef, the cheap ones first. An invalid pattern selects nothing."""
    select = rule.select

    def globs(key: str, patterns: tuple[str, ...]) -> Callable[[str], bool]:
        try:
            return any_glob(patterns)
        except PatternError as exc:
            problems.append(rule.where.problem(f"one of {shown(', '.join(patterns))} {exc}", "", "select", key))
            return lambda _text: False

    if select.names:
        named = globs("name", select.names)
        yield lambda ref: named(draft.name(ref))
    if select.exceptions:
        left_out = globs("except", select.exceptions)
        yield lambda ref: not left_out(draft.name(ref))
    degree, neighbours = select.degree, select.neighbours
    if degree is not None:
        yield lambda ref: structure.degree(ref) in degree
    if select.substrates:
        substrate = globs("substrate", select.substrates)
        yield lambda ref: any(map(substrate, structure.substrates(ref)))
    if select.computers:
        computer = globs("computer", select.computers)
        yield lambda ref: any(map(computer, structure.computers(ref)))
    if select.kinds:
        yield lambda ref: _kind(draft, ref) in select.kinds
    if neighbours is not None:
        yield lambda ref: structure.neighbours(ref) in neighbours
    for key, pairs in (("has", select.has), ("lacks", select.lacks)):
        for name, pattern in pairs:
            yield _attribute_test(draft, rule, problems, key, name, pattern)


def _attribute_test(draft: Draft, rule: Rule, problems: list[Problem], key: str, name: str, pattern: str | None) -> _Test:
    try:
        fits = (lambda _text: True) if pattern is None else glob(pattern)
    except PatternError as exc:
        problems.append(rule.where.problem(f"{shown(pattern or '')} {exc}", "", "select", key, name))
        return lambda _place: False

    def has(ref: ElementRef) -> bool:
        value = draft.value(ref, name)
        return value is not None and fits(value)

    return has if key == "has" else lambda ref: not has(ref)


def _kind(draft: Draft, ref: ElementRef) -> str | None:
    """Return the kind requested for an element, or for an interface's element; None if none is requested."""
    text = draft.value(ref._replace(element_type=COMPUTER), PREFIX + NODE_TYPE)
    return None if text is None else kind_named(text)
