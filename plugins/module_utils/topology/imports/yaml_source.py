# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Safe parsing of YAML files to mappings, sequences and texts with their lines.

It builds them from PyYAML's events and never creates Python objects. Application tags, duplicate keys, recursive aliases, aliases that expand
too far, and deep nesting are errors. Every scalar stays a text; its reader interprets it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...errors import BenitoError
from ..problem_log import ProblemLog
from ..scope import shown
from ..topdl.writer import NOT_XML

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]  # reported where a file is read

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 32
_TOO_DEEP = f"is nested more than {MAX_DEPTH} deep"
# Maximum number of mappings, sequences and texts in a file; those that an alias repeats count each time.
MOST_PARTS = 1_000_000
_NULLS = ("", "~", "null", "Null", "NULL")
_STANDARD_TAG = "tag:yaml.org,2002:"
_STANDARD = frozenset(_STANDARD_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp"))


@dataclass(eq=False)
class Text:
    """A scalar; ``plain`` means that it has no quotes."""

    text: str
    line: int
    plain: bool = True
    size: int = 1

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS


@dataclass(eq=False)
class Sequence:
    line: int
    items: list = field(default_factory=list)
    size: int = 1


@dataclass(eq=False)
class Mapping:
    """A mapping: items is {key: value} in the file's order, lines is {key: line}."""

    line: int
    items: dict = field(default_factory=dict)
    lines: dict = field(default_factory=dict)
    size: int = 1


def load_yaml(data: bytes, problems: ProblemLog) -> Any:
    """Return the file's only document; None if it has none, or if errors were logged. Raises BenitoError if PyYAML is not installed."""
    if yaml is None:
        raise BenitoError("reading YAML needs the Python library PyYAML: install it with 'pip install PyYAML'")
    if len(data) > MAX_BYTES:
        problems.error(0, "", f"is larger than {MAX_BYTES // 2**20} MB", "is it a topology?")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.error(data.count(b"\n", 0, error.start) + 1, "", "is not UTF-8 here", "this is not a text file, or it is damaged")
        return None
    unprintable = NOT_XML.search(text)
    if unprintable:
        line = text.count("\n", 0, unprintable.start()) + 1
        problems.error(line, "", f"contains the character U+{ord(unprintable.group()):04X}", "this is not a text file, or it is damaged")
        return None
    builder = _Builder(problems)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if not builder.take(event):
                return None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        if "nesting depth" in str(what):  # newer versions of libyaml have a limit of their own
            problems.error(mark.line + 1 if mark else 0, "", _TOO_DEEP)
            return None
        templated = "{{" in text
        hint = "a template (.gotmpl) has to be rendered first" if templated else ""
        problems.error(mark.line + 1 if mark else 0, "", f"is not YAML: {' '.join(str(what).split())}", hint)
        return None
    return builder.root


class _Builder:
    """A builder of the tree from the events, without recursion."""

    def __init__(self, problems: ProblemLog):
        self.problems = problems
        self.root = None
        self._open: list = []  # (collection, key waiting for its value or None, line of that key)
        self._anchors: dict = {}
        self._parts = 0

    def take(self, event: Any) -> bool:
        """Process one event; return whether to continue."""
        line = event.start_mark.line + 1
        kind = type(event).__name__
        if kind == "DocumentStartEvent" and self.root is not None:
            return self._refuse(line, "a second document begins here", "one topology for each file")
        if kind == "AliasEvent":
            return self._alias(event.anchor, line)
        if kind not in ("ScalarEvent", "SequenceStartEvent", "MappingStartEvent", "SequenceEndEvent", "MappingEndEvent"):
            return True
        if kind in ("SequenceEndEvent", "MappingEndEvent"):
            collection, _key, _line = self._open.pop()
            return self._put(collection, line)
        if event.tag is not None and event.tag not in _STANDARD and event.tag != "!":
            return self._refuse(line, f"the tag {shown(event.tag)} is not accepted", "plain YAML")
        if not self._counted(1, line):
            return False
        if kind == "ScalarEvent":
            thing = Text(event.value, line, not event.style and event.implicit[0])
            return self._anchor(event, thing) and self._sound(thing) and self._put(thing, line)
        if len(self._open) >= MAX_DEPTH:
            return self._refuse(line, _TOO_DEEP)
        opened = Sequence(line) if kind == "SequenceStartEvent" else Mapping(line)
        self._open.append((opened, None, 0))
        return self._anchor(event, opened)

    def _refuse(self, line: int, message: str, hint: str = "") -> bool:
        self.problems.error(line, "", message, hint)
        return False

    def _anchor(self, event: Any, thing: Any) -> bool:
        if event.anchor is not None:
            self._anchors[event.anchor] = thing
        return True

    def _sound(self, thing: Text) -> bool:
        bad = NOT_XML.search(thing.text)
        return not bad or self._refuse(thing.line, f"{shown(thing.text)} holds the character U+{ord(bad.group()):04X}, which TopDL cannot carry")

    def _alias(self, name: str, line: int) -> bool:
        thing = self._anchors.get(name)
        if thing is None:
            return self._refuse(line, f"there is no anchor {shown(name)}", f"&{name} stands before *{name}")
        if any(thing is collection for collection, _key, _line in self._open):
            return self._refuse(line, f"the alias {shown(name)} is part of what it stands for")
        return self._counted(thing.size, line) and self._put(thing, line)

    def _counted(self, parts: int, line: int) -> bool:
        self._parts += parts
        return self._parts <= MOST_PARTS or self._refuse(line, f"has more than {MOST_PARTS:,} parts", "what aliases repeat counts each time")

    def _put(self, thing: Any, line: int) -> bool:
        """Add a complete value to the innermost open collection; return whether to continue."""
        if not self._open:
            self.root = thing
            return True
        collection, key, key_line = self._open[-1]
        collection.size += thing.size
        if isinstance(collection, Sequence):
            collection.items.append(thing)
        elif key is None:
            if not isinstance(thing, Text):
                return self._refuse(line, "a key has to be a text")
            self._open[-1] = (collection, thing.text, line)
        else:
            self._open[-1] = (collection, None, 0)
            self._entry(collection, key, key_line, thing)
        return True

    def _entry(self, mapping: Mapping, key: str, line: int, value: Any) -> None:
        if key == "<<":
            self._merge(mapping, line, value)
        elif key in mapping.items and mapping.lines[key] > 0:
            hint = f"the first one is in line {mapping.lines[key]}"
            self.problems.error(line, "", f"{shown(key)} is given twice in one place", hint)
        else:
            mapping.items[key] = value
            mapping.lines[key] = line

    def _merge(self, mapping: Mapping, line: int, value: Any) -> None:
        """Apply ``<<: *anchor``: add the keys that the mapping lacks. A line below 0 marks a merged key."""
        for other in value.items if isinstance(value, Sequence) else [value]:
            if not isinstance(other, Mapping):
                self.problems.error(line, "", "<< takes a mapping, or a list of them", "<<: *anchor")
                return
            for key, inner in other.items.items():
                if key not in mapping.items:
                    mapping.items[key] = inner
                    mapping.lines[key] = -abs(other.lines[key])
