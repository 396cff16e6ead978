# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vhost that is a node answers anything: a person is shown plain text, and an answer of another form fails the task."""

from __future__ import annotations

import json

import pytest
from ansible_collections.deter.benito.plugins.plugin_utils import host_action

HOSTILE = "\x1b]0;owned\x07\x1b[2Jno\u202e \x9b31mroom\x00\ud800"
PLAIN = "no room"


@pytest.fixture(name="answering")
def fixture_answering(tmp_path, monkeypatch):
    """A function: makes a benito-host that prints this and has this exit status."""
    path = tmp_path / "benito-host"
    monkeypatch.setattr(host_action.HostAction, "program", str(path))

    def answer(text: str, status: int = 0, errors: str = "") -> None:
        (tmp_path / "out").write_text(text, errors="surrogatepass")
        (tmp_path / "err").write_text(errors, errors="surrogatepass")
        path.write_text(f"#!/bin/sh\ncat {tmp_path}/out\ncat {tmp_path}/err >&2\nexit {status}\n")
        path.chmod(0o755)

    return answer


def status(run) -> dict:
    return run("vhost_status", pid="P", eid="e")


def test_its_errors_are_plain(run, answering):
    answering(json.dumps({"error": f"a\n{HOSTILE}"}))
    assert (status(run)["failed"], status(run)["msg"]) == (True, f"a\n{PLAIN}")
    answering(json.dumps({"error": [HOSTILE]}))
    assert status(run)["msg"] == f"['{PLAIN}']"


def test_its_results_are_plain(run, answering):
    answering(json.dumps({"changed": False, "nodes": {f"n{HOSTILE}": {"state": HOSTILE}}, "unit": "x" * 10_000}))
    found = status(run)
    assert found["nodes"] == {f"n{PLAIN}": {"state": PLAIN}} and len(found["unit"]) == 4000


def test_what_it_prints_instead_of_a_result_is_plain(run, answering):
    answering("", 3, HOSTILE.replace("\ud800", ""))
    assert status(run)["msg"].endswith(f"benito-host status -e P.e failed with exit status 3: {PLAIN}")


@pytest.mark.parametrize("answer", ['{"nodes": ' + "[" * 100_000, "{", "[1]", '{"x": '])
def test_an_answer_that_is_no_json_fails_the_task(run, answering, answer):
    answering(answer)
    assert "failed with exit status 0" in status(run)["msg"]


def test_changes_that_are_no_list_fail_the_task(run, answering):
    answering(json.dumps({"changed": True, "changes": 7}))
    assert run("node_reboot", pid="P", eid="e", nodes=["a"])["msg"] == "the host answered '7' where it lists changes"


@pytest.mark.parametrize("job", [{"job": "/var/benito/exp/P.e/jobs/x"}, {"job": "/var/benito/exp/P.e/jobs/x", "pid": "1; reboot"}, {"job": ["/"], "pid": 1},
                                 {"job": "/var/benito/exp/P.e/jobs/x", "pid": -1}, {"job": HOSTILE, "pid": 1}])
def test_a_job_that_is_none_fails_the_task(run, answering, job):
    answering(json.dumps(job))
    found = run("virtual_machines", pid="P", eid="e")
    assert found["failed"] and "of a job" in found["msg"] and found["msg"].isprintable()


def test_the_progress_of_its_jobs_is_plain(run, answering, tmp_path, monkeypatch, capsys):
    job = tmp_path / "job"
    job.mkdir()
    (job / "progress").write_text(HOSTILE.replace("\ud800", "x" * 1000) + "\n")
    monkeypatch.setattr(host_action, "_JOB", host_action.re.compile(".*"))
    shown = []
    monkeypatch.setattr(host_action.display, "display", lambda text: shown.append(text) or (job / "result").write_text(json.dumps({"changes": [HOSTILE]})))
    answering(json.dumps({"job": str(job), "pid": 1}))
    monkeypatch.setattr(host_action, "_POLL_S", 0.2)
    found = run("virtual_machines", pid="P", eid="e")
    assert found["changes"] == [PLAIN] and shown[0].startswith(f"pnode: {PLAIN}xxx") and len(shown[0]) < 250 and shown[0].isprintable()
