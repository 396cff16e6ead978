# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML is read as texts with line numbers, and hostile YAML is refused."""

from __future__ import annotations

import time

import pytest
import yaml
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.imports.yaml_source import Mapping, Sequence, load_yaml
from ansible_collections.deter.benito.plugins.module_utils.topology.problem_log import ProblemLog


def loaded(text):
    problems = ProblemLog("x.yml")
    root = load_yaml(text if isinstance(text, bytes) else text.encode(), problems)
    problems.raise_errors()
    return root


def plain(thing):
    if isinstance(thing, Mapping):
        return {key: plain(value) for key, value in thing.items.items()}
    return [plain(item) for item in thing.items] if isinstance(thing, Sequence) else None if thing.is_null else thing.text


def errors_of(text):
    with pytest.raises(InputError) as caught:
        loaded(text)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture(params=["with libyaml", "without"], autouse=True)
def fixture_loader(request, monkeypatch):
    if request.param == "without":
        monkeypatch.delattr(yaml, "CSafeLoader")


def test_every_value_but_null_is_read_as_text():
    root = loaded("a: 1\nb: [yes, 012, '', ~, null]\nc: {d: 'null', e: }\n")
    assert plain(root) == {"a": "1", "b": ["yes", "012", "", None, None], "c": {"d": "null", "e": None}}


def test_line_numbers_are_those_of_the_file():
    root = loaded("\n# x\na:\n  - b\n  -\n    c: d\n")
    assert (root.lines["a"], root.items["a"].items[0].line, root.items["a"].items[1].lines["c"]) == (3, 4, 6)


def test_aliases_and_merges_are_resolved():
    text = "x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n  a: 4\nz: [*x]\nw: {c: 0, <<: [*x, {d: 5}]}\n"
    root = plain(loaded(text))
    assert root["y"] == {"a": "4", "b": "3"} and root["z"] == [{"a": "1", "b": "2"}] and root["w"] == {"c": "0", "a": "1", "b": "2", "d": "5"}


REFUSED = {
    "a tag": ("a: !!python/object/apply:os.system [reboot]\n", "x.yml:1: the tag 'tag:yaml.org,2002:python/object/apply:"),
    "a tag of an application": ("a: !vault x\n", "x.yml:1: the tag '!vault' is not accepted"),
    "a key twice": ("a: 1\nb:\n  c: 1\n  c: 2\n", "x.yml:4: 'c' is given twice in one place (the first one is in line 3)"),
    "an alias of nothing": ("a: *b\n", "x.yml:1: there is no anchor 'b'"),
    "an alias into itself": ("a: &a\n  b: *a\n", "x.yml:2: the alias 'a' is part of what it stands for"),
    "a second document": ("a: 1\n---\nb: 2\n", "x.yml:2: a second document begins here"),
    "a list as a key": ("? [a]\n: b\n", "x.yml:1: a key has to be a text"),
    "a merge of a text": ("a:\n  <<: b\n", "x.yml:2: << takes a mapping"),
    "deep nesting": ("[" * 100, "x.yml:1: is nested more than 32 deep"),
    "very deep nesting": ("[" * 100_000, "x.yml:1: is nested more than 32 deep"),
    "no YAML": ("a: [b\n", "x.yml:2: is not YAML"),
    "a tabulator": ("a:\n\tb: c\n", "x.yml:2: is not YAML"),
    "a NUL": ("a: b\nc: \0\n", "x.yml:2: contains the character U+0000"),
    "a written control character": ('a: "\\a"\n', "x.yml:1: '\\x07' holds the character U+0007"),
    "another encoding": (b"a: b\nc: \xff\n", "x.yml:2: is not UTF-8 here"),
    "a template": ("a: {{ range . }}\n  b\n", "x.yml:1: "),
    "a giant": (b"#" * (4 * 2**20 + 1), "x.yml: is larger than 4 MB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_special_yaml_is_refused_with_its_line(case):
    text, expected = REFUSED[case]
    assert errors_of(text)[0].startswith(expected)


BOMBS = {
    "of lists": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 15)),
    "of merges": "b: &b {" + ", ".join(f"k{n}: x" for n in range(5000)) + "}\n" + "".join(f"c{n}: {{<<: *b}}\n" for n in range(5000)),
}


@pytest.mark.parametrize("case", BOMBS)
def test_exploding_aliases_are_refused_at_once(case):
    before = time.process_time()
    (error,) = errors_of(BOMBS[case])
    assert "has more than 1,000,000 parts" in error
    assert time.process_time() - before < 8
