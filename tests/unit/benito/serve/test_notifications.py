# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notification of the end of a swap-in, by a real command and to a real server."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading

import pytest
from ansible_collections.deter.benito.plugins.module_utils.experiment.runs import RunHistory

from benito.serve import notifications
from benito.serve.notifications import Notifications
from benito.serve.settings import ServiceSettings


class Runs:
    """An experiment whose runs end when the test says so."""

    def __init__(self, name="DeterTest/first"):
        self.experiment, self.runs, self._count = name, RunHistory(), 0

    def end(self, playbook="swapin", status="successful", message=""):
        self._count += 1
        common = {"run": f"ctl-1-{self._count}", "time": f"2026-11-30T00:00:{self._count:02}.000Z", "by": "ada@ctl"}
        self.runs.take({"event": "run_began", "playbook": playbook, "process": None, "boot_id": "", **common})
        if message:
            self.runs.take({"event": "task_failed", "host": "pc1", "task": "t", "message": message, **common})
        self.runs.take({"event": "run_ended", "status": status, **common})


@pytest.fixture
def told(tmp_path):
    """Return (a function that makes Notifications whose command appends what it is told to a file, that file)."""
    (tmp_path / "grandstand").mkdir()
    out = tmp_path / "out"
    command = f'cat >>{out}; echo "$BENITO_EXPERIMENT $BENITO_EVENT" >>{out}'
    return (lambda **more: Notifications(str(tmp_path), ServiceSettings(**{"notify_command": command, **more}))), out


def look(found, runs):
    asyncio.run(found.look(runs))


def test_a_swap_in_is_told_of_once_and_other_playbooks_are_not(told):
    make, out = told
    found, runs = make(), Runs()
    look(found, runs)
    runs.end()
    runs.end("swapout")
    look(found, runs)
    look(found, runs)
    assert out.read_text() == "Experiment successfully swapped in: DeterTest/first\nDeterTest/first swapped_in\n"


def test_a_swap_in_that_failed_is_told_of_with_its_reason(told):
    make, out = told
    found, runs = make(), Runs()
    look(found, runs)
    runs.end(status="failed", message="no machine is free $(touch /tmp/never)\nsecond line")
    runs.end(status="interrupted")
    look(found, runs)
    lines = out.read_text().splitlines()
    assert lines[0].startswith("Experiment could not be swapped in: DeterTest/first: no machine is free $(touch /tmp/never)") and lines[1].endswith(" failed")
    assert lines[2] == "Experiment could not be swapped in: DeterTest/first: the run was interrupted"


def test_what_ended_before_an_experiment_was_first_seen_is_old_and_what_ended_between_two_services_is_not(told):
    make, out = told
    runs = Runs()
    runs.end()
    look(make(), runs)
    assert not out.exists()
    runs.end()
    look(make(), runs)
    assert out.read_text().count("Experiment successfully") == 1
    look(make(), runs)
    assert out.read_text().count("Experiment successfully") == 1


def test_a_command_that_fails_or_hangs_is_said_and_ends_nothing(told, capsys, monkeypatch):
    make, _out = told
    runs = Runs()
    look(make(), runs)
    runs.end()
    look(make(notify_command="echo no mail here >&2; exit 3"), runs)
    assert capsys.readouterr().err == "benito: notify_command ended with status 3: no mail here\n"
    monkeypatch.setattr(notifications, "_LIMIT_S", 0.3)
    runs.end()
    look(make(notify_command="exec sleep 60"), runs)
    assert "has not ended within" in capsys.readouterr().err


def test_an_address_is_told_and_tried_again_when_it_fails(told, monkeypatch, capsys):
    make, _out = told
    monkeypatch.setattr(notifications, "_PAUSE_S", 0.0)
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if len(got) == 1 else 200)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        runs, settings = Runs(), {"notify_command": "", "notify_url": f"http://127.0.0.1:{server.server_port}/hook"}
        look(make(**settings), runs)
        runs.end()
        look(make(**settings), runs)
    finally:
        server.shutdown()
        server.server_close()
    assert [(message["event"], message["experiment"], message["by"]) for message in got] == [("swapped_in", "DeterTest/first", "ada@ctl")] * 2
    assert "could not be told: HTTP Error 500" in capsys.readouterr().err
