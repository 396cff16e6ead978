#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: remove an experiment's directory."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: experiment
short_description: Remove an experiment's directory
version_added: 0.1.0
description:
  - Removes the directory of an experiment that is swapped out. One that still has machines is refused.
author: deter.benito contributors (@deter-project)
options:
  pid:
    description: The project.
    type: str
    required: true
  eid:
    description: The experiment.
    type: str
    required: true
  benito_home:
    description: Directory of the experiments. E(BENITO_HOME) if not given, else C(~/.benito).
    type: str
  state:
    description: Whether the experiment exists. C(deter.benito.containerize) is what makes one.
    type: str
    choices: [absent]
    default: absent
attributes:
  check_mode:
    description: Tells what would change.
    support: full
  diff_mode:
    description: Tells it by RV(ignore:changed) only.
    support: none
  idempotent:
    description: Changes only what differs.
    support: full
"""

EXAMPLES = r"""
- name: The experiment is over
  deter.benito.experiment:
    pid: DeterTest
    eid: example1
    state: absent
"""

RETURN = r"""
changed:
  description: Whether there was anything to remove.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.deter.benito.plugins.module_utils import swap
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment import ExperimentDirectory


def run(directory, module):
    return {"changed": swap.remove(directory, module.check_mode)}


def argument_spec():
    return {
        "pid": {"type": "str", "required": True},
        "eid": {"type": "str", "required": True},
        "benito_home": {"type": "str"},
        "state": {"type": "str", "choices": ["absent"], "default": "absent"},
    }


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        directory = ExperimentDirectory(module.params["benito_home"], module.params["pid"], module.params["eid"])
        module.exit_json(**run(directory, module))
    except BenitoError as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
