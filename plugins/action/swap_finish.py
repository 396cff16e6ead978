# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module swap_finish, which says what it does."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.begin import SWAPIN, SWAPOUT
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.finish import finish
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.node_table import table
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.withdraw import WITHDRAW, withdraw
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {
        "operation": {"type": "str", "choices": [SWAPIN, SWAPOUT, WITHDRAW], "required": True},
        "reports": {"type": "dict", "default": {}},
        "reason": {"type": "str", "default": ""},
        "kept": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        if params["operation"] == WITHDRAW:
            finished = withdraw(directory, params["reason"], params["reports"], bool(params["kept"]), self.check_mode)
        else:
            finished = finish(directory, params["operation"], params["reports"], self.check_mode)
        return {
            "changed": finished.changed,
            "state": finished.state,
            "nodes": finished.nodes,
            "table": table(finished.nodes),
            "substrates": finished.substrates,
            "failures": finished.failures,
            "message": finished.message,
        }
