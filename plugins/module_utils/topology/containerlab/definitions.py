# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a containerlab node: its own, those of its group, of its kind, and the defaults, in this order.

Source: https://containerlab.dev/manual/topo-def-file/ and types/topology.go of containerlab.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..imports.yaml_source import Mapping, Sequence, Text
from ..problem_log import ProblemLog
from ..scope import shown

MOST_KEYS = 200
LONGEST_TEXT = 256


@dataclass(frozen=True)
class Definition:
    """A node's layers of settings, the nearest first."""

    layers: tuple[Mapping, ...]

    def text(self, key: str) -> str:
        """Return the nearest value of ``key``, "" if there is none."""
        return next((text for layer in self.layers if (text := text_of(layer, key))), "")

    def texts(self, key: str) -> list[Text]:
        """Return the concatenated lists of all layers, the farthest first."""
        found: list[Text] = []
        for layer in reversed(self.layers):
            value = layer.items.get(key)
            found += [item for item in value.items if isinstance(item, Text)] if isinstance(value, Sequence) else []
        return found

    def keys(self) -> list[str]:
        """Return all keys that any layer sets."""
        said = (key for layer in self.layers for key, value in layer.items.items() if not (isinstance(value, Text) and value.is_null))
        return list(dict.fromkeys(said))


class Definitions:
    """The definitions of one topology."""

    _TEXTS = ("kind", "group", "image", "type", "memory", "cpu")

    def __init__(self, topology: Mapping, problems: ProblemLog):
        self.problems = problems
        self.defaults = mapping_of(topology, "defaults", problems)
        self.kinds = self._each(mapping_of(topology, "kinds", problems), "kind")
        self.groups = self._each(mapping_of(topology, "groups", problems), "group")
        self._check(self.defaults, "defaults")

    def _each(self, named: Mapping, what: str) -> dict[str, Mapping]:
        found = {name: mapping_of(named, name, self.problems) for name in named.items}
        for name, layer in found.items():
            self._check(layer, f"{what} {shown(name)}")
        return found

    def of_node(self, own: Mapping, label: str) -> Definition:
        self._check(own, label)
        group = self.groups.get(text_of(own, "group"))
        kind = next((kind for layer in (own, group, self.defaults) if layer and (kind := text_of(layer, "kind"))), "")
        if group is None:
            group = self.groups.get(next((text for layer in (self.kinds.get(kind), self.defaults) if layer and (text := text_of(layer, "group"))), ""))
        return Definition(tuple(layer for layer in (own, group, self.kinds.get(kind), self.defaults) if layer))

    def kind_of(self, definition: Definition) -> str:
        """Return the node's kind in lower case, ignoring the layers of kinds: a kind does not define a kind."""
        layers = [layer for layer in definition.layers if layer not in self.kinds.values()]
        return Definition(tuple(layers)).text("kind").lower()

    def _check(self, layer: Mapping, label: str) -> None:
        if len(layer.items) > MOST_KEYS:
            self.problems.error(layer.line, label, f"says more than {MOST_KEYS} things", "is it a node?")
            self.problems.raise_errors()
        for key in self._TEXTS:
            value = layer.items.get(key, Text("", 0))
            if isinstance(value, Text) and len(value.text) > LONGEST_TEXT:
                self.problems.error(line_of(layer, key), label, f"{key} is longer than {LONGEST_TEXT} characters")
            if not isinstance(value, Text):
                self.problems.error(line_of(layer, key), label, f"{key} is not a text", f"{key}: …")
        value = layer.items.get("exec", Text("", 0))
        bad = not isinstance(value, Sequence) if not (isinstance(value, Text) and value.is_null) else False
        if bad or isinstance(value, Sequence) and not all(isinstance(item, Text) for item in value.items):
            self.problems.error(line_of(layer, "exec"), label, "exec is not a list of commands", "exec: [COMMAND, COMMAND]")


def text_of(mapping: Mapping, key: str) -> str:
    value = mapping.items.get(key)
    return value.text[:LONGEST_TEXT].strip() if isinstance(value, Text) and not value.is_null else ""


def line_of(mapping: Mapping, key: str) -> int:
    return abs(mapping.lines.get(key, mapping.line))


def mapping_of(mapping: Mapping, key: str, problems: ProblemLog) -> Mapping:
    """Return the mapping below ``key``. A missing one is empty; anything else is logged as an error."""
    value = mapping.items.get(key)
    if isinstance(value, Mapping):
        return value
    line = line_of(mapping, key)
    if value is not None and not (isinstance(value, Text) and value.is_null):
        problems.error(line, shown(key), "is not a mapping", "below it, indented, NAME: VALUE")
    return Mapping(line)
