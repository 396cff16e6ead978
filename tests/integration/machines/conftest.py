# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide a local testbed of three pnodes for tests whose nodes boot. These tests look only at its pnodes, so they can run beside other suites."""

from __future__ import annotations

import pytest
import support


@pytest.fixture(scope="session", name="pool")
def fixture_pool(tmp_path_factory):
    """Return (playbook, home, testbed) of a testbed of three pnodes with its own BENITO_HOME. Images come from the cache of the tests."""
    home = tmp_path_factory.mktemp("kinds")
    images = support.ROOT / ".cache" / "images"  # they are named after their content, so test runs can share them
    images.mkdir(parents=True, exist_ok=True)
    (home / "cache").mkdir()
    (home / "cache" / "images").symlink_to(images)
    playbook = support.Runner(home, tmp_path_factory.mktemp("kinds-runner"))
    settings = {"testbed": "kinds", "pnodes": 3, "local_testbed_cache": str(support.ROOT / ".cache" / "testbed")}
    try:
        playbook("local_testbed", **settings)
        yield playbook, home, support.Testbed(home / "inventory" / "local_testbed_kinds.yml")
    finally:
        playbook("local_testbed", **settings, state="down")


@pytest.fixture(name="make")
def fixture_make(pool, eid, tmp_path):
    """Return ``make(topology text, **options)``, which makes an Experiment on these three pnodes. It is always terminated afterwards."""
    playbook, home, testbed = pool
    with support.experiments(playbook, testbed, home, eid, tmp_path, support.Experiment.print_nodes) as make:
        yield make
