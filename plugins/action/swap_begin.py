# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module swap_begin, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle import swap
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {"operation": {"type": "str", "choices": ["swapin", "swapout"], "required": True}}

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        begin = swap.begin_swapin if params["operation"] == "swapin" else swap.begin_swapout
        begun = begin(directory, self.check_mode)
        return {
            "changed": begun.changed,
            "lease_owner": begun.owner,
            "home": directory.home,
            "directory": directory.path,
            "crosses": begun.crosses,
            "kinds": list(begun.kinds),
            "processes": begun.processes,
            "vhosts": [machine.vhost for machine in begun.machines],
            "lent": {vhost: host.name for vhost, host in begun.allocation.hosts.items()},
            "variables": {vhost: host.variables for vhost, host in begun.allocation.hosts.items()},
        }
