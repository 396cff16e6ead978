# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/inventory.md do what the page says. They run in the page's order."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from pages import as_pattern, steps

PAGE = "docs/inventory.md"
COLLECTIONS = os.path.abspath(".ansible/collections")


@pytest.fixture(name="folder", scope="module")
def fixture_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("folder")


@pytest.mark.parametrize("what, name, text", [pytest.param(*step, id=f"{number}: {step[1]}") for number, step in enumerate(steps(PAGE))])
def test_example_does_what_the_page_says(folder, what, name, text):
    if what == "file":
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "BENITO_"))}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": COLLECTIONS, "BENITO_HOME": "home", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}
    environment["PATH"] = f"{os.path.dirname(sys.executable)}:{environment['PATH']}"
    done = subprocess.run(name, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert re.fullmatch(as_pattern(text), done.stdout), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
