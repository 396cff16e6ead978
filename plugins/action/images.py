# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module images, which says what it does. It shows each phase of a build while it lasts. With ``async``, the module builds."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.files import signals_as_exceptions
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.provide_images import provide
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction
from ansible_collections.deter.benito.plugins.plugin_utils.progress import show_phases


class ActionModule(DirectoryAction):
    options = {"state": {"type": "str", "choices": ["looked", "present"], "default": "present"}}
    _supports_async = True

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        looked = provide(directory.require(), dry_run=True)
        if params["state"] == "looked" or self.check_mode:
            return {**looked.result(self.check_mode), "warnings": list(looked.warnings)}
        if looked.missing and self._task.async_val:
            return self._execute_module(module_name="deter.benito.images", task_vars=self._task_vars, wrap_async=self._task.async_val)
        with show_phases(len(looked.missing)) as report, signals_as_exceptions():
            provided = provide(directory.require(), report=report)
        return {**provided.result(True), "warnings": list(provided.warnings)}
