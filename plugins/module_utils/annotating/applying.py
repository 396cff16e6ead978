# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application of rules to a topology, one after another. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..embedding.assign_kinds import annotate
from ..embedding.settings import EmbeddingSettings
from ..errors import InputError, Problem
from ..topology.attribute_names import name_remark
from ..topology.attributes import LATENCY_MODEL, PREFIX, containers_name
from ..topology.checks import check_deployable
from ..topology.model import Attribute, Topology
from ..topology.scope import shown
from ..topology.xml_source import MAX_BYTES
from .checking import value_fault
from .draft import Draft, ElementRef
from .patterns import PatternError, any_glob
from .rules import ELEMENT_TYPES, EXPERIMENT, Rule
from .selecting import Structure, chosen
from .values import values

MOST_RULES = 1000
MOST_VALUES_SHOWN = 5
MOST_REFUSALS_SHOWN = 10


@dataclass(frozen=True)
class Change:
    """The change of one element: the attributes it lost, and those it gained, each (name, value)."""

    element: str
    before: tuple[tuple[str, str], ...]
    after: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Annotated:
    """A topology with changed attributes, and no other changes.

    changes   ordered by type of element, then as in the document
    selected  for each rule, the number of elements it selected
    warnings  warnings for the author of the rules
    """

    topology: Topology
    changes: tuple[Change, ...]
    selected: tuple[int, ...]
    warnings: tuple[Problem, ...]


def annotate_by_rules(topology: Topology, rules: tuple[Rule, ...]) -> Annotated:
    """Apply all rules to a topology, each to the result of the previous ones.

    Raises InputError with all errors: rules that select nothing, invalid values, and changes that make a deployable topology
    undeployable.
    """
    draft, structure = Draft(topology), Structure(topology)
    work = _Work(draft, structure)
    selected = tuple(work.apply(rule) for rule in rules)
    annotated = draft.topology()
    problems = [*work.problems, *_new(_undeployable(annotated), _undeployable(topology))]
    if problems:
        raise InputError(dict.fromkeys(problems))
    warnings = (*work.warnings, *_would_be_refused(annotated, topology))
    return Annotated(annotated, tuple(_changes(Draft(topology), draft)), selected, tuple(dict.fromkeys(warnings)))


class _Work:
    """Rules being applied to a draft, with their problems."""

    def __init__(self, draft: Draft, structure: Structure):
        self._draft, self._structure = draft, structure
        self._characters = 0
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def apply(self, rule: Rule) -> int:
        """Apply one rule; return the number of elements it selected."""
        faults = len(self.problems)
        refs = chosen(self._draft, self._structure, rule, self.problems)
        if not refs and not rule.allow_none and len(self.problems) == faults:
            self.problems.append(rule.where.problem("selects nothing", self._there_is(rule) or "allow_none: true, if that is all right", "select"))
        self._remove(rule, refs)
        for name in rule.set:
            self._remark(rule, "set", name)
            self._set(rule, name, refs)
        return len(refs)

    def _remove(self, rule: Rule, refs: list[ElementRef]) -> None:
        if not rule.remove:
            return
        try:
            unwanted = any_glob(rule.remove)
        except PatternError as exc:
            self.problems.append(rule.where.problem(f"one of {shown(', '.join(rule.remove))} {exc}", "", "remove"))
            return
        for pattern in rule.remove:
            if not set(pattern) & set("*?["):
                self._remark(rule, "remove", pattern)
                if rule.select.element_type == EXPERIMENT and containers_name(pattern) == LATENCY_MODEL:
                    self.problems.append(rule.where.problem(f"{PREFIX}{LATENCY_MODEL} is always there", "set it to hop or path", "remove"))
        for ref in refs:
            self._draft.remove(ref, unwanted)

    def _remark(self, rule: Rule, key: str, name: str) -> None:
        remark = name_remark(rule.select.element_type, name)
        if remark:
            self.warnings.append(rule.where.problem(f"the attribute {name} {remark[0]}", remark[1], key, name))

    def _set(self, rule: Rule, name: str, refs: list[ElementRef]) -> None:
        found = values(self._draft, self._structure, rule, name, refs, self.problems)
        self._characters += sum(len(value) for value in found if value is not None)
        if self._characters > MAX_BYTES:
            self.problems.append(rule.where.problem(f"all values together are longer than {MAX_BYTES // 2**20} MB", "shorter ones", "set", name))
            return
        faulty: Counter[str] = Counter()
        for ref, value in zip(refs, found):
            if value is None:
                continue
            self._draft.set(ref, name, value)
            if value not in faulty:
                fault = value_fault(name, value)
                if fault:
                    faulty[value] = 1
                    if len(faulty) <= MOST_VALUES_SHOWN:
                        self.problems.append(rule.where.problem(*fault, "set", name))
        if len(faulty) > MOST_VALUES_SHOWN:
            self.problems.append(rule.where.problem(f"{len(faulty) - MOST_VALUES_SHOWN} more values like these", "", "set", name))

    def _there_is(self, rule: Rule) -> str:
        """Return a hint that lists the existing elements, for a rule that selects nothing."""
        there = [self._draft.name(ref) for ref in self._draft.refs(rule.select.element_type)]
        if not there:
            return f"there is no element of type {rule.select.element_type}"
        return f"there are {_some(there)}" if rule.select.names else ""


def _some(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _changes(before: Draft, after: Draft) -> Iterable[Change]:
    for element_type in (EXPERIMENT, *(element_type for element_type in ELEMENT_TYPES if element_type != EXPERIMENT)):
        for ref in before.refs(element_type):
            old, new = _pairs(before, ref), _pairs(after, ref)
            if old != new:
                yield Change(after.label(ref), *_difference(old, new))


def _pairs(draft: Draft, ref: ElementRef) -> list[tuple[str, str]]:
    attributes: tuple[Attribute, ...] = draft.at(ref).attributes
    if ref.element_type == EXPERIMENT:
        attributes = (*attributes, Attribute(PREFIX + LATENCY_MODEL, draft.at(ref).latency_model))
    return [(attribute.name, attribute.value) for attribute in attributes]


def _difference(old: list, new: list) -> tuple[tuple, tuple]:
    """Return (what is only in the old list, what is only in the new one), with repetitions."""
    gone, come = Counter(old), Counter(new)
    gone, come = gone - come, come - gone
    return tuple(gone.elements()), tuple(come.elements())


def _undeployable(topology: Topology) -> tuple[Problem, ...]:
    try:
        check_deployable(topology)
    except InputError as exc:
        return exc.problems
    return ()


def _unplannable(topology: Topology) -> tuple[Problem, ...]:
    if _undeployable(topology):
        return ()
    try:
        annotate(topology, EmbeddingSettings())
    except InputError as exc:
        return exc.problems
    return ()


def _would_be_refused(annotated: Topology, before: Topology) -> list[Problem]:
    """Return warnings about values that containerize would refuse. They are not errors, since further rules may follow."""
    new = _new(_unplannable(annotated), _unplannable(before))
    found = [Problem(f"containerize would refuse it: {one.message}", one.file, one.line, one.element, one.hint) for one in new[:MOST_REFUSALS_SHOWN]]
    return found + ([Problem(f"{len(new) - MOST_REFUSALS_SHOWN} more like these", annotated.source)] if len(new) > MOST_REFUSALS_SHOWN else [])


def _new(after: tuple[Problem, ...], before: tuple[Problem, ...]) -> list[Problem]:
    known = set(before)
    return [problem for problem in after if problem not in known]
