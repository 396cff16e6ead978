# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A BENITO_HOME with experiments of every kind of node, and a short path for a socket."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.tests.unit.benito.serve.followed import create
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo

from benito.reach.members import Members

KINDS = {"v": {"node_type": "qemu"}, "c": {"node_type": "openvz"}, "p": {"node_type": "process"}, "n": {"node_type": "process", "vhost": "v"},
         "m": {"node_type": "embedded_pnode"}}


@pytest.fixture(scope="session")
def rpc_home(tmp_path_factory) -> Path:
    """Return a BENITO_HOME with DeterTest/kinds, which has all four kinds and a nested process, and Proj/Group/pair. Both are swapped out."""
    home = tmp_path_factory.mktemp("rpc") / "home"
    create(home, "DeterTest", "kinds", vtopo({"lan": "v c p n m"}, **KINDS))
    create(home, "Proj/Group", "pair", vtopo({"lan": "a b"}, a={"node_type": "process"}, b={"node_type": "process"}))
    return home


@pytest.fixture(scope="session")
def carried(rpc_home) -> dict[str, dict[str, str]]:
    """Return which vhost carries which node of DeterTest/kinds, as a watcher has it."""
    return Members(ExperimentDirectory(str(rpc_home), "DeterTest", "kinds")).carried


@pytest.fixture
def path() -> Iterator[str]:
    """Return the path of a socket that does not exist yet."""
    with tempfile.TemporaryDirectory(prefix="rpc") as folder:
        yield f"{folder}/grandstand.sock"
