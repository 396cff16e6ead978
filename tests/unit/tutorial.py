# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topologies of examples/tutorial."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ansible_collections.deter.benito.plugins.module_utils.topology.readers import read_topology

FOLDER = Path(__file__).parents[2] / "examples" / "tutorial"


@cache
def tutorial(name):
    """(topology, warnings as texts) of a file of that folder."""
    topology, warnings = read_topology(str(FOLDER / name), name)
    return topology, [str(warning) for warning in warnings]
