# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module system_containers, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        return self.apply_command(paths, "apply", "--part", "containers", "--start-unit", *self.in_background)
