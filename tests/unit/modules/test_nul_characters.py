# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module refuses a NUL character in every text that it takes, with the name of the option, before it does anything."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = Path(__file__).parents[3] / "plugins" / "modules"
# What each module needs before it looks at the other options.
REQUIRED = {
    "containerize": {"pid": "P", "eid": "e", "topology": "x.xml"},
    "images": {"pid": "P", "eid": "e"},
    "local_testbed": {},
    "local_testbed_info": {},
    "topdl_annotate": {"topology": "x.xml", "rules": "r.yml"},
    "topdl_convert": {"out": "y.xml"},
    "topdl_image": {"out": "y.svg"},
}
TEXTS = {
    "containerize": ["pid", "eid", "topology", "config", "site", "benito_home", "chdir", "openvz_template", "kind_map"],
    "images": ["pid", "eid", "benito_home"],
    "local_testbed": ["name", "home", "cache"],
    "local_testbed_info": ["name", "home"],
    "topdl_annotate": ["topology", "rules", "chdir"],
    "topdl_convert": ["topology", "out", "benito_home"],
    "topdl_image": ["topology", "out", "experiment"],
}


def run(name, options):
    """Run a module in this process. Return its result."""
    module = importlib.import_module(f"ansible_collections.deter.benito.plugins.modules.{name}")
    out = io.StringIO()
    with patch_module_args(options), contextlib.redirect_stdout(out), pytest.raises(SystemExit):
        module.main()
    return json.loads(out.getvalue())


@pytest.mark.parametrize(("name", "option"), [(name, option) for name, options in TEXTS.items() for option in options])
def test_nul_character_in_an_option_is_refused_by_the_name_of_the_option(name, option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BENITO_HOME", str(tmp_path / "home"))
    result = run(name, {**REQUIRED[name], option: "a\0b"})
    assert result["failed"]
    assert result["msg"] == f"{option}: holds a NUL character (a text without one)"
    assert list(tmp_path.iterdir()) == []


def test_nul_character_inside_a_mapping_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("containerize", {**REQUIRED["containerize"], "settings": {"openvz_template": ["a\0b"]}})
    assert result["failed"] and result["msg"] == "settings: holds a NUL character (a text without one)"


def test_every_module_that_runs_as_one_is_covered():
    functions = {path.stem: [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)] for path in MODULES.glob("*.py")}
    running = {name for name, names in functions.items() if "main" in names}
    assert running == set(TEXTS) == set(REQUIRED)
