# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan where it lies on the vhost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.base.plan_file import is_applied, read_applied, read_plan, remember_applied
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PATHS = ExperimentPaths("Proj.exp")


@sandboxed
def test_a_plan_that_is_absent_of_another_experiment_or_damaged_is_refused():
    with pytest.raises(HostError, match="no experiment Proj.exp on this host"):
        read_plan(PATHS)
    install_plan(plan())
    assert read_plan(PATHS) == plan()
    Path(PATHS.plan).write_text(Path(PATHS.plan).read_text().replace('"exp"', '"other"'))
    with pytest.raises(HostError, match="is the plan of Proj.other, not of Proj.exp"):
        read_plan(PATHS)
    Path(PATHS.plan).write_bytes(b"\xff")
    with pytest.raises(HostError, match="host.json is damaged"):
        read_plan(PATHS)


@sandboxed
def test_what_was_applied_is_remembered_part_by_part():
    os.makedirs(PATHS.run)
    assert read_applied(PATHS, "processes") is None and not is_applied(PATHS, "processes")
    remember_applied(PATHS, "processes", plan())
    assert read_applied(PATHS, "processes") == plan() and is_applied(PATHS, "processes") and not is_applied(PATHS, "machines")
