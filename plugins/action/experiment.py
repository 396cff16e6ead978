# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module experiment, which says what it does."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.lifecycle import swap
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction


class ActionModule(DirectoryAction):
    options = {"state": {"type": "str", "choices": ["absent"], "default": "absent"}}

    def act(self, directory, params):
        return {"changed": swap.remove(directory, self.check_mode)}
