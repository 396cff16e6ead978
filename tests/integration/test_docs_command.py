# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/command.md and docs/python.md do what the pages say. They run in each page's order, in an empty folder."""

from __future__ import annotations

import re
import subprocess

import pytest
import support
from pages import as_pattern, steps

PAGES = ("command.md", "python.md")
STEPS = [pytest.param(page, *step, id=f"{page} {number}: {step[1]}") for page in PAGES for number, step in enumerate(steps(support.ROOT / "docs" / page))]


@pytest.fixture(name="shell", scope="module")
def fixture_shell(user, tmp_path_factory):
    """Return ``run(command)``, which runs a command in a folder that has the pages' files, and the folder. The pages' experiments are terminated in the end."""
    folder = tmp_path_factory.mktemp("reader")

    def run(command):
        return subprocess.run(["bash", "-ec", command], cwd=folder, env=user, capture_output=True, text=True, check=False, timeout=300)

    yield run, folder
    for line in run("benito list").stdout.splitlines()[1:]:
        run(f"benito terminate {line.split()[0]}")


@pytest.mark.parametrize("page, what, name, text", STEPS)
def test_example_does_what_the_page_says(shell, page, what, name, text):
    run, folder = shell
    if what == "file":
        (folder / name).write_text(text)
        return
    done = run(name)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = as_pattern(text.replace("local-", "test-")).replace(r"\ ", " ")
    assert re.fullmatch(re.sub(" +", r"\\s+", expected), done.stdout), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
