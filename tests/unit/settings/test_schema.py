# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One list of settings: every place that knows settings knows exactly those, and a new entry is all that a new setting takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import jsonschema
import pytest
import yaml
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.plugins.module_utils.settings import options, schema
from ansible_collections.deter.benito.plugins.module_utils.settings.original_options import ORIGINAL_OPTIONS
from ansible_collections.deter.benito.plugins.module_utils.settings.schema import SETTINGS, SITE_SCHEMA
from ansible_collections.deter.benito.plugins.module_utils.settings.setting import Setting, ansible_markup, plain
from ansible_collections.deter.benito.plugins.module_utils.settings.site_settings import SiteSettings, as_dict
from ansible_collections.deter.benito.plugins.modules import containerize

ROOT = Path(__file__).parents[3]
NEW = Setting("colour", {"enum": ["red", "green"]}, "red", "The colour of [nodes](concepts.md).", "`green` wins over `kind_map`.")


def writer():
    """scripts/settings.py as a module."""
    spec = importlib.util.spec_from_file_location("settings_writer", ROOT / "scripts" / "settings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="with_new")
def fixture_with_new(monkeypatch):
    """The list has one setting more."""
    monkeypatch.setattr(schema, "SETTINGS", (*SETTINGS, NEW))


def test_the_schema_is_valid_and_so_is_every_example():
    jsonschema.Draft202012Validator.check_schema(SITE_SCHEMA)
    for setting in SETTINGS:
        for example in setting.rule.get("examples", ()):
            if setting.name != "node_users":  # no key is shown
                jsonschema.validate({setting.name: example}, SITE_SCHEMA)
        if setting.example:
            jsonschema.validate({setting.name: setting.from_run(setting.example)}, SITE_SCHEMA)


def test_what_stands_in_docs_is_what_the_list_says():
    stale = [str(path) for path, text in writer().texts().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run .venv/bin/python scripts/settings.py"


def test_every_page_is_stale_until_it_knows_a_new_setting():
    texts = writer().texts((*SETTINGS, NEW))
    assert [path.name for path, text in texts.items() if "colour" in text and text != path.read_text(encoding="utf-8")] == [
        "site.schema.json", "site.md", "playbooks.md",
    ]


def test_what_code_reads_has_every_setting_with_its_default():
    """This fails for a new setting until EmbeddingSettings or SiteSettings has a field for it."""
    assert {setting.name: setting.default for setting in SETTINGS} == as_dict(SiteSettings())
    planning = as_dict(EmbeddingSettings())
    assert {name: value for name, value in as_dict(SiteSettings()).items() if name in planning} == planning


def test_a_new_setting_is_an_option_of_containerize_with_its_type_and_documentation(with_new):
    assert containerize.argument_spec()["colour"] == {"type": "str", "choices": ["red", "green"], "no_log": False}
    assert yaml.safe_load(options.documentation())["options"]["colour"] == {
        "description": ["The colour of nodes.", "V(green) wins over O(kind_map)."], "type": "str", "choices": ["red", "green"],
    }


def test_a_new_setting_is_handed_over_by_the_playbook(with_new):
    """The lookup that the playbook hands settings over by asks for these names; tests/unit/plugins/lookup runs it."""
    assert options.option_names()[-3:] == ("colour", "openvz_diskspace", "no_image")
    (task,) = [task for task in yaml.safe_load((ROOT / "playbooks" / "containerize.yml").read_text())[0]["tasks"] if "deter.benito.containerize" in task]
    assert task["deter.benito.containerize"]["settings"] == "{{ lookup('deter.benito.settings') }}"


def test_the_options_are_the_settings_and_those_of_the_original_and_each_is_documented():
    names = [*SITE_SCHEMA["properties"], *(option.name for option in ORIGINAL_OPTIONS)]
    assert list(options.argument_spec()) == list(yaml.safe_load(options.documentation())["options"]) == names
    assert set(names) < set(containerize.argument_spec())
    documented = yaml.safe_load(containerize.DOCUMENTATION)
    assert "deter.benito.settings" in documented["extends_documentation_fragment"]
    assert set(documented["options"]).isdisjoint(names)


def test_options_have_the_type_of_their_rule_except_where_a_reason_says_why_not():
    raw = {name for name, argument in options.argument_spec().items() if argument["type"] == "raw"}
    assert raw == {setting.name for setting in SETTINGS if setting.raw_because} == {"pass_pack", "pass_size", "pass_pnodes"}
    assert options.argument_spec()["packing"]["type"] == "int"
    assert options.argument_spec()["node_users"] == {"type": "list", "elements": "dict", "no_log": False}
    assert options.argument_spec()["memory_overcommit"]["type"] == "float"


def test_the_text_of_a_setting_fits_each_place():
    text = "Of [links](a.md#b) and `x(y)`, or `packing`."
    assert plain(text) == "Of links and x(y), or packing."
    assert ansible_markup(text, {"packing": None}) == "Of links and V(x(y\\)), or O(packing)."
