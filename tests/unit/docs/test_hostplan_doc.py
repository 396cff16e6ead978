# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/hostplan.md describes version 2 completely: its example is a valid plan, and every field is described."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils import hostplan

PAGE = (Path(__file__).parents[3] / "docs" / "hostplan.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
KINDS = [kind for kind in vars(hostplan).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]


def documented(kind):
    """Return {field: (type, meaning)} of the table below the heading of this dataclass."""
    section = re.search(rf"^## {kind.__name__}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    return {name: (what, meaning) for name, what, meaning in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", section, re.MULTILINE)}


def test_example_is_a_host_plan_and_survives_a_round_trip():
    plan = hostplan.from_json(EXAMPLE)
    assert hostplan.from_json(hostplan.to_json(plan)) == plan


def test_example_page_and_code_have_the_same_version():
    assert json.loads(EXAMPLE)["version"] == hostplan.PLAN_VERSION
    assert f"version {hostplan.PLAN_VERSION}." in PAGE


def test_example_shows_every_field_except_those_of_multicast_and_pnodes():
    shown = set(re.findall(r'"(\w+)":', EXAMPLE))
    assert {field.name for kind in KINDS for field in dataclasses.fields(kind)} - shown == {"group", "interface"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_page_describes_every_field_and_no_other(kind):
    assert sorted(documented(kind)) == sorted(field.name for field in dataclasses.fields(kind))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_page_marks_exactly_the_fields_without_a_default_as_required(kind):
    def has_default(field):
        return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING

    said = {name for name, (_what, meaning) in documented(kind).items() if meaning == "Required" or meaning.endswith(". Required")}
    assert said == {field.name for field in dataclasses.fields(kind) if not has_default(field)}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_page_gives_the_types_of_the_code(kind):
    words = {"str": "string", "int": "integer", "bool": "boolean"}
    for field in dataclasses.fields(kind):
        hint = field.type.removeprefix("Optional[").removesuffix("]") if field.type.startswith("Optional[") else field.type
        item = re.fullmatch(r"(tuple|dict)\[(.*)\]", hint)
        if item:
            inner = item[2].split(", ")[0 if item[1] == "tuple" else 1]
            start = {"tuple": "list of ", "dict": "object of "}[item[1]] + (f"{words[inner]}s" if inner in words else inner)
        else:
            start = words.get(hint, hint)
        assert documented(kind)[field.name][0].split(",")[0] == start, field.name
