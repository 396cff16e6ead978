# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module swap_finish, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle import swap
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {
        "operation": {"type": "str", "choices": ["swapin", "swapout"], "required": True},
        "reports": {"type": "dict", "default": {}},
    }

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        operation, reports = params["operation"], params["reports"]
        failures = swap.failures_of(reports)
        finish = swap.finish_swapin if operation == "swapin" else swap.finish_swapout
        nodes = swap.summary(directory, reports) if operation == "swapin" else []
        changed = finish(directory, failures, self.check_mode)
        return {
            "changed": changed,
            "state": directory.read_state().state,
            "nodes": nodes,
            "table": swap.table(nodes),
            "failures": failures,
            "message": swap.failure_message(directory, operation, failures),
        }
