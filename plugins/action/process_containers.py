# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module process_containers, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    options = {"network": {"type": "bool", "default": False}}

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        network = ["--part", "network"] if options["network"] else []
        return self.apply_command(paths, "apply", *network, "--part", "processes", "--start-unit")
