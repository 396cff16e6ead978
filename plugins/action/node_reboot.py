# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module node_reboot, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    options = {"nodes": {"type": "list", "elements": "str", "required": True}}

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        return self.apply_command(paths, "reboot", *options["nodes"])
