# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module lease, whose file documents it. It leaves no program on the machine."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    options = {
        "owner": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["offered", "present", "absent"], "default": "present"},
        "shared": {"type": "bool", "default": False},
        "processes": {"type": "bool", "default": True},
        "memory_mb": {"type": "int", "default": 0},
        "memory_limit_mb": {"type": "int", "default": 0},
        "experiment_address": {"type": "str", "default": ""},
        "experiment_interface": {"type": "str", "default": ""},
        "control_addresses": {"type": "str", "default": ""},
    }

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        return self.run_task("benito_host.host.pool.lease", {**options, "experiment": paths.experiment, "check_mode": self.check_mode})
