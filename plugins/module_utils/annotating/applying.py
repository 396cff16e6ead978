# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules applied to a topology, one after another. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..embedding.assign_kinds import annotate
from ..embedding.settings import EmbeddingSettings
from ..errors import InputError, Problem
from ..topology.attributes import LATENCY_MODEL, PREFIX, containers_name
from ..topology.checks import check_deployable
from ..topology.model import Attribute, Topology
from ..topology.scope import shown
from ..topology.xml_source import MAX_BYTES
from .checking import name_remark, value_fault
from .draft import Draft, Place
from .patterns import PatternError, any_glob
from .rules import EXPERIMENT, SORTS, Rule
from .selecting import Structure, chosen
from .values import values

MOST_RULES = 1000
MOST_VALUES_SHOWN = 5
MOST_REFUSALS_SHOWN = 10


@dataclass(frozen=True)
class Change:
    """What became of one element: the attributes that it has no more, and those that it has now, each (name, value)."""

    element: str
    before: tuple[tuple[str, str], ...]
    after: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Annotated:
    """A topology with other attributes, and nothing else changed.

    changes   in the order of sorts, then of the document
    selected  for each rule, how many elements it selected
    warnings  what its author should know
    """

    topology: Topology
    changes: tuple[Change, ...]
    selected: tuple[int, ...]
    warnings: tuple[Problem, ...]


def annotate_by_rules(topology: Topology, rules: tuple[Rule, ...]) -> Annotated:
    """The topology after all rules, each applied to what those before it made.

    Raises InputError with everything that is wrong: rules that select nothing, values that make no sense, and what would make a
    topology impossible to deploy that was not so before.
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
    """Rules being applied to a draft, and what there is to say about it."""

    def __init__(self, draft: Draft, structure: Structure):
        self._draft, self._structure = draft, structure
        self._characters = 0
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def apply(self, rule: Rule) -> int:
        """Apply one rule; how many elements it selected."""
        faults = len(self.problems)
        places = chosen(self._draft, self._structure, rule, self.problems)
        if not places and not rule.allow_none and len(self.problems) == faults:
            self.problems.append(rule.where.problem("selects nothing", self._there_is(rule) or "allow_none: true, if that is all right", "select"))
        self._remove(rule, places)
        for name in rule.set:
            self._remark(rule, "set", name)
            self._set(rule, name, places)
        return len(places)

    def _remove(self, rule: Rule, places: list[Place]) -> None:
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
                if rule.select.sort == EXPERIMENT and containers_name(pattern) == LATENCY_MODEL:
                    self.problems.append(rule.where.problem(f"{PREFIX}{LATENCY_MODEL} is always there", "set it to hop or path", "remove"))
        for place in places:
            self._draft.remove(place, unwanted)

    def _remark(self, rule: Rule, key: str, name: str) -> None:
        remark = name_remark(rule.select.sort, name)
        if remark:
            self.warnings.append(rule.where.problem(f"the attribute {name} {remark[0]}", remark[1], key, name))

    def _set(self, rule: Rule, name: str, places: list[Place]) -> None:
        found = values(self._draft, self._structure, rule, name, places, self.problems)
        self._characters += sum(len(value) for value in found if value is not None)
        if self._characters > MAX_BYTES:
            self.problems.append(rule.where.problem(f"all values together are longer than {MAX_BYTES // 2**20} MB", "shorter ones", "set", name))
            return
        faulty: Counter[str] = Counter()
        for place, value in zip(places, found):
            if value is None:
                continue
            self._draft.set(place, name, value)
            if value not in faulty:
                fault = value_fault(name, value)
                if fault:
                    faulty[value] = 1
                    if len(faulty) <= MOST_VALUES_SHOWN:
                        self.problems.append(rule.where.problem(*fault, "set", name))
        if len(faulty) > MOST_VALUES_SHOWN:
            self.problems.append(rule.where.problem(f"{len(faulty) - MOST_VALUES_SHOWN} more values like these", "", "set", name))

    def _there_is(self, rule: Rule) -> str:
        """What there is, for a rule that selects nothing."""
        there = [self._draft.name(place) for place in self._draft.places(rule.select.sort)]
        if not there:
            return f"there is no element of the sort {rule.select.sort}"
        return f"there are {_some(there)}" if rule.select.names else ""


def _some(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _changes(before: Draft, after: Draft) -> Iterable[Change]:
    for sort in (EXPERIMENT, *(sort for sort in SORTS if sort != EXPERIMENT)):
        for place in before.places(sort):
            old, new = _pairs(before, place), _pairs(after, place)
            if old != new:
                yield Change(after.label(place), *_difference(old, new))


def _pairs(draft: Draft, place: Place) -> list[tuple[str, str]]:
    attributes: tuple[Attribute, ...] = draft.at(place).attributes
    if place.sort == EXPERIMENT:
        attributes = (*attributes, Attribute(PREFIX + LATENCY_MODEL, draft.at(place).latency_model))
    return [(attribute.name, attribute.value) for attribute in attributes]


def _difference(old: list, new: list) -> tuple[tuple, tuple]:
    """(what is only in the old list, what is only in the new one), with repetitions."""
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
    """Warnings about what containerize would refuse as it stands: rules may still follow."""
    new = _new(_unplannable(annotated), _unplannable(before))
    found = [Problem(f"containerize would refuse it: {one.message}", one.file, one.line, one.element, one.hint) for one in new[:MOST_REFUSALS_SHOWN]]
    return found + ([Problem(f"{len(new) - MOST_REFUSALS_SHOWN} more like these", annotated.source)] if len(new) > MOST_REFUSALS_SHOWN else [])


def _new(after: tuple[Problem, ...], before: tuple[Problem, ...]) -> list[Problem]:
    known = set(before)
    return [problem for problem in after if problem not in known]
