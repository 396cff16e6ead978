# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of consistency between the parts of a topology after reading (spec/topdl.md "Consistency")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ..model import Computer, Interface, OtherElement, Substrate
from ..problem_log import ProblemLog
from ..scope import named, shown

_MOST_SUGGESTIONS = 10


class _Namespace:
    """A scope in which names are unique: the topology itself or one fragment.

    prefix  the start of the labels of its elements: "" or "fragment f, "
    """

    def __init__(self, problems: ProblemLog, substrates: Sequence[Substrate], elements: Sequence[Computer | OtherElement], prefix: str):
        self.problems = problems
        self.substrates = substrates
        self.elements = elements
        self.prefix = prefix
        self.suggestions = 0

    def label(self, element: Computer | OtherElement) -> str:
        kind = element.kind if isinstance(element, OtherElement) else "computer"
        return self.prefix + named(kind, element.name)

    def suggestion(self, wrong: str, right: Iterable[str]) -> str:
        """Return a hint with the closest known name. The search is slow, so only the first few get one."""
        self.suggestions += 1
        if self.suggestions > _MOST_SUGGESTIONS:
            return ""
        close = get_close_matches(wrong, right, n=1)
        return f"did you mean {shown(close[0])}?" if close else "every substrate needs a <substrates> of its own"


def check_names(problems: ProblemLog, substrates: Sequence[Substrate], elements: Sequence[Computer | OtherElement], fragment: str = "") -> None:
    """Log duplicate names and unknown substrates as errors, and unusual attachments as warnings.

    fragment  name of the fragment that is being checked. Its interfaces and substrates may be completed
              from outside, so missing members are not reported
    """
    namespace = _Namespace(problems, substrates, elements, named("fragment", fragment) + ", " if fragment else "")
    _check_unique(problems, [(namespace.prefix + named("substrate", substrate.name), substrate) for substrate in substrates])
    _check_unique(problems, [(namespace.label(element), element) for element in elements])
    members = _check_attachments(namespace)
    if not fragment:
        _warn_of_lonely_substrates(namespace, members)


def check_several_substrates(problems: ProblemLog, elements: Sequence[Computer | OtherElement]) -> None:
    """Log interfaces with more than one substrate as errors: version 2.0 does not allow them."""
    for element in elements:
        for interface in element.interfaces:
            if len(interface.substrates) > 1:
                label = named("computer" if isinstance(element, Computer) else element.kind, element.name)
                label = f"{label}, {named('interface', interface.name)}"
                problems.error(interface.line, label, "has more than one <substrate>, which TopDL 2.0 does not allow", "one interface for each substrate")


def _check_unique(problems: ProblemLog, labelled: Iterable[tuple[str, Substrate | Computer | OtherElement]]) -> None:
    first_lines: dict[str, int] = {}
    for label, item in labelled:
        if not item.name:
            continue
        if item.name in first_lines:
            problems.error(item.line, label, "this name is taken", f"the first to have it is in line {first_lines[item.name]}")
        else:
            first_lines[item.name] = item.line


def _check_attachments(namespace: _Namespace) -> Counter:
    """Return the number of members of each substrate, and log the errors of single interfaces."""
    known = {substrate.name for substrate in namespace.substrates}
    members: Counter = Counter()
    for element in namespace.elements:
        own: Counter = Counter()
        for interface in element.interfaces:
            own.update(interface.substrates)
            if interface.substrates and known.issuperset(interface.substrates):
                continue
            _report_attachment(namespace, element, interface, known)
        members.update(own)
        if isinstance(element, Computer) and not element.interfaces:
            namespace.problems.warn("computers without interfaces", element.line, namespace.label(element), "has no interface")
        for name, times in own.items():
            if times > 1:
                namespace.problems.warn("repeated attachments", element.line, namespace.label(element), f"is attached to substrate {name} {times} times")
    return members


def _report_attachment(namespace: _Namespace, element: Computer | OtherElement, interface: Interface, known: set[str]) -> None:
    label = f"{namespace.label(element)}, {named('interface', interface.name)}"
    if not interface.substrates and not namespace.prefix:
        namespace.problems.error(interface.line, label, "has no <substrate>", "name the substrate it is attached to")
    for name in interface.substrates:
        if name and name not in known:
            namespace.problems.error(interface.line, label, f"there is no substrate {shown(name)}", namespace.suggestion(name, known))


def _warn_of_lonely_substrates(namespace: _Namespace, members: Counter) -> None:
    for substrate in namespace.substrates:
        if members[substrate.name] < 2:
            number = "only one interface" if members[substrate.name] else "no interface"
            namespace.problems.warn("substrates with fewer than two interfaces", substrate.line, named("substrate", substrate.name), f"has {number}")
