#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: choose machines of the pool for an experiment and bind it to them."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: allocation
short_description: Choose machines of the pool for an experiment and bind it to them
version_added: 0.1.0
description:
  - Chooses a machine for each vhost among those that presented themselves, C(allocation.json), and writes what each is told, C(plan/<vhost>.json).
  - Machines that an interrupted run was lent are kept.
  - O(pnode_types) and O(pass_pnodes) are the experiment's own settings where they are not given.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.experiment.home
  - deter.benito.attributes
  - deter.benito.attributes.controller
  - deter.benito.attributes.no_diff
  - deter.benito.settings.machine_types
options:
  offers:
    description: What each machine of the pool offers, as M(deter.benito.lease) tells it, with C(variables), C(type), C(shared),
      C(pnode_slots), C(pnode_memory_mb), C(unreachable), C(unusable) and C(names), the names of its variables.
    type: dict
    required: true
  secrets:
    description: The connection variables of each machine that hold a password.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Choose machines
  deter.benito.allocation:
    pid: DeterTest
    eid: example1
    offers: "{{ offers }}"
"""

RETURN = r"""
chosen:
  description: The pool host for each pnode.
  returned: success
  type: dict
names:
  description: The name of each pnode's host in the playbook, C(pnode-0000@m1).
  returned: success
  type: dict
lease_order:
  description: These hosts, in the order in which their machines are to be leased. It is the same for all experiments.
  returned: success
  type: list
  elements: str
claims:
  description: What is claimed of each pnode's machine, C(shared), C(memory_mb) and C(memory_limit_mb), see M(deter.benito.lease).
  returned: success
  type: dict
kinds:
  description: The kinds of nodes that each vhost carries.
  returned: success
  type: dict
nested:
  description: The virtual machines that carry processes, each with C(vhost), C(pnode), C(name), C(kinds) and C(reach), its connection variables.
  returned: success
  type: list
  elements: dict
"""
