# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of projects, their groups and experiments."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import is_experiment
from ansible_collections.deter.benito.plugins.module_utils.names import experiment_name, is_project


@pytest.mark.parametrize("project", ["DeterTest", "DeterTest/teamA"])
def test_hosts_know_an_experiment_by_its_project_whatever_its_group(project):
    assert is_project(project)
    assert experiment_name(project, "example1") == "DeterTest.example1"
    assert is_experiment(experiment_name(project, "example1"))


@pytest.mark.parametrize("text", ["", "/", "a/", "/a", "a//b", "a/b/c", "a/..", "../a", "a/b c", "a/$(id)"])
def test_what_is_no_project_and_no_group_of_one(text):
    assert not is_project(text)
