# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module node_table, which says what it does."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.node_table import BOOTED, ENDED, table
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.showing import show_nodes
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {"reports": {"type": "dict", "default": {}}, "wait_until": {"type": "str", "choices": [BOOTED, ENDED]}}

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        shown = show_nodes(directory, params["reports"], params["wait_until"] or "")
        return {
            "changed": False, "state": shown.state, "nodes": shown.nodes, "table": table(shown.nodes) or shown.text, "substrates": shown.substrates,
            "failures": shown.failures, "late": shown.late, "message": shown.message,
        }
