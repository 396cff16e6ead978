# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment on the disk whose machines are reached by an SSH client that is a script here: it prints the lines of a file as they are added."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.allocation import Allocation, PoolHost
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory

from benito import Experiment


class LentExperiment(Experiment):
    """An experiment that a test lends machines to."""

    def __init__(self, eid, home, folder):
        super().__init__("DeterTest", eid, str(home))
        self.folder, self.files = folder, ExperimentDirectory(str(home), "DeterTest", eid)

    def lend(self, **variables):
        """Lend a machine for each pnode, as a swap-in does, with these variables of the inventory."""
        hosts = {}
        for vhost in self.assignment:
            (self.folder / vhost).touch()
            client = self.folder / f"ssh-{vhost}"
            client.write_text(f"#!/bin/sh\nfor word; do far=$word; done\necho \"$$ $far\" >> {self.folder}/clients\nexec tail -n +1 -f {self.folder / vhost}\n")
            client.chmod(0o755)
            reached = {"ansible_host": "192.0.2.7", "ansible_user": "root", "ansible_ssh_executable": str(client), **variables}
            hosts[vhost] = PoolHost(f"m-{vhost}", variables=reached)
        self.files.write("allocation.json", Allocation(hosts).to_json())

    def tell(self, vhost, *lines):
        """Let a vhost say something. All its nodes are booted, if nothing else is said."""
        booted = {"state": "booted", "exit_code": None, "start_command": "", "exit_status": None, "since": "2026-11-29T20:14:31.007Z"}
        lines = lines or ({"event": "snapshot", "startup": [0, ""], "nodes": {node: booted for node in self.assignment[vhost]}},)
        with open(self.folder / vhost, "a", encoding="utf-8") as handle:
            handle.writelines(json.dumps(line) + "\n" for line in lines)

    def clients(self):
        """Return [(process id, far command)] of every client that there was."""
        path = self.folder / "clients"
        return [tuple(line.split(maxsplit=1)) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def lent(created, home, tmp_path, monkeypatch):
    """Return a LentExperiment of eight nodes on two pnodes that is swapped out. It is gone afterwards."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    source = home / "proj" / "DeterTest" / "exp" / "first"
    shutil.copytree(source, source.with_name("lent"))
    yield LentExperiment("lent", home, tmp_path)
    shutil.rmtree(source.with_name("lent"), ignore_errors=True)
