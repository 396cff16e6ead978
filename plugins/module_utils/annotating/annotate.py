# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation of topdl_annotate: it applies rules to a topology and returns a TopDL file, or reports all errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..errors import BenitoError, InputError, Problem
from ..files import replace_file
from ..topology.ns.units import PROFILES
from ..topology.readers import TOPDL, Input, read_input
from ..topology.scope import shown
from ..topology.topdl.reader import LEFT_OUT
from ..topology.topdl.writer import write_topdl
from ..topology.writers import TOPDL as WRITTEN
from ..topology.writers import output_form
from ..topology.xml_source import MAX_BYTES
from .applying import Annotated, Change, annotate_by_rules
from .rule_reader import RULE_KEYS, SELECT_KEYS, RuleError, rules_of_data, rules_of_file, single_rule
from .rules import Rule

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """The user's request, unchanged.

    topology  the file's path, relative to ``chdir``
    rules     a list of rules, or the path of a file of rules; None if ``rule`` is the only rule
    rule      {key of a rule or of its select: value, None if not given}
    out       the path of the output file, None for one beside the topology
    in_place  whether to change the topology itself
    profile   the rules for NS files
    chdir     the folder of relative paths, "" for the working directory
    """

    topology: str
    rules: object = None
    rule: dict = field(default_factory=dict)
    out: str | None = None
    in_place: bool = False
    profile: str = "default"
    chdir: str = ""


@dataclass(frozen=True)
class Annotation:
    """An output file ready to be written.

    source    the topology as the user named it
    out       the output file as the user would name it
    path      the real path of the output file
    text      its content
    changed   whether the file does not exist yet or differs
    """

    source: str
    out: str
    path: str
    text: bytes
    changed: bool
    annotated: Annotated
    warnings: tuple[Problem, ...]

    def write(self) -> None:
        """Write the file atomically; an existing one keeps its owner and mode. Raises BenitoError."""
        try:
            replace_file(self.path, self.text, like_before=True)
        except OSError as exc:
            raise BenitoError(f"{self.out}: cannot be written: {exc.strerror or exc}") from exc

    def message(self, would: bool = False) -> str:
        """Return the final message for the user."""
        changes = self.annotated.changes
        count = sum(max(len(change.before), len(change.after)) for change in changes)
        what = f"{_counted(count, 'attribute')} of {_counted(len(changes), 'element')} {'differs' if count == 1 else 'differ'} from {self.source}"
        if not self.changed:
            return f"{what if changes else 'No attribute differs from ' + self.source}; {self.out} is as it should be."
        return f"{what if changes else 'No attribute differs from ' + self.source}; {self.out} {'would be' if would else 'is'} written."

    def elements(self) -> dict[str, dict[str, str | None]]:
        """Return {element: {attribute: its new value, None if removed}} of the differences from the topology."""
        return {change.element: {**dict.fromkeys(name for name, _value in change.before), **dict(reversed(change.after))} for change in self.annotated.changes}

    def diff(self) -> dict[str, str]:
        """Return the differing attributes before and after, one per line, as a diff for Ansible."""
        return {
            "before_header": self.source,
            "after_header": self.out,
            "before": "".join(_lines(change, change.before) for change in self.annotated.changes),
            "after": "".join(_lines(change, change.after) for change in self.annotated.changes),
        }


