# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command watch as a process: its lines, its end by a signal, by the end of the experiment and by that of its reader. No client of a vhost is left."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
LIMIT_S = 30.0


@pytest.fixture(name="watch")
def fixture_watch(lent, home):
    """Return ``watch("--json", **options of Popen)``, which starts the command for the experiment that is swapped in."""
    processes = []
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BENITO_"))}
    kept |= {"PYTHONPATH": str(ROOT), "BENITO_HOME": str(home), "COLUMNS": "100", "LINES": "24", "TERM": "xterm"}

    def start(*words, variables=(), **options):
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        processes.append(subprocess.Popen([sys.executable, "-m", "benito", "watch", "DeterTest/lent", *words], env={**kept, **dict(variables)}, **pipes))
        return processes[-1]

    lent.lend()
    for vhost in lent.assignment:
        lent.tell(vhost)
    yield start
    for process in processes:
        process.kill()
        process.communicate()


def left(lent):
    """Return the clients that have not ended within a few seconds."""
    deadline = time.monotonic() + 5
    while (found := [pid for pid, _far in lent.clients() if os.path.exists(f"/proc/{pid}")]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def until(stream, text):
    for line in stream:
        if text in line:
            return line
    pytest.fail(f"the output ended without {text}")


def test_the_first_line_is_a_settled_snapshot_and_the_last_tells_of_the_end(watch, lent):
    process = watch("--json")
    first = json.loads(process.stdout.readline())
    assert (first["event"], {node["state"] for node in first["nodes"].values()}, len(first["nodes"])) == ("snapshot", {"booted"}, 8)
    assert all(vhost["reachable"] and vhost["startup"] == [0, ""] for vhost in first["vhosts"].values())
    shutil.rmtree(lent.directory)
    assert json.loads(until(process.stdout, "gone"))["experiment"] == "DeterTest/lent"
    assert process.communicate(timeout=LIMIT_S) == ("", "") and process.returncode == 0
    assert left(lent) == []


def test_without_a_terminal_it_prints_lines_even_if_colours_are_forced(watch):
    process = watch(variables={"FORCE_COLOR": "1"})
    assert process.stdout.readline().endswith(" experiment DeterTest/lent is swapped\n")
    assert " is booted (process on pnode-000" in process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_sentence(watch, lent, number):
    process = watch("--json")
    process.stdout.readline()
    process.send_signal(number)
    out, error = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, error, left(lent)) == (130, "benito: interrupted\n", []), out


def test_it_ends_without_a_traceback_when_nobody_reads_its_output(watch, lent):
    process = watch("--json")
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    node = lent.assignment["pnode-0000"][0]
    deadline = time.monotonic() + LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        for state in ("running", "paused"):
            lent.tell("pnode-0000", {"event": "node", "node": node, "state": state})
        time.sleep(0.2)
    assert process.poll() is not None and process.stderr.read() == "" and left(lent) == []


def test_on_a_terminal_the_table_is_drawn_until_ctrl_c(watch, lent):
    ours, theirs = pty.openpty()
    process = watch(stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen, deadline, told, stopped = b"", time.monotonic() + LIMIT_S, False, False
    try:
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.2)[0]:
                seen += os.read(ours, 65536)
            if not told and b"8 booted" in seen:
                lent.tell("pnode-0000", {"event": "node", "node": lent.assignment["pnode-0000"][0], "state": "dead", "exit_code": 137})
                told = True
            if b"dead (137)" in seen and not stopped:
                stopped = True
                process.send_signal(signal.SIGINT)
    except OSError:  # the program has ended
        pass
    os.close(ours)
    assert process.wait(LIMIT_S) == 130 and b"7 booted, 1 dead" in seen and b"Traceback" not in seen, seen
    assert seen.rstrip().endswith(b"benito: interrupted") and left(lent) == []


def test_an_experiment_that_does_not_exist_is_named(watch, lent):
    shutil.rmtree(lent.directory)
    process = watch()
    out, error = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (1, "") and "experiment DeterTest/lent does not exist" in error
