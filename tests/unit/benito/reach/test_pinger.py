# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that a node runs, on this machine's loopback interface, and what is believed of its output."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from benito.reach.pinger import ping_text, read_answers


def run(text, **more):
    return subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False, timeout=60, **more).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="a raw socket needs root, as nodes are")
def test_all_targets_are_pinged_at_once_and_each_has_its_answer():
    loopback = [f"127.0.0.{number}" for number in range(1, 101)]
    began = time.monotonic()
    found = read_answers(run(ping_text([*loopback, "203.0.113.1"], 1.0)))
    assert time.monotonic() - began < 10
    assert all(isinstance(found[address], float) for address in loopback)
    assert isinstance(found["203.0.113.1"], str)


def test_a_node_without_python_uses_the_program_ping(tmp_path):
    (tmp_path / "ping").write_text("#!/bin/sh\nfor last; do :; done\ntest $last = 192.0.2.1\n")
    (tmp_path / "ping").chmod(0o755)
    found = read_answers(run(ping_text(["192.0.2.1", "192.0.2.2"], 1.0), env={"PATH": str(tmp_path)}))
    assert found == {"192.0.2.1": 0.0, "192.0.2.2": "no answer"}


@pytest.mark.parametrize("text", ["", "hello\n", "{broken\n", "[1]\n", "{" + "[" * 9999 + "\n", "answer\n"])
def test_whatever_else_a_node_prints_is_no_answer(text):
    assert read_answers(text) is None


def test_a_login_may_print_lines_before():
    assert read_answers('Welcome!\n{"192.0.2.1": 0.5}\n') == {"192.0.2.1": 0.5}
