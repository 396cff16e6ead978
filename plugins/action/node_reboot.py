# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module node_reboot, which says what it does."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    options = {"nodes": {"type": "list", "elements": "str", "required": True}}

    def act(self, options, paths):
        return self.apply_command(paths, "reboot", *options["nodes"])
