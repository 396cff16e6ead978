# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on in the background: its progress and result can be read, whoever began it, and a job that was killed has no result."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.jobs import begin, progress
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed


def ended(job: dict, limit_s: float = 20.0) -> dict | None:
    """The result of a job that has ended, None if it left none."""
    assert os.waitpid(job["pid"], 0)[0] == job["pid"], f"no end within {limit_s} s"
    path = Path(job["job"], "result")
    return json.loads(path.read_text()) if path.exists() else None


def appears(path: Path, limit_s: float = 20.0) -> str:
    deadline = time.monotonic() + limit_s
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} has not appeared within {limit_s} s"
        time.sleep(0.01)
    return path.read_text()


@sandboxed
def test_progress_and_result_are_there_for_whoever_asks_and_nobody_else_reads_them():
    paths, release = install_plan(plan()), Path("/run/release")

    def act():
        progress("one of\ntwo")
        appears(release)
        return {"changed": True, "changes": ["n: made"], "session": os.getsid(0) == os.getpid()}

    job = begin(paths, act)
    assert appears(Path(job["job"], "progress")) == "one of two\n"
    assert not Path(job["job"], "result").exists()
    release.touch()
    assert ended(job) == {"changed": True, "changes": ["n: made"], "session": True}
    assert {path.stat().st_mode & 0o077 for path in (Path(job["job"]), *Path(job["job"]).iterdir())} == {0}


@pytest.mark.parametrize(("raised", "error"), [(HostError("no room"), "no room"), (OSError(28, "No space left"), "No space left"),
                                               (ValueError("odd"), "unexpected error ValueError: odd; the traceback is in ")])
@sandboxed
def test_what_goes_wrong_is_its_result(raised, error):
    def act():
        raise raised

    job = begin(install_plan(plan()), act)
    assert ended(job)["error"].startswith(error)
    assert ("Traceback" in Path(job["job"], "log").read_text()) == isinstance(raised, ValueError)


@sandboxed
def test_a_job_that_was_killed_has_no_result_and_one_that_was_read_goes_with_the_next():
    paths = install_plan(plan())
    killed = begin(paths, lambda: time.sleep(60) or {})
    os.kill(killed["pid"], signal.SIGKILL)
    assert ended(killed) is None
    read = begin(paths, dict)
    assert ended(read) == {}
    begin(paths, dict)
    assert not Path(read["job"]).exists() and Path(killed["job"]).exists()


@sandboxed
def test_there_is_none_for_an_experiment_that_is_not_here():
    with pytest.raises(HostError, match="no experiment No.such on this host"):
        begin(ExperimentPaths("No.such"), dict)
