#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: check whether a machine of the pool can be a pnode."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: pool_check
short_description: Check whether a machine of the pool can be a pnode
version_added: 0.1.0
description:
  - Finds what would stop or hamper an experiment on the machine, before one is swapped in. It changes nothing there.
  - The machine needs nothing installed but Python.
  - C(benito doctor) runs it on all machines of the pool and shows what it finds.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.no_diff
options:
  pid:
    description: The project of any experiment. It has no meaning here, and is accepted so that a task may be among those of an experiment.
    type: str
  eid:
    description: The experiment, likewise.
    type: str
  experiment_address:
    description: IPv4 address of the machine's interface to the experiment network.
    type: str
    default: ""
  experiment_interface:
    description: That interface's name, when the address is not given.
    type: str
    default: ""
  kvm:
    description: Whether to boot a kernel under KVM, if that has not been done since the machine's boot. It takes up to ten seconds.
    type: bool
    default: true
  variables:
    description: Names of the machine's variables, in which misspelt ones are looked for.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check this machine
  deter.benito.pool_check:
    experiment_address: "{{ benito_experiment_address }}"
"""

RETURN = r"""
checks:
  description: Each check with its C(name), C(state) (C(ok), C(warning) or C(failed)), C(text), which says what was found, and C(remedy).
  returned: always
  type: list
  elements: dict
"""
