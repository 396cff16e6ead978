# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local testbed of three pnodes for whatever boots. These tests look at nothing but its pnodes, so they may run beside others."""

from __future__ import annotations

import pytest
import support


@pytest.fixture(scope="session", name="pool")
def fixture_pool(tmp_path_factory):
    """(playbook, home, testbed) of a testbed of three pnodes with a BENITO_HOME of its own; images come from the tests' cache."""
    home = tmp_path_factory.mktemp("kinds")
    images = support.ROOT / ".cache" / "images"  # their names tell their content, so they are kept over test runs
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
    """``make(topology text, **options)``: an Experiment on those three pnodes; gone afterwards whatever happens."""
    playbook, home, testbed = pool
    with support.experiments(playbook, testbed, home, eid, tmp_path, support.Experiment.print_nodes) as make:
        yield make
