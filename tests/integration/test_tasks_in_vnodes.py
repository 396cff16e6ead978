# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible tasks run inside process vnodes of a running experiment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import support

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
