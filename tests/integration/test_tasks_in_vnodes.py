# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible tasks run inside process vnodes of a running experiment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import support
from topologies import topdl

QUICKSTART = support.ROOT / "examples" / "quickstart" / "quickstart.xml"
NODES = ["east-1", "east-2", "east-3", "router-east", "router-west", "west-1", "west-2", "west-3"]


def test_tasks_run_in_the_node_and_files_are_copied_and_fetched(experiment, playbook, tmp_path):
    identity = experiment(QUICKSTART, packing=4)
    named = [argument for name, value in identity.items() for argument in ("-e", f"{name}={value}")]

    def task(hosts: str, module: str, arguments: str) -> dict[str, dict]:
        command = [str(Path(sys.executable).parent / "ansible"), hosts, *named, "-m", f"ansible.builtin.{module}", "-a", arguments]
        environment = {**playbook.environment(), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.tree"}
        folder = tmp_path / "results"
        done = subprocess.run([*command, "-t", str(folder)], cwd=support.ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}

    assert {name: result["stdout"] for name, result in task("vnodes", "command", "hostname").items()} == {name: name for name in NODES}
    assert task("west-1", "command", "ping -c 1 -w 60 east-1")["west-1"]["rc"] == 0
    for content in (b"", bytes(range(256)) * 1000):
        (tmp_path / "there").write_bytes(content)
        task("west-1", "copy", f"src={tmp_path}/there dest=/var/benito/there")
        task("west-1", "fetch", f"src=/var/benito/there dest={tmp_path}/back flat=true")
        assert (tmp_path / "back").read_bytes() == content
    assert task("west-2", "stat", "path=/var/benito/there")["west-2"]["stat"]["exists"] is False, "each node has its own /var/benito"


@pytest.fixture(name="stock_sshd")
def fixture_stock_sshd(testbed):
    """Give the pnodes' SSH service the limits that OpenSSH has by default."""
    change = "sed -i '{}' /etc/ssh/sshd_config.d/*; systemctl reload ssh; sshd -T | grep -i '^maxs'"
    before = "s/^MaxSessions .*/MaxSessions 100/; s/^MaxStartups .*/MaxStartups 100:30:200/"
    for pnode in testbed.pnodes:
        done = testbed.ssh(pnode, change.format("s/^MaxSessions .*/MaxSessions 10/; s/^MaxStartups .*/MaxStartups 10:30:100/"))
        assert sorted(done.stdout.split()) == ["10", "10:30:100", "maxsessions", "maxstartups"]
    yield
    for pnode in testbed.pnodes:
        testbed.ssh(pnode, change.format(before))


@pytest.fixture(name="sockets")
def fixture_sockets():
    """Return a folder for SSH's sockets with a short path: that of a socket has at most 108 characters."""
    with tempfile.TemporaryDirectory(prefix="benito-test-", dir="/tmp") as folder:
        yield folder


def test_two_hundred_nodes_are_reached_a_hundred_at_a_time_with_stock_sshd(experiment, playbook, testbed, stock_sshd, tmp_path, sockets):
    topology = tmp_path / "many.xml"
    topology.write_text(topdl({f"n-{number}": {"on": [f"lan{number // 50}"]} for number in range(200)}))
    identity = experiment(topology, packing=100)
    named = [argument for name, value in identity.items() for argument in ("-e", f"{name}={value}")]
    environment = {**playbook.environment(), "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets}

    def raw(hosts: str, command: str, *options: str) -> str:
        argv = [str(Path(sys.executable).parent / "ansible"), hosts, *named, "-m", "ansible.builtin.raw", "-a", command, *options]
        done = subprocess.run(argv, cwd=support.ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300)
        return done.stdout

    found = raw("kind_process", "hostname", "-f", "100")
    assert dict(re.findall(r"^(\S+) \| CHANGED \| rc=0 >>\n(\S+)", found, re.MULTILINE)) == {f"n-{number}": f"n-{number}" for number in range(200)}
    sessions = [testbed.ssh(pnode, "pgrep -fc '[e]nter .*--serve'", check=False).stdout.strip() for pnode in testbed.pnodes]
    assert sessions == ["1", "1"], "one session for each vhost"

    began = time.monotonic()
    ended = raw("n-0", "exec sleep 1234.5", "--task-timeout", "5")
    assert "FAILED" in ended and time.monotonic() - began < 120
    support.wait_until("the command of the ended task to be killed",
                       lambda: all(testbed.ssh(pnode, "pgrep -f '[s]leep 1234.5'", check=False).returncode for pnode in testbed.pnodes))
    for pnode in testbed.pnodes:
        testbed.ssh(pnode, "pkill -f '[e]nter .*--serve'")
    assert "n-0 | CHANGED" in raw("n-0", "true"), "a session that has died is started again"
