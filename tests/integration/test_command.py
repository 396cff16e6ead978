# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command benito swaps an experiment in and out as a user calls it, with Ctrl-C, and with a machine that does not answer."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
import support
from machine_state import difference
from topologies import topdl

PAIR = topdl({"a": {"on": ["link0"], "startup": "exit 3"}, "b": {"on": ["link0"], "startup": "sleep 100000"}})
FORGOTTEN = r"^Exception ignored in: <.*\nTraceback \(most recent call last\):\n(?:[ \t].*\n|\n)*KeyboardInterrupt:? *\n"
"""What Python prints in place of obeying a signal that comes while it forks. benito sends the signal again."""


@pytest.fixture(name="benito")
def fixture_benito(user, tmp_path):
    """Return ``benito("show", "--json", status=0)``, which runs the command in an empty folder and returns its standard output."""

    def run(*words, status=0):
        done = support.run_bounded(["benito", *words], 200, cwd=tmp_path, env=user)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stderr if status else done.stdout

    return run


@pytest.fixture(name="name")
def fixture_name(benito, tmp_path, eid):
    """Create an experiment of two process nodes, and return its name. It is terminated afterwards."""
    (tmp_path / "pair.xml").write_text(PAIR)
    benito("create", f"Test/{eid}", "pair.xml", "--packing", "1", "--no-image")
    yield f"Test/{eid}"
    with suppress(AssertionError):
        benito("terminate", f"Test/{eid}")


def path_of(user, name):
    return Path(user["BENITO_HOME"], "proj", "Test", "exp", name.partition("/")[2])


def state_of(user, name):
    return json.loads((path_of(user, name) / "state.json").read_text())["state"]


def nodes_of(benito, name):
    return {node["node"]: (node["state"], node["start_command"]) for node in json.loads(benito("show", name, "--json"))["nodes"]}


def test_an_experiment_is_swapped_in_shown_waited_for_and_swapped_out(benito, user, testbed, name):
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    assert json.loads(benito("swapin", name, "--json")) == {"experiment": name, "state": "active"}
    assert nodes_of(benito, name)["b"] == ("booted", "running")
    table = benito("wait", "--until", "booted", "--timeout", "60")
    assert [line.split()[0] for line in table.splitlines()] == ["NODE", "a", "b", "substrates:"]
    assert "not all nodes have ended their start commands in time: b" in benito("wait", "--until", "ended", "--timeout", "1", status=3)
    assert benito("reboot", "nosuch", "--json", status=1).endswith("has no node nosuch; it has a, b\n")
    assert json.loads(benito("swapout", "--json"))["state"] == "swapped"
    assert all(difference(before[pnode], testbed.state(pnode)) == [] for pnode in testbed.pnodes)
    benito("terminate", name)
    assert not path_of(user, name).exists() and os.listdir(user["TMPDIR"]) == []


def test_a_vhost_that_does_not_answer_is_named_and_the_others_are_shown(benito, user, name):
    benito("swapin", name)
    path = path_of(user, name) / "allocation.json"
    allocation = json.loads(path.read_text())
    try:
        lost = {**allocation["hosts"]["pnode-0000"], "variables": {**allocation["hosts"]["pnode-0000"]["variables"], "ansible_port": 1}}
        path.write_text(json.dumps({**allocation, "hosts": {**allocation["hosts"], "pnode-0000": lost}}))
        message = benito("show", name, status=1)
        assert "pnode-0000 (test-" in message and "refused" in message and "pnode-0001" not in message
        assert "cannot wait for" in benito("wait", name, "--timeout", "5", status=1)
    finally:
        path.write_text(json.dumps(allocation))
    assert nodes_of(benito, name)["a"][0] == "booted"


def begun(user, name, command):
    """Wait until a run of the command has changed the experiment's state, and return the process ids of its ansible-playbook."""
    support.wait_until(f"{command} to begin", lambda: state_of(user, name) in ("activating", "swapping"), 30)
    return playbooks(user)


def playbooks(user):
    found = subprocess.run(["pgrep", "-f", f"ansible-playbook deter.benito.*{user['TMPDIR']}/benito-run-"], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_an_interrupt_reaches_ansible_playbook_and_the_next_run_goes_on(benito, user, name, tmp_path):
    for words in (["swapin", name], ["swapin", name, "--json"]):
        with subprocess.Popen(["benito", *words], cwd=tmp_path, env=user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert begun(user, name, "swapin")
            process.send_signal(signal.SIGINT)
            output = process.communicate(timeout=60)[0]
        assert (process.returncode, state_of(user, name)) == (130, "activating"), output
        assert output.endswith("benito: interrupted\n") and "Traceback" not in re.sub(FORGOTTEN, "", output, flags=re.MULTILINE)
        assert playbooks(user) == [] and os.listdir(user["TMPDIR"]) == []
        benito("swapout", name)
    benito("swapin", name)
    assert state_of(user, name) == "active"


@pytest.mark.parametrize("words", [("swapin",), ("swapin", "--json")])
def test_ctrl_c_at_a_terminal_reaches_ansible_playbook(user, name, tmp_path, words):
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execvpe("benito", ["benito", words[0], name, *words[1:]], {**user})
    begun(user, name, "swapin")
    output, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if select.select([terminal], [], [], 2)[0]:
                output += os.read(terminal, 65536)
            if output.count(b"^C") < 5:  # Ansible may miss one that comes while it starts a process
                os.write(terminal, b"\x03")
        except OSError:  # the program has ended
            break
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130, output
    assert output.endswith(b"benito: interrupted\r\n") and output.count(b"benito: interrupted") == 1
    assert state_of(user, name) == "activating" and playbooks(user) == [] and os.listdir(user["TMPDIR"]) == []
