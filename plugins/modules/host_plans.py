#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: bind an experiment to the machines it was lent."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_plans
short_description: Bind an experiment to the machines it was lent
version_added: 0.1.0
description:
  - Writes what each vhost will be told, C(plan/<vhost>.json) in the experiment's directory.
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
- name: Tell the vhosts apart
  deter.benito.host_plans:
    pid: DeterTest
    eid: example1
"""

RETURN = r"""
notes:
  description: Which substrates have a smaller MTU, and why.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.deter.benito.plugins.module_utils import swap
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment import ExperimentDirectory


def run(directory, module):
    changed, notes = swap.write_plans(directory, module.check_mode)
    for note in notes:
        module.warn(note)
    return {"changed": changed, "notes": notes}


def argument_spec():
    return {
        "pid": {"type": "str", "required": True},
        "eid": {"type": "str", "required": True},
        "benito_home": {"type": "str"},
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
