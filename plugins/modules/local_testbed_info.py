#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: what a local testbed has."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: local_testbed_info
short_description: The pnodes of a local testbed
version_added: 0.1.0
description:
  - Lists the pnodes that M(deter.benito.local_testbed) has made on the machine it runs on. None, where there is no such testbed.
author: deter.benito contributors (@deter-project)
options:
  name:
    description: The testbed's name.
    type: str
    default: local
  home:
    description: E(BENITO_HOME), where the testbed is kept.
    type: path
    default: ~/.benito
  backend:
    description: What the pnodes are to be, for the list of packages. The default is what the testbed has, or C(lxc).
    type: str
    choices: [lxc, qemu]
extends_documentation_fragment:
  - deter.benito.attributes.read_only
seealso:
  - module: deter.benito.local_testbed
"""

EXAMPLES = r"""
- name: Look
  deter.benito.local_testbed_info:
  register: testbed

- name: Show
  ansible.builtin.debug:
    var: testbed.table
"""

RETURN = r"""
pnodes:
  description: The pnodes there are, each with C(name), C(state), C(control_address), C(experiment_address) and C(experiments).
  returned: success
  type: list
  elements: dict
table:
  description: The same as lines of a table.
  returned: success
  type: list
  elements: str
missing_packages:
  description: The packages that a testbed of this backend needs and that are not installed.
  returned: success
  type: list
  elements: str
inventory:
  description: The inventory file with the group C(pnode_pool).
  returned: success
  type: str
"""

import os

from ansible_collections.deter.benito.plugins.module_utils.benito_module import BenitoModule
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.testbed.local_testbed import LocalTestbed
from ansible_collections.deter.benito.plugins.module_utils.testbed.names import identify


def main() -> None:
    module = BenitoModule(
        argument_spec={
            "name": {"type": "str", "default": "local"},
            "home": {"type": "path", "default": "~/.benito"},
            "backend": {"type": "str", "choices": ["lxc", "qemu"]},
        },
        supports_check_mode=True,
    )
    try:
        identity = identify(module.params["home"], module.params["name"])
        testbed = LocalTestbed(identity, os.path.join(identity.home, "cache"), module.params["backend"] or "")
        outcome = testbed.look()
    except BenitoError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, pnodes=outcome.pnode_facts, table=outcome.table, inventory=testbed.paths.inventory,
                     missing_packages=testbed.missing_packages())


if __name__ == "__main__":
    main()
