# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles and action groups say of themselves is what they have: entry points, variables, members."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
GROUPS = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]

each_role = pytest.mark.parametrize("role", ROLES)


def loaded(role: str, file: str) -> dict:
    path = ROOT / "roles" / role / file
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def options(role: str) -> dict[str, dict]:
    """{variable: what the spec says of it}, over all entry points of a role."""
    return {name: option for spec in loaded(role, "meta/argument_specs.yml")["argument_specs"].values() for name, option in spec["options"].items()}


def members(group: str) -> set[str]:
    return {member for member in GROUPS[group] if isinstance(member, str)}


def actions_of(kind: str) -> set[str]:
    """The actions that are of a class, by name."""
    return {path.stem for path in (ROOT / "plugins" / "action").glob("*.py") if f"class ActionModule({kind})" in path.read_text(encoding="utf-8")}


@each_role
def test_every_entry_point_of_a_role_has_an_argument_spec(role):
    assert {path.stem for path in (ROOT / "roles" / role / "tasks").glob("*.yml")} == set(loaded(role, "meta/argument_specs.yml")["argument_specs"])


@each_role
def test_a_variable_of_a_role_has_a_default_or_is_required(role):
    assert {name for name, option in options(role).items() if not option.get("required")} == set(loaded(role, "defaults/main.yml"))


@each_role
def test_a_default_of_a_role_is_the_documented_one(role):
    defaults = loaded(role, "defaults/main.yml")
    assert {name: option["default"] for name, option in options(role).items() if option.get("default", defaults.get(name)) != defaults.get(name)} == {}


@each_role
def test_a_role_uses_every_variable_that_it_documents(role):
    tasks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "roles" / role / "tasks").glob("*.yml"))
    assert [name for name in options(role) if not re.search(rf"\b{name}\b", tasks)] == []


def test_an_action_on_the_experiments_directory_is_in_the_group_directory():
    assert members("directory") == actions_of("DirectoryAction") | {"containerize"}


def test_an_action_that_runs_benito_host_is_in_the_group_experiment():
    assert members("experiment") == actions_of("HostAction")
    assert {"metadata": {"extend_group": ["directory"]}} in GROUPS["experiment"], "with all that act on the directory"


@pytest.mark.parametrize("fragment, kind", [("vhost", "HostAction"), ("controller", "DirectoryAction")])
def test_the_documentation_of_an_action_says_where_it_runs(fragment, kind):
    modules = (ROOT / "plugins" / "modules").glob("*.py")
    said = {path.stem for path in modules if f"  - deter.benito.attributes.{fragment}\n" in path.read_text(encoding="utf-8")}
    own_words = {"images"}  # looks on the controller, and has a module for what takes long
    assert said == actions_of(kind) - own_words
