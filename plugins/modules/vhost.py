#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: prepare a machine to carry vnodes, or take an experiment away from it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vhost
short_description: Prepare a machine to carry vnodes, or take an experiment away from it
version_added: 0.1.0
description:
  - Installs C(benito-host), the one program that acts on a vhost, with its systemd unit, and makes the experiment's directory.
  - With O(state=absent), takes away everything of the experiment, however far it had come, and with the last experiment what all share.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.diff
options:
  plan:
    description: The host plan, as JSON text. The one that is there is kept if it is not given.
    type: str
  secrets:
    description: What nobody else may read, C({node. {file. text}}). Kept below the experiment's directory, readable by root alone.
    type: dict
    default: {}
  state:
    description: Whether the machine carries the experiment.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Prepare this machine for an experiment
  deter.benito.vhost:
    pid: DeterTest
    eid: example1

- name: Take the experiment away again
  deter.benito.vhost:
    pid: DeterTest
    eid: example1
    state: absent
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
missing:
  description: Packages without which C(benito-host) cannot work here.
  returned: when O(state=present)
  type: list
  elements: str
program:
  description: The C(benito-host) that looks after the experiment.
  returned: when O(state=present)
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError, HostError
from ansible_collections.deter.benito.plugins.module_utils.host.archive import install_program
from ansible_collections.deter.benito.plugins.module_utils.host.locks import machine_lock
from ansible_collections.deter.benito.plugins.module_utils.host.place import Place, experiments_here, is_experiment
from ansible_collections.deter.benito.plugins.module_utils.host.prepare import install, install_secrets, missing_packages
from ansible_collections.deter.benito.plugins.module_utils.host_program import outcome
from ansible_collections.deter.benito.plugins.module_utils.hostplan import from_json
from ansible_collections.deter.benito.plugins.module_utils.names import experiment_name


def argument_spec():
    return {
        "pid": {"type": "str", "required": True},
        "eid": {"type": "str", "required": True},
        "plan": {"type": "str"},
        "secrets": {"type": "dict", "default": {}, "no_log": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def present(place, module):
    with machine_lock():
        program, changes = install_program(module.check_mode)
        changes += install(place, program, module.params["plan"], module.check_mode)
        changes += install_secrets(place, module.params["secrets"], module.check_mode)
    return {"changed": bool(changes), "changes": changes, "program": program, "missing": missing_packages(_kinds(module.params["plan"]))}


def _kinds(plan):
    """The kinds of the nodes that are to run here."""
    return {vnode.kind for vnode in from_json(plan).vnodes if not vnode.ghost} if plan else ()


def absent(place, module):
    """Needs most of the program, which travels with this module for ``present`` to install; to load all of it there would cost more than the rest."""
    from ansible_collections.deter.benito.plugins.module_utils.host.cli import down
    if module.check_mode:
        changes = [f"{place.experiment}: removed"] if place.experiment in experiments_here() else []
        return {"changed": bool(changes), "changes": changes}
    return down(place)


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    experiment = experiment_name(module.params["pid"], module.params["eid"])
    try:
        if not is_experiment(experiment):
            raise HostError(f"{experiment!r} does not name an experiment")
        act = present if module.params["state"] == "present" else absent
        module.exit_json(**outcome(act(Place(experiment), module)))
    except (BenitoError, OSError) as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
