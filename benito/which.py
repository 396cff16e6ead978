# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the experiment that a command line means."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ACTIVE, ExperimentDirectory, benito_home, experiments

from .errors import NoChoice
from .experiment import Experiment

VARIABLE = "BENITO_EXPERIMENT"
_MOST = 10


def split_name(name: str) -> tuple[str, str]:
    """Return (project or PID/GID, eid) of ``PID/EID`` or ``PID/GID/EID``. Raises NoChoice for any other form."""
    project, slash, eid = name.rpartition("/")
    if not slash or not project or not eid:
        raise NoChoice(f"{name!r} names no experiment: write PID/EID, or PID/GID/EID for one of a group")
    return project, eid


def which(name: str | None = None, home: str | None = None) -> Experiment:
    """Return the experiment ``name``, else that of the environment variable BENITO_EXPERIMENT, else the only active one.

    Raises NoChoice that lists the candidates if there is not one, and InputError for names that are none. It need not exist.
    """
    said = name or os.environ.get(VARIABLE)
    if said:
        return Experiment(*split_name(said), home=home)
    active = active_experiments(home)
    if len(active) == 1:
        return Experiment(*split_name(active[0]), home=home)
    if active:
        raise NoChoice(f"which experiment? {_some(active)} are active: name one as PID/EID, or set {VARIABLE}")
    known = [f"{project}/{eid}" for project, eid in experiments(home)]
    there = f"there are {_some(known)}" if known else f"there is none below {benito_home(home)}"
    raise NoChoice(f"which experiment? none is active; {there}: name one as PID/EID, or set {VARIABLE}")


def which_of(arguments: Sequence[str], home: str | None = None) -> tuple[Experiment, list[str]]:
    """Return (experiment, the other arguments) of ``[PID/EID] ARGUMENT…``. Only an experiment has a slash in the first argument."""
    if arguments and "/" in arguments[0]:
        return which(arguments[0], home), list(arguments[1:])
    return which(None, home), list(arguments)


def active_experiments(home: str | None = None) -> list[str]:
    """Return the names of the experiments that are swapped in, as PID/EID."""
    found = []
    for project, eid in experiments(home):
        try:
            if ExperimentDirectory(home, project, eid).read_state().state == ACTIVE:
                found.append(f"{project}/{eid}")
        except BenitoError:  # a broken one is not active
            continue
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
