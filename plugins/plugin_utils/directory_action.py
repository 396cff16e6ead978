# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common part of actions on an experiment's directory. They run on the controller, in Ansible's process for the task.

For a module, Ansible would pack all of topology and embedding, and compile it again for each task.
"""

from __future__ import annotations

import json
import os

from ansible.plugins.action import ActionBase
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory


class DirectoryAction(ActionBase):
    """A task that acts on one experiment's directory.

    options  the argument spec of the task's options beside pid, eid and benito_home
    """

    TRANSFERS_FILES = False
    options: dict = {}

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        """Act, or in check mode only report. Return the task's result. Raises BenitoError."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        super().run(tmp, task_vars)
        spec = {"pid": {"type": "str", "required": True}, "eid": {"type": "str", "required": True}, "benito_home": {"type": "str"}}
        _validated, given = self.validate_argument_spec(argument_spec={**spec, **self.options})
        params = json.loads(json.dumps(given))  # plain strings: Ansible's carry their origin, which must not get into our files
        environment: dict = {}
        self._compute_environment_string(environment)
        os.environ.update(environment)  # for example BENITO_HOME; this process runs only this task
        self._task_vars = task_vars
        try:
            return self.act(ExperimentDirectory(params["benito_home"], params["pid"], params["eid"]), params)
        except BenitoError as exc:
            return {"failed": True, "changed": False, "msg": str(exc)}

    @property
    def check_mode(self) -> bool:
        return bool(self._task.check_mode)
