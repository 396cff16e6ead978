# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module experiment_probe, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    options = {"answer": {"type": "bool", "default": False}}

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        if self.check_mode:
            return {"changed": False, "probed": 0}
        return self.run_program(self.program, "probe", *(["--answer"] if options["answer"] else []), "-e", paths.experiment)
