# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module swap_begin, which says what it does."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.begin import SWAPIN, SWAPOUT, begin
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.given_up import given_up
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.lent import play_host
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {"operation": {"type": "str", "choices": [SWAPIN, SWAPOUT], "required": True}}

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        begun = begin(directory, params["operation"], self.check_mode)
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
            "given_up": given_up(directory.home),
            "names": {vhost: play_host(vhost, host.name) for vhost, host in begun.allocation.hosts.items()},
            "variables": {vhost: host.variables for vhost, host in begun.allocation.hosts.items()},
        }
