# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node writes or answers reaches a person as plain text, wherever the host takes it in."""

from __future__ import annotations

import json
import os
import socket
import threading
import types

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host import cli
from ansible_collections.deter.benito.plugins.module_utils.host.base import jobs
from ansible_collections.deter.benito.plugins.module_utils.host.base import paths as paths_module
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.lxc import boot
from ansible_collections.deter.benito.plugins.module_utils.host.qemu import template_making
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.command import MachinePaths
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.qmp import Qmp
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.warm_start import _expect
from ansible_collections.deter.benito.plugins.module_utils.host.start_commands.start_command import outcome

HOSTILE = "\x1b]0;owned\x07\x1b[2Jno\u202e \x9b31mroom\x00\u200b"
PLAIN = "no room"


@pytest.fixture(name="paths")
def fixture_paths(tmp_path, monkeypatch):
    monkeypatch.setattr(paths_module, "ROOT", str(tmp_path / "var"))
    return ExperimentPaths("Proj.exp")


def put(path: str, content: str | bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(content if isinstance(content, bytes) else content.encode())


def test_the_end_of_a_containers_console(paths):
    put(f"{boot.container(paths, 'a')}/lxc.log", "")
    put(f"{boot.container(paths, 'a')}/console.log", "early\n" * 5000 + f"Failed: {HOSTILE}\r\x1b[Kover\n\n" + "x" * 1000)
    lines = boot._console_end(paths, "a").splitlines()
    assert lines[0] == "; the end of its console:" and lines[-3:] == [f"Failed: {PLAIN}", "over", "x" * 199 + "…"] and len(lines) == 16


def test_lxcs_errors_on_a_container(paths):
    put(f"{boot.container(paths, 'a')}/console.log", "")
    put(f"{boot.container(paths, 'a')}/lxc.log", f"lxc-start a 2026 ERROR    start - ../src/lxc.c:f:1 - {HOSTILE}\n")
    assert boot._console_end(paths, "a") == f": {PLAIN}"


def test_the_progress_of_a_job(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "_folder", str(tmp_path))
    jobs.progress(f"one\n{HOSTILE}\ud800" + "x" * 10000)
    text = (tmp_path / "progress").read_text()
    assert text.startswith(f"one {PLAIN}xxx") and len(text) == 4001 and text.endswith("…\n")


def test_what_benito_host_prints_to_a_person(monkeypatch, capsys):
    def fail(_options):
        raise HostError(f"a\n{HOSTILE}")

    monkeypatch.setitem(cli._COMMANDS, "list", (fail, ""))
    assert cli.main(["list"]) == 1 and capsys.readouterr().err == f"benito-host: a\n{PLAIN}\n"
    monkeypatch.setitem(cli._COMMANDS, "list", (lambda _options: {"changes": [HOSTILE], "more": HOSTILE}, ""))
    assert cli.main(["list"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == PLAIN


def test_what_the_guest_of_a_template_reports_and_its_qemu_prints(tmp_path):
    where, qemu = MachinePaths(str(tmp_path), str(tmp_path)), types.SimpleNamespace(poll=lambda: None)
    put(where.report, "\x1b]0;owned\x07lost\x1b[2J")
    with pytest.raises(HostError) as raised:
        template_making._wait_until_ready(qemu, where, 1, lambda: None)
    assert str(raised.value) == "the template's guest reports: lost"
    put(f"{tmp_path}/errors", HOSTILE)
    assert template_making._errors(where) == f": {PLAIN}"


@pytest.mark.parametrize(("answer", "message"), [
    (json.dumps({"error": {"class": "GenericError", "desc": HOSTILE}}), f"QEMU refused query-migrate: {PLAIN}"),
    (json.dumps({"error": HOSTILE}), f"QEMU refused query-migrate: {PLAIN}"),
    (json.dumps({"return": {"status": "failed", "error-desc": HOSTILE}}), f"migrating QEMU's state failed: {PLAIN}"),
    (json.dumps({"return": {"status": HOSTILE}}), f"timed out after 0 s: {PLAIN}"),
    (json.dumps({"return": [HOSTILE]}), "timed out after 0 s: not begun"),
    ("[1]", r"QEMU sent b'\[1\]', which is not a JSON object"),
    (HOSTILE, r"QEMU sent b'\\x1b\]0;owned"),
    ('{"return": ' + "[" * 100_000, "which is not JSON"),
    ("x" * (17 << 20), "QEMU sent an answer of more than 16 MiB"),
], ids=["description", "error", "failure", "status", "list", "no object", "no JSON", "nested", "long"])
def test_what_a_qemu_answers(tmp_path, answer, message):
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{tmp_path}/qmp")
    listening.listen()

    def serve():
        served, _address = listening.accept()
        with served, served.makefile("rb") as requests:
            served.sendall(b'{"QMP": {}}\n')
            requests.readline()
            served.sendall(b'{"return": {}}\n')
            requests.readline()
            try:
                served.sendall(answer.encode(errors="surrogatepass") + b"\n")
                requests.readline()
            except OSError:
                pass  # the client has read enough

    server = threading.Thread(target=serve)
    server.start()
    try:
        with pytest.raises(HostError, match=message), Qmp(f"{tmp_path}/qmp") as qmp:
            qmp.migrated(0)
    finally:
        server.join(10)
        listening.close()


def test_what_a_clone_answers(tmp_path):
    put(f"{tmp_path}/answer", HOSTILE + "x" * 1000 + "\n")
    with open(f"{tmp_path}/answer", "rb") as stream, pytest.raises(HostError) as raised:
        _expect(stream, b"set")
    assert f"the clone answered '{PLAIN}xxx" in str(raised.value) and len(str(raised.value)) < 300


@pytest.mark.parametrize(("written", "state", "status"), [
    ({"state": "ended", "exit_status": 3}, "ended", 3),
    ({"state": HOSTILE, "exit_status": HOSTILE}, "lost", None), ({"state": ["x"], "exit_status": -1}, "lost", None),
])
def test_the_end_of_a_start_command_that_the_node_wrote(paths, written, state, status):
    put(f"{paths.node('a')}/log/start_command.json", json.dumps(written))
    assert outcome(paths, "a") == {"state": state, "exit_status": status}
