# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The experiment that another program names."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory, experiments

from ..which import split_name


def named_experiment(home: str, name: str) -> ExperimentDirectory:
    """Return the experiment ``PID/EID`` or ``PID/GID/EID``. The group may be left out, because no two experiments of a project have one name.

    Raises NoChoice or InputError for a text that is no name, ExperimentError if there is no such experiment.
    """
    project, eid = split_name(name)
    found = ExperimentDirectory(home, project, eid)
    if not found.exists() and "/" not in project:
        for other, its_eid in experiments(home):
            if its_eid == eid and other.startswith(f"{project}/"):
                return ExperimentDirectory(home, other, eid)
    return found.require()