def prepare(request: Request) -> Annotation:
    """Return the annotation, ready to be written. Raises InputError with all errors in the topology, the rules and the output path."""
    faults: list[Problem] = []

    def collect_rules() -> tuple[Rule, ...]:
        try:
            return _rules(request)
        except RuleError as exc:
            faults.extend(exc.problems)
            return tuple(replace(rule, allow_none=True) for rule in exc.sound)  # their selection may depend on the faulty rules

    def collect(step: Callable[[], T]) -> T | None:
        try:
            return step()
        except InputError as exc:
            faults.extend(exc.problems)
            return None

    rules = collect(collect_rules)
    out = collect(lambda: _out(request))
    given = collect(lambda: _read(request))
    collect(lambda: _refuse_other_format_in_place(request, given))
    annotated = collect(lambda: annotate_by_rules(given.topology, rules)) if rules and given else None
    path = _path(request, out) if out else ""
    there = collect(lambda: _there(path, out)) if out and not request.in_place else None
    if faults or given is None or annotated is None or out is None:
        raise InputError(faults)
    text = write_topdl(annotated.topology).encode()
    if len(text) > MAX_BYTES:
        raise InputError(Problem(f"would be larger than {MAX_BYTES // 2**20} MB", out))
    same_file = given.form is TOPDL and os.path.realpath(path) == os.path.realpath(_path(request, request.topology))
    changed = bool(annotated.changes) if same_file else there != text
    lost = _lost_in_place(given) if same_file and changed else ()
    return Annotation(request.topology, out, os.path.realpath(path), text, changed, annotated, (*given.warnings, *annotated.warnings, *lost))


def _refuse_other_format_in_place(request: Request, given: Input | None) -> None:
    if given and request.in_place and given.form is not TOPDL:
        message = f"a file of the format {given.form.name} cannot be changed in place: what is written is TopDL"
        raise InputError(Problem(message, request.topology, element="in_place", hint="out=FILE.xml"))


def _lost_in_place(given: Input) -> tuple[Problem, ...]:
    """Return a warning if the file's comments will be lost. Raises InputError if the topology is part of a larger document."""
    source = given.topology.source
    if any(warning.message.endswith(LEFT_OUT) for warning in given.warnings):
        raise InputError(Problem("what is around the topology would be lost", source, hint="out=FILE instead of in_place"))
    return (Problem("its comments are not kept", source),) if b"<!--" in given.text else ()


def _rules(request: Request) -> tuple[Rule, ...]:
    alone = {key: value for key, value in request.rule.items() if value is not None}
    if request.rules is not None and alone:
        raise InputError(Problem("rules are given, too", element=", ".join(alone), hint="either rules, or one rule by options of their own"))
    if isinstance(request.rules, str):
        return rules_of_file(_path(request, request.rules), request.rules)
    if request.rules is not None:
        return rules_of_data(request.rules)
    select = {key: alone[key] for key in SELECT_KEYS if key in alone}
    return single_rule({**{key: alone[key] for key in RULE_KEYS if key in alone}, "select": select})


def _read(request: Request) -> Input:
    if request.profile not in PROFILES:
        raise InputError(Problem(f"{shown(request.profile)} is not allowed", element="ns_profile", hint=f"one of {', '.join(PROFILES)}"))
    return read_input(_path(request, request.topology), request.topology, request.profile)


def _out(request: Request) -> str:
    """Return the output file as the user would name it. Raises InputError if the request is invalid."""
    if request.in_place:
        if request.out is not None:
            raise InputError(Problem("out and in_place cannot both be", element="in_place"))
        return request.topology
    if request.out is None:
        return os.path.splitext(request.topology)[0] + "-annotated.xml"
    if output_form(request.out) is not WRITTEN:
        raise InputError(Problem(f"{shown(request.out)} is no name for a TopDL file", element="out", hint="such as lab.xml"))
    return request.out


def _there(path: str, out: str) -> bytes | None:
    """Return the content of an existing output file, None if there is none.

    Raises InputError if the file is not TopDL, or if its folder does not exist.
    """
    if not os.path.lexists(path):
        if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            raise InputError(Problem("cannot be written: there is no such folder", out))
        return None
    foreign = Problem("is there and is no TopDL file; it is not overwritten", out, hint="another name for out")
    try:
        given = read_input(path, out)
    except InputError as exc:
        raise InputError(foreign) from exc
    if given.form is not TOPDL:
        raise InputError(foreign)
    return given.text


def _path(request: Request, path: str) -> str:
    return os.path.join(request.chdir, os.path.expanduser(path))


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _lines(change: Change, pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{change.element}: {name} = {_one_line(value)}\n" for name, value in pairs)


def _one_line(value: str) -> str:
    return value if value.isprintable() else repr(value)
