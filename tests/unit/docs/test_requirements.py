# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each lock has a version and hashes for every requirement, and installs the same on every machine. No test is skipped for want of a package."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = {"requirements.lock": ("requirements.txt",), "requirements-dev.lock": ("requirements.txt", "requirements-dev.txt")}

each_lock = pytest.mark.parametrize("lock", LOCKS)


def lines_of(name: str) -> list[str]:
    """The lines of a requirements file without comments; a line that goes on is one."""
    text = re.sub(r"\\\n\s*", "", (ROOT / name).read_text(encoding="utf-8"))
    return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()) if line]


def required(name: str) -> dict[str, SpecifierSet]:
    """{package: versions that may be used} of a requirements file."""
    found = map(Requirement, lines_of(name))
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in found}


def locked(name: str) -> dict[str, str]:
    """{package: version} of a lock."""
    return {canonicalize_name(package): version for package, version in re.findall(r"^([\w.-]+)==(\S+)", "\n".join(lines_of(name)), re.MULTILINE)}


@each_lock
def test_a_lock_meets_every_requirement(lock):
    versions = locked(lock)
    for file in LOCKS[lock]:
        assert {name: versions.get(name) for name, range_ in required(file).items() if versions.get(name) not in range_} == {}


@each_lock
def test_a_lock_has_the_hashes_of_every_package(lock):
    assert [line for line in lines_of(lock) if not re.fullmatch(r"[\w.-]+==\S+( ; .*?)?( ?--hash=sha256:[0-9a-f]{64})+", line)] == []


@each_lock
def test_a_lock_names_no_place_to_install_from(lock):
    assert not re.search(r"://|/\w+/|^-", "\n".join(lines_of(lock)), re.MULTILINE)


def test_what_users_run_is_what_the_tests_ran():
    run, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: version for name, version in run.items() if dev.get(name) != version} == {}


def test_the_collection_and_its_requirements_ask_for_the_same_ansible():
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert required("requirements.txt")["ansible-core"] == SpecifierSet(runtime["requires_ansible"])


def test_no_test_is_skipped_after_make_env_for_want_of_a_package():
    reasons = [reason for path in ROOT.glob("tests/**/*.py") for reason in re.findall(r'skipif\(.*reason="(.*)"', path.read_text(encoding="utf-8"))]
    named = {package for reason in reasons for package in re.findall(r"packages? ([a-z][a-z0-9-]+)", reason)}
    (needed,) = re.findall(r"packages\+=\((.*)\)", (ROOT / "scripts" / "env").read_text(encoding="utf-8"))
    assert named and named <= set(needed.split())


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "bench").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_a_program_that_make_bench_runs_imports_only_what_make_bench_installs(path, monkeypatch):
    monkeypatch.setattr("sys.path", [*map(str, (path.parent, ROOT / "tests" / "integration", ROOT / ".ansible" / "collections")), *sys.path])
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    roots = {name.partition(".")[0] for name in imported} - set(required("requirements-bench.txt"))
    assert {root for root in roots if importlib.util.find_spec(root) is None} == set()
