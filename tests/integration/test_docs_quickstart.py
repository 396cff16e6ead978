# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of docs/quickstart.md do what the page says. They run in the page's order.

They run on the testbed of the end-to-end tests. Commands that prepare the machine, or make or remove the testbed ``local``, are left out.
"""

from __future__ import annotations

import os
import re
import subprocess

import pytest
import support
from pages import as_pattern, steps

PAGE = support.ROOT / "docs" / "quickstart.md"
ELSEWHERE = re.compile(r"make env|ansible-playbook deter\.benito\.local_testbed")
LASTING = re.compile(r"cd |export ")
"""Commands that change the shell in which later commands run."""


def commands():
    """Yield (earlier commands that change the shell, command, expected output) of the page."""
    before = []
    for _what, command, output in steps(PAGE):
        if not ELSEWHERE.match(command):
            yield list(before), command, output
            if LASTING.match(command):
                before.append(command)


@pytest.fixture(name="shell", scope="module")
def fixture_shell(playbook, testbed, benito_home, tmp_path_factory):
    """Return ``run(command)``, which runs a command as a reader would, with its own HOME. The page's experiments are terminated in the end."""
    home = tmp_path_factory.mktemp("reader")
    (home / ".benito").symlink_to(benito_home)
    environment = {**os.environ, **playbook.environment(), "HOME": str(home)}
    del environment["ANSIBLE_CONFIG"]  # ansible.cfg must be found in the repository's root

    def run(command):
        return subprocess.run(["bash", "-ec", command], cwd=support.ROOT, env=environment, capture_output=True, text=True, check=False)

    yield run
    for eid in ("first", "second"):
        if (benito_home / "proj" / "DeterTest" / "exp" / eid).exists():
            playbook("terminate", pid="DeterTest", eid=eid)


@pytest.mark.parametrize("before, command, output", [pytest.param(*step, id=f"{number}: {step[1]}") for number, step in enumerate(commands())])
def test_command_does_what_the_page_says(shell, before, command, output):
    done = shell("\n".join([*before, command]))
    assert done.returncode == 0, done.stdout + done.stderr
    expected = as_pattern(output.replace("local-", "test-")).replace(r"\ ", " ")
    assert re.fullmatch(re.sub(" +", r"\\s+", expected), done.stdout), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_page_leaves_no_experiment(shell):
    assert not any(name in shell("ls ~/.benito/proj/DeterTest/exp 2>/dev/null || true").stdout for name in ("first", "second"))
