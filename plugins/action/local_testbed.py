# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module local_testbed. It passes benito-host to the module, because only the controller has the collection's sources."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.deter.benito.plugins.module_utils.host.delivery.archive import compiled_files, installer, program_files


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        super().run(tmp, task_vars)
        directory, files = program_files()
        program = {"directory": directory, "files": files, "installer": installer(), "compiled": compiled_files()}
        arguments = {**self._task.args, **({"_program": program} if self._task.args.get("state", "up") == "up" else {})}
        return self._execute_module(module_name="deter.benito.local_testbed", module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val)
