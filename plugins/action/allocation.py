# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module allocation, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.allocate import allocate
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {
        "offers": {"type": "dict", "required": True},
        "secrets": {"type": "dict", "default": {}, "no_log": True},
        "pnode_types": {"type": "raw"},
        "pass_pnodes": {"type": "raw", "no_log": False},  # a pass, not a password
    }

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        types = {name: params[name] for name in ("pnode_types", "pass_pnodes")}
        allocated = allocate(directory, params["offers"], params["secrets"], types, self.check_mode)
        return {
            "changed": allocated.changed,
            "chosen": allocated.chosen,
            "claims": allocated.claims,
            "kinds": allocated.kinds,
            "nested": allocated.nested,
            "warnings": list(allocated.notes),
        }
