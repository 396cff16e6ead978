# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module control_bridge, whose file documents it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction, outcome

_COMMANDS = {"present": "up", "confirmed": "confirm", "absent": "down"}


class ActionModule(HostAction):
    options = {
        "state": {"type": "str", "choices": list(_COMMANDS), "default": "present"},
        "interface": {"type": "str", "default": ""},
        "timeout": {"type": "int", "default": 60},
    }

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        state = options["state"]
        if (self.check_mode or state == "absent") and not self.is_there(self.program):
            changes = ["control0: made"] if state == "present" else []  # nothing of ours is there
            return outcome({"changed": bool(changes), "changes": changes, "pending": False, "users": []})
        given = ["control-bridge", _COMMANDS[state], "--user", paths.experiment]
        if state == "present":
            given += ["--interface", options["interface"], "--timeout", str(options["timeout"])]
        return self.run_program(self.program, *given, *(["--check"] if self.check_mode else []))
