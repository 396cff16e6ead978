# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pool as inventory: whatever sources lie in BENITO_HOME/inventory, be there any or none."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pool
author: deter.benito contributors (@deter-project)
short_description: The machines that may become pnodes
version_added: 0.1.0
description:
  - Includes every inventory source in the folder C(inventory) of E(BENITO_HOME). A folder that does not exist is an empty inventory, so
    that a fixed configuration works before there is a pool, and with whatever E(BENITO_HOME) is.
  - The module P(deter.benito.local_testbed#module) writes its pnodes there. Put an inventory of your own machines there, of any kind that
    Ansible reads, with the group C(pnode_pool).
  - The source is a YAML file called C(benito-pool.yml) or ending in C(.benito-pool.yml).
notes:
  - Folders C(group_vars) and C(host_vars) beside these sources are not read. Where you need them, name the folder itself as an inventory source instead.
options:
  plugin:
    description: Says that the file is meant for this plugin.
    type: string
    required: true
    choices: [deter.benito.pool, pool]
  benito_home:
    description: Directory of the experiments, with the folder C(inventory).
    type: path
    default: ~/.benito
    env:
      - name: BENITO_HOME
    vars:
      - name: benito_home
"""

EXAMPLES = r"""
# pool.benito-pool.yml
plugin: deter.benito.pool
"""

import os

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import benito_home
from ansible_collections.deter.benito.plugins.plugin_utils.host_names import make_way


class InventoryModule(BaseInventoryPlugin):
    """Read the sources of the pool by Ansible, and copy their hosts and groups."""

    NAME = "deter.benito.pool"

    def verify_file(self, path: str) -> bool:
        """Return whether ``path`` has the name of a source of this plugin."""
        name = os.path.basename(path)
        return super().verify_file(path) and (name == "benito-pool.yml" or name.endswith(".benito-pool.yml"))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Add the hosts and groups of the sources to ``inventory``. Raises AnsibleParserError."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        folder = os.path.join(benito_home(self.get_option("benito_home")), "inventory")
        sources = self._sources(folder)
        if not sources:
            self.display.vvv(f"{path}: there is nothing in {folder}, the pool is empty")
            return
        found = InventoryManager(loader=loader, sources=sources, cache=cache)
        self._copy(found)

    def _sources(self, folder: str) -> list[str]:
        """Return the files and folders in ``folder`` whose names an inventory source may have."""
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise AnsibleParserError(f"the pool in {folder} cannot be read: {exc.strerror}") from exc
        hidden = (".", "~")
        return [
            os.path.join(folder, name)
            for name in names
            if not name.startswith(hidden) and not name.endswith(("~", ".bak")) and name not in ("group_vars", "host_vars")
        ]

    def _copy(self, found: InventoryManager) -> None:
        make_way(self.inventory, {*found.hosts, *found.groups})
        for name, group in found.groups.items():
            self.inventory.add_group(name)
            for variable, value in group.get_vars().items():
                self.inventory.set_variable(name, variable, value)
        for name, host in found.hosts.items():
            self.inventory.add_host(name)
            for variable, value in host.get_vars().items():
                if variable not in ("inventory_hostname", "inventory_hostname_short", "group_names"):
                    self.inventory.set_variable(name, variable, value)
        for name, group in found.groups.items():
            for child in [*group.child_groups, *group.hosts]:
                if (name, child.name) != ("all", "ungrouped"):
                    self.inventory.add_child(name, child.name)
