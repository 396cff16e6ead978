# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions have in common that act on an experiment's directory: they do it on the controller, in the process that Ansible has for the task.

A module would have all of topology and embedding packed and compiled again for each task.
"""

from __future__ import annotations

import json
import os

from ansible.plugins.action import ActionBase
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory


class DirectoryAction(ActionBase):
    """A task that acts on one experiment's directory.

    options  the argument spec of what the task may say beside pid, eid and benito_home
    """

    TRANSFERS_FILES = False
    options: dict = {}

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        """Do it, only tell it in check mode. Returns the task's result. Raises BenitoError."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        super().run(tmp, task_vars)
        spec = {"pid": {"type": "str", "required": True}, "eid": {"type": "str", "required": True}, "benito_home": {"type": "str"}}
        _validated, given = self.validate_argument_spec(argument_spec={**spec, **self.options})
        params = json.loads(json.dumps(given))  # plain: Ansible's strings know where they come from, which no file of ours is to say
        environment: dict = {}
        self._compute_environment_string(environment)
        os.environ.update(environment)  # BENITO_HOME, for one; this process is the task's own
        self._task_vars = task_vars
        try:
            return self.act(ExperimentDirectory(params["benito_home"], params["pid"], params["eid"]), params)
        except BenitoError as exc:
            return {"failed": True, "changed": False, "msg": str(exc)}

    @property
    def check_mode(self) -> bool:
        return bool(self._task.check_mode)
