# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module start_commands, which says what it does."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    def act(self, options, paths):
        return self.apply_command(paths, "start-commands")
