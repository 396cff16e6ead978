# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The class Experiment: one experiment below BENITO_HOME. docs/python.md has an example of each method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory, benito_home

from .runs import Run, run_playbook


class Experiment:
    """An experiment below BENITO_HOME. Making the object touches no file, and the experiment need not exist.

    pid   its project, or PID/GID for one of a group
    eid   its name
    home  BENITO_HOME, by default that of the environment or ~/.benito

    Methods that run a playbook take ``show``: whether its output goes to this program's own as it comes. Raises InputError for names that are none.
    """

    def __init__(self, pid: str, eid: str, home: str | None = None):
        self._directory = ExperimentDirectory(home, pid, eid)

    def __repr__(self) -> str:
        return f"Experiment({self.pid!r}, {self.eid!r}, home={self.home!r})"

    def __str__(self) -> str:
        return f"{self.pid}/{self.eid}"

    @property
    def pid(self) -> str:
        """Its project, or PID/GID."""
        return self._directory.project

    @property
    def eid(self) -> str:
        return self._directory.eid

    @property
    def home(self) -> str:
        """BENITO_HOME, an absolute path."""
        return self._directory.home

    @property
    def directory(self) -> str:
        """The absolute path of the experiment directory, which docs/concepts.md describes."""
        return self._directory.path

    @property
    def state(self) -> str:
        """One of swapped, activating, active, swapping, failed. Raises ExperimentError if the experiment does not exist or its state is broken."""
        return self._directory.read_state().state

    # -- life ----------------------------------------------------------------

    @classmethod
    def create(cls, pid: str, eid: str, file: str, *, home: str | None = None, show: bool = False, **settings: Any) -> Experiment:
        """Create the experiment from the topology in ``file`` and return it.

        file      TopDL, NS, GraphML or containerlab; a relative path is relative to the working directory
        settings  any setting of docs/site.md by its name, such as packing=4; also site=FILE and config=FILE

        Raises InputError for names that are none, RunError with every fault of topology and settings, or if the experiment exists.
        """
        experiment = cls(pid, eid, benito_home(home))
        experiment.play("containerize", {"topology": str(file), **settings}, f"{experiment} was not created", show=show)
        return experiment

    def swapin(self, *, show: bool = False, **variables: Any) -> None:
        """Swap in: give the experiment machines, build its nodes and run their start commands. Repairs one that is active.

        variables  those that docs/playbooks.md lists for swapin, such as pnode_types

        Raises ExperimentError if the experiment does not exist, RunError with the reason of each machine.
        """
        self._directory.require()
        self.play("swapin", variables, f"{self} was not swapped in", show=show)

    def swapout(self, *, show: bool = False, forget_unreachable: bool = False) -> None:
        """Swap out: remove everything of the experiment from its machines. Changes nothing where it is swapped out.

        forget_unreachable  whether to give up machines that cannot be reached any more

        Raises ExperimentError if the experiment does not exist, RunError with the reason of each machine.
        """
        self._directory.require()
        self.play("swapout", {"forget_unreachable": True} if forget_unreachable else {}, f"{self} was not swapped out", show=show)

    def terminate(self, *, show: bool = False, forget_unreachable: bool = False) -> None:
        """Swap out and remove the experiment directory. Raises as ``swapout`` does."""
        self._directory.require()
        self.play("terminate", {"forget_unreachable": True} if forget_unreachable else {}, f"{self} was not terminated", show=show)

    def play(self, playbook: str, variables: Mapping[str, Any], title: str, *, show: bool = False) -> Run:
        """Run a playbook of the collection on this experiment and return what it did. Raises RunError with ``title`` and the reasons."""
        return run_playbook(playbook, {"pid": self.pid, "eid": self.eid, **variables}, self.home, show=show).require(title)
