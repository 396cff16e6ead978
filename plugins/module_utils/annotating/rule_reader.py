# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversion of plain data, as given in YAML or on a command line, to rules. All errors are reported at once, with their locations."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from ..embedding.kinds import ALLOWED, kind_named
from ..errors import InputError, Problem
from ..settings.option_syntax import truth
from ..topology.scope import XML_SPACE, shown
from ..topology.topdl.writer import NOT_XML
from .applying import MOST_RULES
from .checking import written_name
from .patterns import LONGEST
from .rule_file import read_rule_file
from .rules import COMPUTER, CYCLE, EACH, ELEMENT_TYPES, EXPERIMENT, SPREAD, Range, Rule, Select, Value, Where
from .selecting import MEANINGFUL
from .values import PLACEHOLDERS, used

SELECT_KEYS = ("element", "name", "regex", "except", "kind", "degree", "neighbours", "substrate", "computer", "has", "lacks")
RULE_KEYS = ("select", "set", "remove", "allow_none")
_VALUE_KEYS = ("text", "literal", CYCLE, SPREAD, EACH, "of")
_MOST = 1_000_000
_SELECT_HINT = "like {name: 'n-*'}; {name: '*'} for all computers"


class RuleError(InputError):
    """An error about invalid rules. ``sound`` has the valid ones, so that their effect can be checked in the same run."""

    def __init__(self, problems: list[Problem], sound: tuple[Rule, ...]):
        super().__init__(problems)
        self.sound = sound


def rules_of_file(path: str, source: str) -> tuple[Rule, ...]:
    """Return the rules of a file, which is a list of rules or has that list as ``rules``. Raises InputError."""
    data, lines = read_rule_file(path, source)
    if isinstance(data, dict) and list(data) == ["rules"]:
        return _rules(data["rules"], Where(source, lines, ("rules",)))
    return _rules(data, Where(source, lines))


def rules_of_data(data: Any) -> tuple[Rule, ...]:
    """Return the rules of a list of maps. Raises InputError."""
    return _rules(data, Where())


def single_rule(data: dict) -> tuple[Rule, ...]:
    """Return the only rule, given as a map of separate options. Raises InputError."""
    reader = _Reader(Where())
    rule = reader.rule(data)
    if reader.problems:
        raise InputError(reader.problems)
    return (rule,)


def _rules(data: Any, where: Where) -> tuple[Rule, ...]:
    if not isinstance(data, list) or not data:
        raise InputError(where.problem("is not a list of rules", "- select: {name: 'n-*'}"))
    if len(data) > MOST_RULES:
        raise InputError(where.problem(f"has {len(data):,} rules", f"at most {MOST_RULES:,}"))
    found: list[Rule] = []
    problems: list[Problem] = []
    for number, one in enumerate(data):
        reader = _Reader(Where(where.file, where.lines, (*where.path, number), f"rule {number + 1}"))
        rule = reader.rule(one)
        problems += reader.problems
        if not reader.problems:
            found.append(rule)
    if problems:
        raise RuleError(problems, tuple(found))
    return tuple(found)


