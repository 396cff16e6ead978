# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containerize playbook as users run it. The many kinds of bad input are in tests/unit/modules/test_containerize.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import support

QUICKSTART = str(support.ROOT / "examples" / "quickstart" / "quickstart.xml")


def experiments(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.glob("proj/*/exp/*"))


def test_check_mode_creates_nothing_and_an_existing_experiment_is_refused(playbook, benito_home, eid):
    identity = {"pid": "Test", "eid": eid, "topology": QUICKSTART, "packing": 4}
    path = benito_home / "proj" / "Test" / "exp" / eid
    would = playbook("containerize", check=True, diff=True, **identity)
    assert "+pnode-0000: 4 nodes: " in would.stdout
    assert f"Benito experiment Test/{eid} would be created." in would.stdout
    assert not path.exists()
    created = playbook("containerize", **identity)
    assert f"Benito experiment Test/{eid} successfully created!" in created.stdout
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    refused = playbook("containerize", fails=True, **identity)
    assert len(refused.failures) == 1
    assert "exists already" in refused.failures[0]
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before
    playbook("terminate", pid="Test", eid=eid)
    assert not path.exists()


@pytest.mark.parametrize(
    "changes, messages",
    [
        ({"eid": "a;b"}, ["eid: 'a;b' is not a name"]),
        ({"pid": "../x"}, ["pid: '../x' is not a name"]),
        ({"topology": "none.xml", "packing": 0}, ["packing: 0 is less than the minimum of 1", "none.xml: cannot be read"]),
        ({"site": "none.yml"}, ["none.yml: no such file"]),
    ],
)
def test_bad_input_is_one_failure_that_lists_every_problem(playbook, benito_home, eid, changes, messages):
    before = experiments(benito_home)
    run = playbook("containerize", fails=True, **{"pid": "Test", "eid": eid, "topology": QUICKSTART, **changes})
    assert len(run.failures) == 1
    assert all(message in run.failures[0] for message in messages)
    assert "Traceback" not in run.stdout
    assert experiments(benito_home) == before


def test_missing_variables_are_named(playbook):
    run = playbook("containerize", fails=True, pid="Test")
    assert run.failures == [f"localhost: {message}" for message in [
        "eid and topology not given. Give -e pid=PROJECT -e eid=EXPERIMENT -e topology=FILE, and optionally "
        "-e packing=NUMBER, -e default_container=KIND, -e kind_map=KIND=KIND, -e seed=NUMBER, -e site=FILE"
    ]]  # fmt: skip


def test_playbook_file_runs_with_paths_relative_to_the_current_folder(playbook, benito_home, eid):
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "playbooks/containerize.yml", "-e", "pid=Test", "-e", f"eid={eid}"]
    command += ["-e", "topology=examples/quickstart/quickstart.xml"]
    done = subprocess.run(command, cwd=support.ROOT, env=playbook.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "created from examples/quickstart/quickstart.xml" in (benito_home / "proj" / "Test" / "exp" / eid / "activity.log").read_text()
    playbook("terminate", pid="Test", eid=eid)
