# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source of an inventory, which is an experiment or a topology file, and the connection variables of its hosts.

Planning and its libraries are imported only when they are needed. An experiment's own inventory.json usually makes them needless, and
every ansible-playbook waits for this module.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ..embedding.kinds import EMBEDDED_PNODE, PROCESS
from ..errors import ExperimentError, InputError, Problem
from ..experiment.access import reach
from ..experiment.directory import ExperimentDirectory
from ..experiment.machine_access import machine_secrets, through_vhost
from .data import from_json, group_name

if TYPE_CHECKING:  # read only when there is an allocation: every run of Ansible reads this file
    from ..embedding.placement.allocation import Allocation

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """The input from which an inventory is made.

    topology_text  the partitioned topology, of an experiment in TopDL
    source         its name in messages
    prepared       text of inventory.json, "" without one
    pool_hosts     {pnode: PoolHost} while swapped in
    secrets        {pnode: {connection variable: password}} while swapped in
    control        {node: its address on the control network, with prefix length} while swapped in
    directory      of the experiment
    state          state of the experiment, "" for a topology that is none
    warnings       about broken or oddly named files
    """

    topology_text: bytes
    source: str
    pid: str = ""
    eid: str = ""
    prepared: str = ""
    pool_hosts: dict = field(default_factory=dict)
    control: dict = field(default_factory=dict)
    directory: str = ""
    allocation_text: str = ""
    state: str = ""
    warnings: tuple[str, ...] = ()
    secrets: dict = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Return a digest of all input of ``data``, and of the allocation."""
        parts = (self.topology_text, self.allocation_text.encode(), f"{self.pid}.{self.eid}".encode())
        return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:32]

    @property
    def experiment(self) -> str:
        return f"{self.pid}.{self.eid}" if self.pid else ""

    @property
    def group(self) -> str:
        """Return the experiment's group, "" for a topology that is no experiment."""
        return group_name("experiment", self.experiment) if self.experiment else ""

    @property
    def domain(self) -> str:
        """Return the part of a qualified host name after the short name (spec/semantics.md §2)."""
        return f".{self.eid}.{self.pid}".lower() if self.pid else ""

    def data(self) -> dict:
        """Return hosts and groups, see ``data.inventory_of``. Raises InputError."""
        return from_json(self.prepared, self.topology_text) or _planned(self)

    def shared_variables(self) -> dict:
        """Return the variables that all hosts of the experiment share."""
        if not self.experiment:
            return {}
        return {"benito_pid": self.pid, "benito_eid": self.eid, "benito_experiment": self.experiment, "benito_state": self.state}

    def reach_pnode(self, variables: dict) -> dict:
        """Return the connection variables of a pnode: those of its pool host."""
        pool_host = self.pool_hosts.get(variables["benito_vhost"])
        if pool_host is None:
            return {}
        secrets = self.secrets.get(variables["benito_vhost"], {})
        return {"ansible_host": pool_host.name, **pool_host.variables, **secrets, "benito_pool_host": pool_host.name}

    def reach_node(self, variables: dict) -> dict:
        """Return the connection variables of a computer of the vtopo, or of a hidden virtual machine."""
        if variables["benito_node"] in self.control:
            return reach(self.directory, self.control[variables["benito_node"]].split("/")[0])
        if variables["benito_vhost"] in self.control:
            return through_vhost(reach(self.directory, self.control[variables["benito_vhost"]].split("/")[0]))
        found = self.reach_pnode(variables)
        if variables["benito_kind"] == EMBEDDED_PNODE:
            return found
        return through_vhost(found) if variables["benito_kind"] == PROCESS and self.experiment else {}


def read_topology(path: str) -> Source:
    """Return the source for a partitioned topology file, in any of the formats. Raises InputError when it cannot be read."""
    from ..topology.readers import form_of

    try:
        with open(path, "rb") as handle:
            text = handle.read()
    except OSError as exc:
        raise InputError(Problem(f"cannot be read: {exc.strerror}", file=path)) from exc
    return Source(text, path, warnings=tuple(str(warning) for warning in form_of(text, path)[1]))


def read_experiment(directory: ExperimentDirectory) -> Source | None:
    """Return the source for an experiment, None when it does not exist.

    Broken files of its directory become warnings and are left out. Without an inventory, nobody could swap the experiment out or
    terminate it.
    """
    if not directory.exists():
        return None
    warnings: list[str] = []
    topology = _attempt(lambda: directory.read("partitioned.xml"), "", warnings)
    if not topology:
        return Source(b"", directory.path, warnings=(*warnings, f"experiment {directory} is broken, its inventory is empty"))
    state = _attempt(lambda: directory.read_state().state, "broken", warnings)
    prepared = _attempt(lambda: directory.read("inventory.json"), "", [])
    allocation = directory.read("allocation.json") if os.path.exists(directory.allocation) else ""
    lent = _attempt(lambda: _allocation(allocation, directory.allocation), None, warnings) if allocation else None
    pool_hosts, control = (lent.hosts, lent.control) if lent else ({}, {})
    secrets: dict[str, dict] = _attempt(lambda: machine_secrets(directory), {}, warnings) if lent else {}
    text = topology.encode()
    return Source(text, directory.partitioned, directory.pid, directory.eid, prepared, pool_hosts, control, directory.path, allocation, state,
                  tuple(warnings), secrets)


def _attempt(read: Callable[[], T], otherwise: T, warnings: list[str]) -> T:
    try:
        return read()
    except ExperimentError as exc:
        warnings.append(str(exc))
        return otherwise


def _allocation(text: str, source: str) -> Allocation:
    from ..embedding.placement.allocation import Allocation

    return Allocation.from_json(text, source)


def _planned(source: Source) -> dict:
    from .planning import planned

    return planned(source.topology_text, source.source, source.pid, source.eid)
