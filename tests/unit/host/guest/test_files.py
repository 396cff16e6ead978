# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node with a system of its own runs at its boot: the script itself, with its files where a node has them."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from ansible_collections.deter.benito.plugins.module_utils.host.guest.files import guest_files
from ansible_collections.deter.benito.plugins.module_utils.host.guest.report import parse_report
from ansible_collections.deter.benito.tests.unit.host.plans import plan, with_vnode
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

REPORT = "/var/ports/report"


def booted(start_command: str, before=lambda: None) -> str:
    """What node ``a`` reports while it boots with that start command; ``before`` is called when its script runs."""
    made = with_vnode(plan(), "a", kind="qemu", start_command=start_command, interfaces=())
    for path, file in guest_files(made, made.vnodes[0], REPORT, "", ("private", "public")).items():
        if path.startswith("var/benito/lib/"):
            Path(f"/{path}").parent.mkdir(parents=True, exist_ok=True)
            Path(f"/{path}").write_text(file.text)
    with subprocess.Popen(["sh", "/var/benito/lib/boot"]) as process:
        before()
        assert process.wait(60) == 0
    return Path(REPORT).read_text()


def make_port() -> None:
    os.makedirs(os.path.dirname(REPORT), exist_ok=True)
    Path(REPORT).touch()


@sandboxed
def test_nothing_is_lost_when_the_port_to_the_host_comes_late():
    def late():
        time.sleep(1)
        make_port()

    words = [line.split()[0] for line in booted("echo out; echo err >&2; exit 3", late).splitlines()]
    assert words == ["booting", "booted", "started", "ended"]
    log = Path("/var/benito/log")
    assert (log / "start_command.out").read_text() == "out\n" and (log / "start_command.err").read_text() == "err\n"
    assert "with exit status 3" in (log / "start_command.log").read_text()


@sandboxed
def test_a_node_without_a_start_command_reports_that_it_has_booted_and_no_more():
    make_port()
    said = booted("")
    assert [line.split()[0] for line in said.splitlines()] == ["booting", "booted"]
    assert parse_report(said).state == "booted" and parse_report(said).start_command == ""


@sandboxed
def test_a_start_command_of_several_lines_is_run_as_the_shell_script_that_it_is():
    make_port()
    booted("for word in one two\ndo\n    echo $word\ndone\nexit 4")
    log = Path("/var/benito/log")
    assert (log / "start_command.out").read_text() == "one\ntwo\n"
    assert "with exit status 4" in (log / "start_command.log").read_text()
