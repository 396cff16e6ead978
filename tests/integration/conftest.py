# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks driven through ansible-runner, on a local testbed of two pnodes that all end-to-end tests but those of machines/ share.

``testbed`` is the testbed (its pnodes, ``ssh``, ``state`` of a pnode), ``playbook`` runs one as a user would from the repository's root.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path

import pytest
import support

PNODES = 2


@pytest.fixture(scope="session")
def benito_home(tmp_path_factory) -> Path:
    """BENITO_HOME of these tests. scripts/test.py says where; by hand it is a folder of pytest's."""
    home = Path(os.environ.get("BENITO_TEST_HOME") or tmp_path_factory.mktemp("benito"))
    home.mkdir(parents=True, exist_ok=True)
    return home


@pytest.fixture(scope="session")
def playbook(benito_home, tmp_path_factory):
    """``playbook("swapin", pid=…, eid=…)`` runs deter.benito.swapin; a ``support.Run``. Expects success unless ``fails=True``."""
    return support.Runner(benito_home, tmp_path_factory.mktemp("runner"))


@pytest.fixture(scope="session")
def testbed(playbook, benito_home):
    """A local testbed called "test", up; down at the end of the session."""
    if os.geteuid() != 0:
        pytest.fail("the end-to-end tests need root: they make system containers")
    settings = {"testbed": "test", "pnodes": PNODES, "local_testbed_cache": str(support.ROOT / ".cache" / "testbed")}
    try:
        playbook("local_testbed", **settings)
        yield support.Testbed(benito_home / "inventory" / "local_testbed_test.yml")
    finally:
        playbook("local_testbed", **settings, state="down")


@pytest.fixture
def eid() -> str:
    """An experiment name that no other test has."""
    return f"e{uuid.uuid4().hex[:8]}"


@pytest.fixture
def experiment(playbook, testbed, eid):
    """``experiment(topology, **options)`` containerizes and swaps in under ``pid=Test``; swapped out and terminated whatever happens."""
    made = []

    def make(topology, **options):
        identity = {"pid": "Test", "eid": eid}
        playbook("containerize", **identity, topology=str(topology), **{"image": False, **options})
        made.append(identity)
        playbook("swapin", **identity)
        return identity

    yield make
    for identity in made:
        playbook("swapout", **identity)
        playbook("terminate", **identity)


@pytest.fixture
def run():
    """A command on this machine; its standard output. Fails the test with both outputs where it fails."""

    def call(*command: str, **options) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=support.ROOT, **options)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    return call


@pytest.fixture(name="made")
def fixture_made(playbook, testbed, benito_home, eid, tmp_path):
    """``made(topology text, **options)``: an Experiment, containerized; gone afterwards whatever happens."""
    with support.experiments(playbook, testbed, benito_home, eid, tmp_path) as make:
        yield make
