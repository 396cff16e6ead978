# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One family of errors: whatever the collection raises of its own is caught at its doors as a BenitoError."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

PLUGINS = Path(__file__).parents[2] / "plugins"
FOREIGN = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}


def classes() -> dict[str, tuple[Path, set[str]]]:
    """{name of a class in plugins: its file, the names of its bases}."""
    found = {}
    for path in PLUGINS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name] = (path, {ast.unparse(base).rpartition(".")[2] for base in node.bases})
    return found


def descendants(of: set[str], known: dict[str, tuple[Path, set[str]]]) -> set[str]:
    """The names of the classes that derive from one of these, at whatever distance."""
    found = set(of)
    while more := {name for name, (_path, bases) in known.items() if bases & found} - found:
        found |= more
    return found - of


def test_every_exception_of_the_collection_is_of_the_family():
    known = classes()
    exceptions, family = descendants(FOREIGN | {"AnsibleError"}, known), descendants({"BenitoError"}, known)
    assert {"InputError", "ExperimentError", "HostError", "RuleError"} <= family
    assert {name: known[name][0].name for name in exceptions - family - {"BenitoError"}} == {}
