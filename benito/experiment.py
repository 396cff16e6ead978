# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The class Experiment: one experiment below BENITO_HOME. docs/python.md has an example of each method."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import (
    ACTIVATING,
    ACTIVE,
    SWAPPED,
    SWAPPING,
    ExperimentDirectory,
    ExperimentState,
    benito_home,
)
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.node_table import BOOTED, ENDED

from .errors import ExperimentError, InputError, Problem, RunError, WaitTimeout
from .runs import Run, run_playbook

_POLL_S = 0.5  # while another run swaps the experiment in


@dataclass(frozen=True)
class Status:
    """An experiment and its nodes as the vhosts report them now.

    state       of the experiment, as Experiment.state
    since       when it became so, ISO 8601 with offset
    reason      why it failed, "" in every other state
    nodes       a dictionary for each node: node, kind, pnode, machine, state, start_command, remark, all texts; () while it is swapped out
    substrates  lines of text: how many are up, and which are not
    failures    lines of text: which vhosts could not be asked, and why
    """

    state: str
    since: str
    reason: str
    nodes: tuple[dict[str, str], ...] = ()
    substrates: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


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
        return self.read_state().state

    def read_state(self) -> ExperimentState:
        """Return its state with since, reason and holder. Raises ExperimentError as ``state`` does."""
        return self._directory.read_state()

    @property
    def link(self) -> str:
        """The address of its results: the experiment directory as file://…"""
        return Path(self.directory).as_uri()

    @property
    def assignment(self) -> dict[str, list[str]]:
        """{pnode: names of its nodes}, as planned. Raises ExperimentError if it cannot be read."""
        return read_assignment(self._directory)

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

    # -- nodes ---------------------------------------------------------------

    def status(self) -> Status:
        """Ask the vhosts for the state of all nodes. A vhost that does not answer is no error: its nodes are ``unknown``, and ``failures`` says why.

        Raises ExperimentError if the experiment does not exist, RunError if it cannot be looked at.
        """
        return self._look({})[0]

    def nodes(self) -> list[dict[str, str]]:
        """Return a dictionary for each node, see Status.nodes. Raises as ``status`` does."""
        return list(self.status().nodes)

    def wait(self, until: str = BOOTED, timeout: float = 600) -> Status:
        """Wait until all nodes have booted, or until all start commands have ended, and return the status then.

        until    "booted" or "ended". Nodes without a start command have none to end
        timeout  in seconds. A run of another program that swaps the experiment in is waited for, too

        Raises WaitTimeout that names some of the nodes, ExperimentError if it is not swapped in, RunError if a vhost cannot be asked.
        """
        if until not in (BOOTED, ENDED):
            raise InputError(Problem(f"{until!r} is not something to wait for", element="until", hint=f"{BOOTED} or {ENDED}"))
        deadline = time.monotonic() + timeout
        while (state := self.read_state()).state in (ACTIVATING, SWAPPING) and state.holder and state.holder.lives():
            if time.monotonic() > deadline:
                raise WaitTimeout(f"experiment {self} is still {state.state} after {timeout:g} s")
            time.sleep(_POLL_S)
        if state.state != ACTIVE:
            raise ExperimentError(f"experiment {self} is {state}: swap it in first")
        status, late = self._look({"wait_until": until, "wait_timeout": max(0.0, deadline - time.monotonic())})
        if status.failures:
            raise RunError("show", 1, tuple(("", line.strip()) for line in status.failures), f"cannot wait for {self}")
        if late:
            raise WaitTimeout(late)
        return status

    def reboot(self, nodes: Sequence[str], *, show: bool = False) -> None:
        """Reboot these nodes, and wait until they have booted and their start commands have started.

        Raises ExperimentError if the experiment does not exist, RunError for unknown nodes or a failure.
        """
        self._directory.require()
        self.play("node_reboot", {"nodes": list(nodes)}, f"{self}: not all nodes were rebooted", show=show)

    def draw(self, out: str | None = None, *, partitions: bool = False, show: bool = False) -> str:
        """Draw the picture of the topology and return the absolute path of its file.

        out         .svg, .png, .pdf or .dot; by default EID.svg in the working directory
        partitions  whether to draw a box for each pnode

        Raises ExperimentError if the experiment does not exist, RunError if it cannot be drawn.
        """
        self._directory.require()
        path = Path(out or f"{self.eid}.svg").expanduser().absolute()
        self.play("image", {"out": str(path), "partitions": partitions}, f"the picture of {self} was not drawn", show=show)
        return str(path)

    def _look(self, variables: Mapping[str, Any]) -> tuple[Status, str]:
        """Return (status, which nodes are not what was waited for, as a sentence)."""
        state = self.read_state()
        if state.state == SWAPPED:
            return Status(state.state, state.since, state.reason), ""
        run = run_playbook("show", {"pid": self.pid, "eid": self.eid, **variables}, self.home)
        found = run.result("Make the table of the nodes")
        if not found or found.get("failed"):
            run.require(f"{self} cannot be looked at")
        status = Status(found["state"], state.since, state.reason, tuple(found["nodes"]), tuple(found["substrates"]), tuple(found["failures"]))
        return status, found["message"][-1] if found["late"] else ""


def read_assignment(directory: ExperimentDirectory) -> dict[str, list[str]]:
    """Return {pnode: names of its nodes} of assignment.yaml. Raises ExperimentError if it cannot be read."""
    import yaml  # here, because few commands need it

    try:
        return dict(yaml.safe_load(directory.read("assignment.yaml")) or {})
    except (ValueError, TypeError, yaml.YAMLError) as exc:
        raise ExperimentError(f"{directory.assignment} is broken: {exc}") from exc
