# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module vhost, whose file documents it. It sends benito-host as text to a vhost that lacks this version."""

from __future__ import annotations

import json
import sys

from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.delivery.archive import compiled_files, installer, program_files
from ansible_collections.deter.benito.plugins.module_utils.hostplan import from_json
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction, NotInstalledError, outcome

_ATTEMPTS = 5


class ActionModule(HostAction):
    options = {
        "plan": {"type": "str"},
        "secrets": {"type": "dict", "default": {}, "no_log": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        return self._absent(paths) if options["state"] == "absent" else self._present(options, paths)

    def _present(self, options: dict, paths: ExperimentPaths) -> dict:
        if options["plan"]:
            from_json(options["plan"])
        program = f"{program_files()[0]}/benito-host"
        if self.check_mode and not self.is_there(program):
            changes = [f"{program}: installed", *(f"{path}: written" for path in (paths.directory, paths.plan))]
            return {**outcome({"changed": True, "changes": changes}), "program": program, "missing": []}
        handed = json.dumps({"plan": options["plan"], "secrets": options["secrets"]})
        result, installed = self._with_program("install", "-e", paths.experiment, *(["--check"] if self.check_mode else []), data=handed)
        changes = [*installed, *result["changes"]]
        return {**outcome({**result, "changed": bool(changes), "changes": changes}), "program": program}

    def _absent(self, paths: ExperimentPaths) -> dict:
        """Remove the experiment with this version, which knows what earlier versions leave. It need not be installed, and writes no file."""
        if self.check_mode:
            changes = [f"{paths.experiment}: removed"] if self.is_there(paths.directory) else []
            return outcome({"changed": bool(changes), "changes": changes})
        try:
            return outcome(self.run_program(f"{program_files()[0]}/benito-host", "down", "-e", paths.experiment, newest=True))
        except NotInstalledError:
            return outcome(self.run_task("benito_host.host.run.apply", {"experiment": paths.experiment}))

    def _with_program(self, *arguments: str, data: str = "") -> tuple[dict, list[str]]:
        """Run this version of the program, and return its result with the changes. It is installed if it is missing, because another swap-out may remove it."""
        directory, files = program_files()
        changes: list[str] = []
        for _attempt in range(_ATTEMPTS):
            try:
                return self.run_program(f"{directory}/benito-host", *arguments, data=data, newest=True), changes
            except NotInstalledError as exc:
                if self.check_mode:
                    raise
                like_this = exc.interpreter == f"python{sys.version_info.major}.{sys.version_info.minor}"
                self.run_python(installer(), {"directory": directory, "files": files, "compiled": compiled_files() if like_this else {}})
                changes = [f"{directory}/benito-host: installed"]
        raise HostError(f"{directory} was removed after each of {_ATTEMPTS} installations: is another controller at work on this host?")
