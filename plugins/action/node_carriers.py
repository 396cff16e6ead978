# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module node_carriers, which says what it does."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.carriers import all_carriers, carriers
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.lent import play_host
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {"nodes": {"type": "list", "elements": "str"}}

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        found = all_carriers(directory) if params["nodes"] is None else carriers(directory, params["nodes"])
        return {
            "changed": False,
            "carriers": {vhost: {"nodes": carrier.nodes, "embedded": carrier.embedded} for vhost, carrier in found.items()},
            "names": {vhost: play_host(vhost, carrier.machine) for vhost, carrier in found.items()},
            "variables": {vhost: carrier.variables for vhost, carrier in found.items()},
        }