class _Reader:
    """A rule being read."""

    def __init__(self, where: Where):
        self._where = where
        self.problems: list[Problem] = []

    def wrong(self, message: str, hint: str = "", *keys: str | int) -> None:
        self.problems.append(self._where.problem(message, hint, *keys))

    def rule(self, data: Any) -> Rule:
        """Return the rule. If it is invalid, ``problems`` is not empty and the result is only partial."""
        data = self._map(data, RULE_KEYS)
        if not data.get("set") and not data.get("remove"):
            self.wrong("neither sets nor removes anything", "set: {ATTRIBUTE: VALUE} or remove: ATTRIBUTE")
        allow = truth(data.get("allow_none", False))
        if not isinstance(allow, bool):
            self.wrong(f"{_short(data['allow_none'])} is not true or false", "", "allow_none")
        return Rule(self._select(data.get("select")), self._set(data.get("set")), self._names(data.get("remove"), "remove"), allow is True, self._where)

    # --- select ----------------------------------------------------------------------------------

    def _select(self, data: Any) -> Select:
        if not data:
            self.wrong("selects nothing in particular", _SELECT_HINT, "select")
            return Select()
        data = self._map(data, SELECT_KEYS, "select")
        element_type = data.get("element", COMPUTER)
        if element_type not in ELEMENT_TYPES:
            self.wrong(f"{_short(element_type)} is not a type of element", f"one of {', '.join(ELEMENT_TYPES)}", "select", "element")
            element_type = COMPUTER
        self._refuse_meaningless(data, element_type)
        return Select(
            element_type=element_type,
            names=self._words(data.get("name"), "select", "name"),
            regex=self._text(data.get("regex", ""), "select", "regex", most=LONGEST),
            exceptions=self._words(data.get("except"), "select", "except"),
            kinds=self._kinds(data.get("kind")),
            degree=self._range(data.get("degree"), "select", "degree"),
            neighbours=self._range(data.get("neighbours"), "select", "neighbours"),
            substrates=self._words(data.get("substrate"), "select", "substrate"),
            computers=self._words(data.get("computer"), "select", "computer"),
            has=self._conditions(data.get("has"), "has"),
            lacks=self._conditions(data.get("lacks"), "lacks"),
        )

    def _refuse_meaningless(self, data: dict, element_type: str) -> None:
        always = ("element", "has", "lacks") if element_type == EXPERIMENT else ("element", "name", "regex", "except", "has", "lacks")
        meaningful = (*always, *MEANINGFUL.get(element_type, ()))
        for key in data:
            if key in SELECT_KEYS and key not in meaningful and element_type in ELEMENT_TYPES:
                self.wrong(f"says nothing about elements of type {element_type}", f"these do: {', '.join(meaningful[1:])}", "select", key)

    def _kinds(self, data: Any) -> tuple[str, ...]:
        found = []
        for word in self._words(data, "select", "kind"):
            kind = kind_named(word)
            if kind is None:
                self.wrong(f"{_short(word)} is no container kind", ALLOWED, "select", "kind")
            found.append(kind or word)
        return tuple(found)

    def _range(self, data: Any, *keys: str | int) -> Range | None:
        if data is None:
            return None
        if not isinstance(data, dict):
            number = self._number(data, 0, *keys)
            return Range(number, number)
        data = self._map(data, ("min", "max"), *keys)
        least = self._number(data.get("min", 0), 0, *keys, "min")
        most = None if data.get("max") is None else self._number(data["max"], 0, *keys, "max")
        if most is not None and most < least:
            self.wrong(f"from {least} to {most} there is no number", "", *keys)
        return Range(least, most)

    def _conditions(self, data: Any, key: str) -> tuple[tuple[str, str | None], ...]:
        """Parse attributes given as a name, a list of names, or a map of names to globs of values."""
        if not isinstance(data, dict):
            return tuple((name, None) for name in self._names(data, "select", key))
        return tuple((name, self._text(pattern, "select", key, name)) for name, pattern in data.items())

    # --- set and remove --------------------------------------------------------------------------

    def _set(self, data: Any) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for name, value in (self._map(data, None, "set") if data else {}).items():
            name = name.strip(XML_SPACE)
            if not name or NOT_XML.search(name):
                self.wrong(f"{_short(name)} cannot be the name of an attribute", "", "set", name)
            written = written_name(name)
            if written in found:
                self.wrong(f"is the same attribute as {written}, which is set too", "set it once", "set", name)
            found[written] = self._value(value, name)
        return found

    def _value(self, data: Any, name: str) -> Value:
        keys = ("set", name)
        if not isinstance(data, dict):
            value = Value(self._text(data, *keys))
        else:
            value = self._distribution(self._map(data, _VALUE_KEYS, *keys), keys)
        if "value" in used(value) and not value.how:
            self.wrong("{value} has a meaning only where values are distributed", "with cycle, spread or each", *keys)
        return value

    def _distribution(self, data: dict, keys: tuple) -> Value:
        hows = [how for how in (CYCLE, SPREAD, EACH) if how in data]
        if "literal" in data:
            if len(data) > 1:
                self.wrong("literal stands alone", "text may have placeholders: " + ", ".join(f"{{{name}}}" for name in PLACEHOLDERS), *keys)
            return Value(self._text(data["literal"], *keys, "literal"), literal=True)
        if len(hows) > 1 or not hows and "text" not in data:
            self.wrong(f"is to be one of {', '.join(_VALUE_KEYS[:5])}", "", *keys)
            return Value()
        if "of" in data and hows != [EACH]:
            self.wrong("of belongs to each", f"{hows[0]}: [a, b]" if hows else "each: 10", *keys, "of")
        text = self._text(data.get("text", "{value}"), *keys, "text") if hows else self._text(data["text"], *keys, "text")
        if not hows:
            return Value(text)
        how = hows[0]
        if how == EACH:
            of = self._list(data["of"], *keys, "of") if "of" in data else None
            return Value(text, how=how, values=of, size=self._number(data[how], 1, *keys, how))
        if isinstance(data[how], (list, tuple)):
            return Value(text, how=how, values=self._list(data[how], *keys, how))
        return Value(text, how=how, size=self._number(data[how], 1, *keys, how))

    # --- parts -------------------------------------------------------------------------------------

    def _map(self, data: Any, allowed: Sequence[str] | None, *keys: str | int) -> dict:
        """Return the map with its keys as texts. Only keys in ``allowed`` are valid; None allows any."""
        known = allowed or ()
        if not isinstance(data, dict):
            message = "has no content" if data is None else f"{_short(data)} is not a map"
            self.wrong(message, f"a map of {', '.join(known) or 'attributes and values'}", *keys)
            return {}
        found = {str(key): value for key, value in data.items()}
        for key in found if known else ():
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                self.wrong("there is no such key", f"perhaps {near[0]}" if near else f"there are {', '.join(known)}", *keys, key)
        return found

    def _text(self, data: Any, *keys: str | int, most: int = _MOST) -> str:
        if isinstance(data, bool):
            return str(data).lower()
        if isinstance(data, (int, float)):
            return str(data)
        if not isinstance(data, str):
            hint = "'' for an empty value; remove: takes an attribute away" if data is None else "in quotes, if it is to be one"
            self.wrong("has no value" if data is None else f"{_short(data)} is not a text", hint, *keys)
            return ""
        if len(data) > most:
            self.wrong(f"is longer than {most:,} characters", "", *keys)
            return ""
        return str(data)

    def _words(self, data: Any, *keys: str | int) -> tuple[str, ...]:
        """Parse words given as a list, or as a text with commas between them."""
        if data is None:
            return ()
        parts = data if isinstance(data, (list, tuple)) else self._text(data, *keys).split(",")
        found = tuple(self._text(part, *keys, *([number] if part is not data else [])).strip() for number, part in enumerate(parts))
        if not found or not all(found):
            self.wrong("has an empty word", "", *keys)
        return found

    def _names(self, data: Any, *keys: str | int) -> tuple[str, ...]:
        """Parse names of attributes given as a list or a text."""
        if data is None:
            return ()
        found = tuple(self._text(part, *keys).strip(XML_SPACE) for part in (data if isinstance(data, (list, tuple)) else [data]))
        if not found or not all(found):
            self.wrong("has an empty name", "", *keys)
        return found

    def _list(self, data: Any, *keys: str | int) -> tuple[str, ...]:
        if not isinstance(data, (list, tuple)) or not data:
            self.wrong(f"{_short(data)} is not a list of values", "[a, b]", *keys)
            return ("",)
        return tuple(self._text(part, *keys, number) for number, part in enumerate(data))

    def _number(self, data: Any, least: int, *keys: str | int) -> int:
        text = data.strip() if isinstance(data, str) else data
        if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10:
            text = int(text)
        if not isinstance(text, int) or isinstance(text, bool) or not least <= text <= _MOST:
            self.wrong(f"{_short(data)} is not a number", f"from {least} to {_MOST:,}", *keys)
            return least
        return text


def _short(data: Any) -> str:
    """Return the given data in a short form for a message."""
    return shown(data if isinstance(data, str) else json.dumps(data, default=str)) if isinstance(data, (str, list, tuple, dict)) else repr(data)
