# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks with ansible-runner on a local testbed of two pnodes. All end-to-end tests share it, except those of machines/.

The fixture ``testbed`` gives the pnodes, ``ssh`` and the ``state`` of a pnode. ``playbook`` runs a playbook as a user would, from the repository's root.
"""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path

import pytest
import support
import yaml

PNODES = 2


@pytest.fixture(scope="session")
def benito_home(tmp_path_factory) -> Path:
    """Return the BENITO_HOME of these tests: the one that scripts/test.py sets, otherwise a temporary folder of pytest."""
    home = Path(os.environ.get("BENITO_TEST_HOME") or tmp_path_factory.mktemp("benito"))
    home.mkdir(parents=True, exist_ok=True)
    return home


@pytest.fixture(scope="session")
def playbook(benito_home, tmp_path_factory):
    """Return ``playbook("swapin", pid=…, eid=…)``, which runs deter.benito.swapin and returns a ``support.Run``. It must succeed unless ``fails=True``."""
    return support.Runner(benito_home, tmp_path_factory.mktemp("runner"))


@pytest.fixture(scope="session")
def testbed(playbook, benito_home):
    """Bring up a local testbed called "test", and take it down at the end of the session."""
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
    """Return an experiment name that no other test uses."""
    return f"e{uuid.uuid4().hex[:8]}"


@pytest.fixture
def experiment(playbook, testbed, eid):
    """Return ``experiment(topology, **options)``, which containerizes and swaps in under ``pid=Test``. It is always swapped out and terminated afterwards."""
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
    """Return ``run(*command)``, which runs a command on this machine and returns its standard output.

    A failure fails the test with both outputs. So does a command that has not ended after ``seconds``.
    """

    def call(*command: str, seconds: float = 900, **options) -> str:
        done = support.run_bounded(command, seconds, cwd=support.ROOT, **options)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    return call


@pytest.fixture(name="made")
def fixture_made(playbook, testbed, benito_home, eid, tmp_path):
    """Return ``made(topology text, **options)``, which containerizes and returns an Experiment. It is always terminated afterwards."""
    with support.experiments(playbook, testbed, benito_home, eid, tmp_path) as make:
        yield make


@pytest.fixture(name="more_hosts")
def fixture_more_hosts(benito_home):
    """Return ``more_hosts({name: variables})``, which adds machines to the pool for one test."""
    file = benito_home / "inventory" / "more.yml"

    def add(hosts):
        file.write_text(yaml.safe_dump({"pnode_pool": {"hosts": hosts}}))

    yield add
    file.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def user(testbed, benito_home, tmp_path_factory):
    """Return the environment of a user who has only installed the collection and the command. BENITO_HOME has the testbed's machines and no experiments."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "home").mkdir()
    (folder / "home" / "inventory").symlink_to(benito_home / "inventory")
    (folder / "bin").mkdir()
    program = folder / "bin" / "benito"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(support.ROOT)!r})\nfrom benito.main import run\nrun()\n")
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BENITO_"))}
    return {
        **kept, "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(support.ROOT), "COLUMNS": "120",
        "BENITO_HOME": str(folder / "home"), "TMPDIR": str(tmp_path_factory.mktemp("tmp")), "ANSIBLE_NOCOLOR": "1",
    }


@pytest.fixture
def play(tmp_path):
    """Return ``play("swapin", "--limit", "x", NAME="value")``, which runs a playbook as a user does who has only installed the collection.

    The folder is ``tmp_path``, with an inventory ``pool.yml`` that the test writes. There is no ansible.cfg. ``BENITO_HOME`` is its ``home``.
    Returns the ended process.

    NAME  further environment variables
    """
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    environment = {
        **kept, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "ANSIBLE_COLLECTIONS_PATH": str(support.ROOT / ".ansible" / "collections"),
        "BENITO_HOME": str(tmp_path / "home"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false",
    }

    def run_playbook(name, *options, **variables):
        command = ["ansible-playbook", "-i", "pool.yml", name if "." in name else f"deter.benito.{name}", *options]
        done = support.run_bounded(command, 300, cwd=tmp_path, env={**environment, **variables})
        print(done.stdout, done.stderr)
        return done

    return run_playbook
