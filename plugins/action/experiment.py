# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module experiment, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle import swap
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {"state": {"type": "str", "choices": ["absent"], "default": "absent"}}

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        return {"changed": swap.remove(directory, self.check_mode)}
