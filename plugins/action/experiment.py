# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module experiment, which says what it does."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.remove import remove
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {"state": {"type": "str", "choices": ["absent"], "default": "absent"}}

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        return {"changed": remove(directory, self.check_mode)}
