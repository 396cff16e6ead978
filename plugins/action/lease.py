# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module lease, whose file documents it. It leaves no program on the machine."""

from __future__ import annotations

import contextlib
import os

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
        "given_up": {"type": "list", "elements": "dict", "default": []},
    }

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        result = self.run_task("benito_host.host.pool.lease", {**options, "experiment": paths.experiment, "check_mode": self.check_mode})
        return {**result, "login": self._login()} if options["state"] == "offered" else result

    def _login(self) -> dict:
        """Return the connection variables that say how this task came to the machine, by variables, options of the command line or the configuration."""
        login = {"ansible_user": self._get_remote_user()}
        with contextlib.suppress(KeyError):  # for example the connection plugin local has no key
            key = self._connection.get_option("private_key_file")
            login["ansible_private_key_file"] = os.path.abspath(os.path.expanduser(key)) if key else None
        if self._connection.become and self.get_become_option("become_user") != self._get_remote_user():
            login.update(ansible_become=True, ansible_become_method=self._connection.become.name)
        return {name: value for name, value in login.items() if value}
