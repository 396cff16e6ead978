# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code imports what the table of rooms in docs/walkthrough.md allows, lazy imports included."""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.delivery.archive import SHARED
from ansible_collections.deter.benito.plugins.module_utils.host.run.kinds import KIND_PARTS

ROOT = Path(__file__).parents[3]
PLUGINS = ROOT / "plugins"
PACKAGE = "ansible_collections.deter.benito.plugins"
ROW = re.compile(r"^\| `(?P<room>[\w/.]+)` \| (?P<about>[^|]+) \| (?P<imports>[^|]*) \|$", re.MULTILINE)
GROUND = ("errors", "names", "files", "commands", "hostplan", "file_lock", "clean_text")
TRAVELLING = tuple(name.removesuffix(".py") for name in SHARED)


def read_table() -> dict[str, list[str]]:
    """Return {room: rooms that it may import}, in the order of the page."""
    text = (ROOT / "docs" / "walkthrough.md").read_text(encoding="utf-8")
    rows = ROW.findall(text.partition("## Who may import whom")[2].partition("\n## ")[0])
    return {room: re.findall(r"`([\w/.]+)`", imports) for room, _about, imports in rows}


def read_imports() -> dict[str, set[str]]:
    """Return {file below plugins/, without .py: files and external packages that it imports}, imports inside functions included."""
    paths = {path.relative_to(PLUGINS).with_suffix("").as_posix(): path for path in PLUGINS.rglob("*.py") if path.name != "__init__.py"}
    found = {name: set(_imported(name, path, paths)) for name, path in paths.items()}
    found["module_utils/host/run/kinds"] |= {f"module_utils/host/{module.replace('.', '/')}" for module in _modules_of_kinds()}
    return found


def _modules_of_kinds() -> set[str]:
    """Return the modules that the table of kinds imports by name."""
    return {function.args[0] for part in KIND_PARTS for function in (part.apply, part.remove, part.status, part.reboot, part.texts, part.signs) if function}


def _imported(name: str, path: Path, paths: dict[str, Path]):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (f"external {alias.name.partition('.')[0]}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(name, node)
            for alias in node.names if base is not None else ():
                module = f"{base}/{alias.name}".strip("/")
                yield module if module in paths else base
            if base is None:
                yield f"external {(node.module or '').partition('.')[0]}"


def _base(name: str, node: ast.ImportFrom) -> str | None:
    """Return the module imported from as a path below plugins/, or None for other packages."""
    if node.level:
        folder = name.split("/")[: -node.level]
        return "/".join([*folder, *(node.module or "").split(".")]).strip("/")
    module = node.module or ""
    return module[len(PACKAGE) + 1 :].replace(".", "/") if module.startswith(f"{PACKAGE}.") else None


TABLE = read_table()
IMPORTS = read_imports()


def room_of(file: str) -> str:
    """Return the room of a file: the longest name in the table with which its path begins."""
    short = file.removeprefix("module_utils/") if file.startswith("module_utils/") else f"plugins/{file}"
    rooms = [room for room in TABLE if short == room or short.startswith(f"{room}/")]
    assert rooms, f"{file} is in no room of the table in docs/walkthrough.md"
    return max(rooms, key=len)


def arrows() -> dict[str, dict[str, str]]:
    """Return {room: {imported room: an import that proves it}}."""
    found: dict[str, dict[str, str]] = {room: {} for room in TABLE}
    for file, imported in IMPORTS.items():
        for other in sorted(imported):
            if not other.startswith("external ") and room_of(other) not in (room_of(file), *GROUND):
                found[room_of(file)].setdefault(room_of(other), f"{file} imports {other}")
    return found


def test_every_file_has_a_room_and_every_room_has_files():
    assert {room_of(file) for file in IMPORTS} == set(TABLE)


@pytest.mark.parametrize("room", TABLE)
def test_room_imports_exactly_the_rooms_that_the_table_names(room):
    found = arrows()[room]
    assert set(found) == set(TABLE[room]), found


@pytest.mark.parametrize("room", TABLE)
def test_room_imports_only_rooms_above_it_in_the_table(room):
    above = list(TABLE)[: list(TABLE).index(room)]
    assert set(TABLE[room]) <= set(above)


def test_imports_form_no_circle():
    graph = {file: [other for other in imported if not other.startswith("external ")] for file, imported in IMPORTS.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as exc:
        pytest.fail(" imports ".join(reversed(exc.args[1])))


def test_code_for_vhosts_imports_only_the_standard_library():
    for file, imported in IMPORTS.items():
        if room_of(file).split("/")[0] in ("host", *TRAVELLING):
            external = {other.removeprefix("external ") for other in imported if other.startswith("external ")}
            assert external <= sys.stdlib_module_names, file


def test_host_code_imports_only_what_is_sent_to_the_host():
    for file, imported in IMPORTS.items():
        if room_of(file).startswith("host/"):
            assert {room_of(other) for other in imported if not other.startswith("external ")} & set(GROUND) <= set(TRAVELLING), file


def test_planning_code_does_not_import_ansible():
    importing = {room_of(file).split("/")[0] for file, imported in IMPORTS.items() if "external ansible" in imported}
    assert importing <= {"benito_module", "images", "plugins"}


def test_every_file_and_folder_that_the_page_names_exists():
    text = (ROOT / "docs" / "walkthrough.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w-]+/)*[\w-]+(?:\.py|\.yml|/))`", text))
    paths = [path for folder in ("plugins", "playbooks", "tests") for path in (ROOT / folder).rglob("*")]
    there = {f"/{path.relative_to(ROOT).as_posix()}{'/' if path.is_dir() else ''}" for path in paths}
    assert not [name for name in named if not any(path.endswith(f"/{name}") for path in there) and name != "route/"]
