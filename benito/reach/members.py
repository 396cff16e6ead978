# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of an experiment as its inventory has them: nodes, pnodes, hidden virtual machines, and how each is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.embedding.kinds import KINDS
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.inventory.source import Source, read_experiment

_SECTIONS = ("nodes", "pnodes", "hidden")


class Members:
    """The hosts of one experiment. Raises ExperimentError when it does not exist or is broken."""

    def __init__(self, directory: ExperimentDirectory):
        source = read_experiment(directory.require())
        if source is None or not source.topology_text:
            raise ExperimentError(f"experiment {directory} is broken: it has no topology (terminate it)")
        self.directory = directory
        self.source: Source = source
        self._data = source.data()

    @property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return {node: its variables}, in the topology's order, without those of its connection."""
        return dict(self._data["nodes"])

    @property
    def pnodes(self) -> list[str]:
        """Return the names of the pnodes that carry vnodes."""
        return list(self._data["pnodes"])

    def variables(self, name: str) -> dict[str, Any]:
        """Return all variables of a host of the experiment, as the inventory has them. Raises ExperimentError when there is no such host."""
        found = next((self._data[section][name] for section in _SECTIONS if name in self._data[section]), None)
        if found is None:
            raise ExperimentError(f"there is no node {name} in experiment {self.directory}: {self._known()}")
        reach = self.source.reach_node if "benito_node" in found else self.source.reach_pnode
        return {**self.source.shared_variables(), **found, **reach(found)}

    def connection(self, name: str) -> dict[str, Any]:
        """Return all variables of a host that can be reached. Raises ExperimentError when it cannot, because its experiment is not swapped in."""
        variables = self.variables(name)
        if not variables.get("ansible_host") and variables.get("ansible_connection") != "local":
            raise ExperimentError(f"{name} cannot be reached: experiment {self.directory} is {self.source.state} (benito swapin {self.directory})")
        return variables

    @property
    def carried(self) -> dict[str, dict[str, str]]:
        """Return {vhost: {node: kind}} of every node that a vhost carries, hidden virtual machines too."""
        found: dict[str, dict[str, str]] = {}
        for section in ("hidden", "nodes"):
            for name, variables in self._data[section].items():
                if variables["benito_kind"] in KINDS:
                    found.setdefault(variables["benito_vhost"], {})[name] = variables["benito_kind"]
        return found

    def machine(self, pnode: str) -> str:
        """Return the machine that a pnode is now, "" while it is none."""
        host = self.source.pool_hosts.get(pnode)
        return host.name if host else ""

    def pnode_of(self, name: str) -> str:
        """Return the pnode that carries a node, by way of a virtual machine or not."""
        vhost = self._data["nodes"].get(name, {}).get("benito_vhost", name)
        inner = self._data["nodes"].get(vhost) or self._data["hidden"].get(vhost)
        return inner["benito_vhost"] if inner else vhost

    def _known(self) -> str:
        names: Mapping[str, Any] = self._data["nodes"]
        return f"it has {', '.join(list(names)[:10])}" + (" …" if len(names) > 10 else "")
