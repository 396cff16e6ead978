# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment as inventory: its pnodes and vnodes, their groups, and how to reach them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: topdl
author: deter.benito contributors (@deter-project)
short_description: An experiment, or a partitioned topology, as inventory
version_added: 0.1.0
description:
  - Shows the pnodes and vnodes of an experiment that M(deter.benito.containerize) made, or of a partitioned topology.
  - The source is a YAML file called C(benito.yml) or ending in C(.benito.yml).
  - Which experiment is normally said by the extra variables C(pid) and C(eid). No experiment named, or one that does not exist, is
    an empty inventory.
  - Groups are C(pnodes), C(vnodes), C(vhosts), C(kind_<kind>), C(partition_<id>), C(substrate_<name>) and C(experiment_<pid>_<eid>).
    What may not stand in a group's name becomes an underscore; names that thereby become the same are an error.
  - While the experiment is swapped in, its hosts have the connection variables that make them reachable.
options:
  plugin:
    description: Says that the file is meant for this plugin.
    type: string
    required: true
    choices: [deter.benito.topdl, topdl]
  topology:
    description:
      - A partitioned topology to show instead of an experiment, in any format that M(deter.benito.containerize) reads. Its pnodes have no
        connection variables.
      - Relative paths are relative to the source file.
    type: string
  pid:
    description: The experiment's project.
    type: string
    vars:
      - name: pid
  eid:
    description: The experiment.
    type: string
    vars:
      - name: eid
  benito_home:
    description: Directory of the experiments.
    type: path
    default: ~/.benito
    env:
      - name: BENITO_HOME
    vars:
      - name: benito_home
  hostnames:
    description:
      - V(short) names hosts as the topology does; V(qualified) as C(n-0.example1.detertest), for inventories with several experiments.
      - A host whose short name another host or a group of the inventory has already gets its qualified name in any case, with a warning.
    type: string
    choices: [short, qualified]
    default: short
extends_documentation_fragment:
  - constructed
  - inventory_cache
"""

EXAMPLES = r"""
# experiment.benito.yml: the experiment of  -e pid=DeterTest -e eid=example1
plugin: deter.benito.topdl
---
# two.benito.yml: one experiment, always, beside others
plugin: deter.benito.topdl
pid: DeterTest
eid: example2
hostnames: qualified
---
# plan.benito.yml: a topology before it becomes an experiment, with groups of one's own
plugin: deter.benito.topdl
topology: partitioned.xml
groups:
  routers: benito_interfaces | length > 1
keyed_groups:
  - key: benito_attributes['role'] | default('none')
    prefix: role
"""

import os
from collections.abc import Mapping

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.inventory.reserved import reserved
from ansible_collections.deter.benito.plugins.module_utils.inventory.source import Source, read_experiment, read_topology
from ansible_collections.deter.benito.plugins.module_utils.names import is_project, is_project_name
from ansible_collections.deter.benito.plugins.plugin_utils.host_names import warn_of_qualified


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Read the source and fill the inventory. All errors of the input are one AnsibleParserError."""

    NAME = "deter.benito.topdl"

    def verify_file(self, path: str) -> bool:
        """Return whether ``path`` has the name of a source of this plugin."""
        name = os.path.basename(path)
        return super().verify_file(path) and (name in ("benito.yml", "benito.yaml") or name.endswith((".benito.yml", ".benito.yaml")))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Fill ``inventory`` from the source file ``path``. Raises AnsibleParserError."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            source = self._source(path)
            if source:
                self._populate(source, self._data(source, path, cache))
        except BenitoError as exc:
            raise AnsibleParserError(str(exc)) from exc

    def _source(self, path: str) -> Source | None:
        topology = self.get_option("topology")
        if topology:
            given = read_topology(os.path.join(os.path.dirname(path), os.path.expanduser(topology)))
            for warning in given.warnings:
                self.display.warning(warning)
            return given
        pid, eid = str(self.get_option("pid") or ""), str(self.get_option("eid") or "")
        if not pid or not eid:
            self.display.vvv(f"{path}: no experiment named (extra variables pid and eid), nothing to show")
            return None
        source = read_experiment(ExperimentDirectory(self.get_option("benito_home"), pid, eid)) if is_project(pid) and is_project_name(eid) else None
        if source is None:
            self.display.v(f"{path}: there is no experiment {pid}/{eid}, nothing to show")
            return None
        for warning in source.warnings:
            self.display.warning(warning)
        return source if source.topology_text else None

    def _data(self, source: Source, path: str, cache: bool) -> dict:
        if not self.get_option("cache"):
            return source.data()
        key = f"{self.get_cache_key(path)}_{source.digest}"
        found = self._cache.get(key) if cache else None
        if found is None:
            found = self._cache[key] = source.data()
        return found

    def _populate(self, source: Source, data: dict) -> None:
        names = self._names(source, data)
        self._add_groups(source, data, names)
        compose, groups, keyed = (self.get_option(option) for option in ("compose", "groups", "keyed_groups"))
        shared = source.shared_variables()
        for section, reach in (("pnodes", source.reach_pnode), ("nodes", source.reach_node), ("hidden", source.reach_node)):
            for word, variables in data[section].items():
                host = names[word]
                variables = {**variables, **reach(variables)}
                for variable, value in variables.items():
                    self.inventory.set_variable(host, variable, value)
                if compose or groups or keyed:
                    self._construct(host, {**shared, **variables}, compose, groups, keyed)

    def _construct(self, host: str, variables: Mapping, compose: dict, groups: dict, keyed: list) -> None:
        strict = self.get_option("strict")
        self._set_composite_vars(compose, variables, host, strict)
        self._add_host_to_composed_groups(groups, variables, host, strict)
        self._add_host_to_keyed_groups(keyed, variables, host, strict)

    def _names(self, source: Source, data: dict) -> dict[str, str]:
        """Return {name in the topology: host name}."""
        words = [word for section in ("pnodes", "nodes", "hidden") for word in data[section]]
        if self.get_option("hostnames") == "qualified":
            return {word: f"{word}{source.domain}" for word in words}
        taken = {word for word in words if self._is_taken(source, word)}
        if taken and source.domain:
            warn_of_qualified(taken, source.domain)
        elif taken:
            raise AnsibleParserError(f"nodes have names of other hosts or groups of the inventory: {', '.join(sorted(taken))}; give them other names")
        return {word: f"{word}{source.domain}" if word in taken else word for word in words}

    def _is_taken(self, source: Source, word: str) -> bool:
        """Return whether a node's short name means something else in the inventory, as far as it was read."""
        if reserved(word) or word in self.inventory.groups:
            return True
        host = self.inventory.hosts.get(word)
        if host is None or not source.group:
            return host is not None and "benito_vhost" not in host.vars
        group = self.inventory.groups.get(source.group)
        return group is None or host not in group.get_hosts()

    def _add_groups(self, source: Source, data: dict, names: Mapping[str, str]) -> None:
        for host in names.values():
            self.inventory.add_host(host)
        for group, members in data["groups"].items():
            self.inventory.add_group(group)
            for word in members:
                self.inventory.add_child(group, names[word])
        if source.group:
            for variable, value in source.shared_variables().items():
                self.inventory.set_variable(source.group, variable, value)
