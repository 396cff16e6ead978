# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topologies of examples/tutorial."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ansible_collections.deter.benito.plugins.module_utils.topology.ns.reader import read_ns
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl

FOLDER = Path(__file__).parents[2] / "examples" / "tutorial"


@cache
def tutorial(name):
    """(topology, warnings as texts) of a file of that folder."""
    topology, warnings = (read_ns if name.endswith(".tcl") else read_topdl)(str(FOLDER / name), name)
    return topology, [str(warning) for warning in warnings]
