# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A BENITO_HOME for the tests of the package, and the command as a program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
QUICKSTART = ROOT / "examples" / "quickstart" / "quickstart.xml"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Return the BENITO_HOME of a module's tests, with a folder in which the command is called beside it."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "work").mkdir()
    (folder / "tmp").mkdir()
    return folder / "home"


@pytest.fixture(scope="module")
def benito(home):
    """Return ``benito("list", "--json", NAME="value")``, which runs the command in an empty folder and returns the ended process.

    NAME  further environment variables. There are none of Ansible's and none of benito's else
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BENITO_"))}
    kept |= {"PYTHONPATH": str(ROOT), "BENITO_HOME": str(home), "HOME": str(home.parent), "TMPDIR": str(home.parent / "tmp"), "COLUMNS": "100"}

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "benito", *words]
        done = subprocess.run(command, cwd=home.parent / "work", env={**kept, **variables}, capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def created(benito):
    """Return ``benito`` after it has created DeterTest/first."""
    done = benito("create", "DeterTest/first", str(QUICKSTART), "--packing", "4", "--no-image")
    assert done.returncode == 0, done.stdout + done.stderr
    return benito
