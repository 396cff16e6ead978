# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests lie where the code that they are about lies: a folder of tests for a room of module_utils, and for nothing else."""

from __future__ import annotations

from pathlib import Path

UNIT = Path(__file__).parent
ROOMS = UNIT.parents[1] / "plugins/module_utils"
OTHERS = {
    "benito": "the package beside the plugins",
    "docs": "tests of the pages in docs/",
    "modules": "modules as Ansible runs them",
    "plugins": "plugins as Ansible runs them",
    "topology/data": "files that tests read",
}


def test_every_folder_of_tests_is_one_of_a_room():
    folders = {str(path.relative_to(UNIT)) for path in UNIT.rglob("*") if path.is_dir() and path.name != "__pycache__"}
    mirrored = {path for path in folders if (ROOMS / path / "__init__.py").exists()}
    others = {path for path in folders if any(path == other or path.startswith(f"{other}/") for other in OTHERS)}
    assert folders - mirrored - others == set()


def test_every_test_beside_the_rooms_is_about_a_file_beside_the_rooms_or_about_all():
    about_all = {"layout"}
    names = {path.stem.removeprefix("test_") for path in UNIT.glob("test_*.py")}
    assert {name for name in names - about_all if not (ROOMS / f"{name}.py").exists()} == set()
