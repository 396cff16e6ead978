# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package: what imports it and what it imports, how it finds the collection, how it is installed."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError

ROOT = Path(__file__).parents[3]
COLLECTIONS = ROOT / ".ansible" / "collections"
SHOW = "import benito, sys; print(benito.Experiment.__name__, sys.modules['ansible_collections.deter.benito.plugins.module_utils.errors'].__file__)"


def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports, imports inside functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
    return found


def test_no_plugin_role_or_playbook_uses_the_package():
    files = [path for folder in ("plugins", "roles", "playbooks") for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in files if any(name == "benito" or name.startswith("benito.") for name in imports_of(path))] == []


def test_the_package_imports_nothing_that_runs_on_a_vhost_and_no_plugin():
    ours = "ansible_collections.deter.benito.plugins."
    for path in (ROOT / "benito").rglob("*.py"):
        wrong = [name for name in imports_of(path) if name.startswith(ours) and not name.startswith(f"{ours}module_utils.")]
        assert wrong + [name for name in imports_of(path) if name.startswith(f"{ours}module_utils.host.")] == [], path


def test_every_error_of_the_package_is_of_the_one_family():
    import benito

    errors = [getattr(benito, name) for name in benito.__all__ if name not in ("CollectionMissing", "Experiment", "Problem")]
    assert errors and all(issubclass(error, BenitoError) for error in errors)


def run_python(text: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BENITO_", "PYTHON"))}
    return subprocess.run([sys.executable, "-c", text], cwd=cwd, env={**kept, "HOME": str(cwd), **variables}, capture_output=True, text=True, check=False)


@pytest.fixture(name="installed", scope="module")
def fixture_installed(tmp_path_factory) -> Path:
    """Return a folder with the collection at the place where ansible-galaxy installs it."""
    folder = tmp_path_factory.mktemp("installed")
    target = folder / "ansible_collections" / "deter" / "benito"
    target.mkdir(parents=True)
    for name in ("plugins", "benito"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "MANIFEST.json").write_text('{"collection_info": {"version": "9.8.7"}}')
    return folder


@pytest.fixture(name="site", scope="module")
def fixture_site(tmp_path_factory) -> Path:
    """Return a folder in which pip has installed the package, from a copy of what the collection has for it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "benito", folder / "source" / "benito", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, folder / "source")
    offline = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    subprocess.run([sys.executable, "-m", "pip", "install", *offline, "--target", folder / "site", folder / "source"], check=True, timeout=120)
    return folder / "site"


def test_in_a_checkout_the_collection_is_the_checkout(tmp_path):
    done = run_python(SHOW, tmp_path, PYTHONPATH=str(ROOT))
    assert done.stdout == f"Experiment {COLLECTIONS}/ansible_collections/deter/benito/plugins/module_utils/errors.py\n", done.stderr


def test_in_an_installed_collection_it_is_that_one(installed, tmp_path):
    collection = installed / "ansible_collections" / "deter" / "benito"
    done = run_python(SHOW, tmp_path, PYTHONPATH=str(collection))
    assert done.stdout == f"Experiment {collection}/plugins/module_utils/errors.py\n", done.stderr
    done = run_python("from benito.main import run; run()", tmp_path, PYTHONPATH=str(collection))
    assert "Usage" in done.stdout + done.stderr
    assert run_python("from benito.collection import version; print(version())", tmp_path, PYTHONPATH=str(collection)).stdout == "9.8.7\n"


def test_installed_by_pip_it_is_found_where_ansible_looks(site, installed, tmp_path):
    done = run_python(SHOW, tmp_path, PYTHONPATH=str(site), ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert f"Experiment {installed}/" in done.stdout, done.stderr


def test_a_regular_package_of_the_same_name_does_not_hide_it(site, installed, tmp_path):
    (tmp_path / "pypi" / "ansible_collections").mkdir(parents=True)
    (tmp_path / "pypi" / "ansible_collections" / "__init__.py").write_text("")
    done = run_python(SHOW, tmp_path, PYTHONPATH=f"{tmp_path / 'pypi'}:{site}", ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert f"Experiment {installed}/" in done.stdout, done.stderr


def test_where_the_collection_is_missing_the_command_and_the_class_say_so(site, tmp_path):
    done = run_python("from benito.main import run; run()", tmp_path, PYTHONPATH=str(site), ANSIBLE_COLLECTIONS_PATH=str(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("benito: the collection deter.benito is not installed where Ansible looks for it: install it by ansible-galaxy")
    done = run_python(SHOW, tmp_path, PYTHONPATH=str(site), ANSIBLE_COLLECTIONS_PATH=str(tmp_path))
    assert "benito.collection.CollectionMissing: the collection deter.benito is not installed" in done.stderr


def test_the_installed_package_needs_what_the_controller_needs(site):
    metadata = next(site.glob("*.dist-info/METADATA")).read_text()
    wanted = re.findall(r"^([\w-]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert re.findall(r"^Requires-Dist: ([\w-]+)", metadata, re.MULTILINE) == wanted
    assert "benito = benito.main:run" in next(site.glob("*.dist-info/entry_points.txt")).read_text()
    assert {path.relative_to(ROOT) for path in (ROOT / "benito").rglob("*.py")} == {path.relative_to(site) for path in (site / "benito").rglob("*.py")}


def test_the_package_has_the_version_of_the_collection():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]


def test_make_env_puts_the_command_of_the_checkout_into_its_environment(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    for _time in range(2):
        subprocess.run([ROOT / "scripts" / "command", tmp_path / "venv"], check=True, cwd=tmp_path)
    program = tmp_path / "venv" / "bin" / "benito"
    assert os.access(program, os.X_OK) and program.read_text().startswith(f"#!{tmp_path}/venv/bin/python\n")
    done = subprocess.run([tmp_path / "venv" / "bin" / "python", "-c", "import benito; print(benito.__file__)"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{ROOT}/benito/__init__.py\n"
    before = program.stat().st_mtime_ns
    subprocess.run([ROOT / "scripts" / "command", tmp_path / "venv"], check=True)
    assert program.stat().st_mtime_ns == before
    assert "\nscripts/command .venv\n" in (ROOT / "scripts" / "env").read_text()
