# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module vhost_status, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    options = {"probe": {"type": "bool", "default": False}}

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        probe = ["--probe"] if options["probe"] and not self.check_mode else []
        return self.run_program(self.program, "status", *probe, "-e", paths.experiment)
