#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: lease a machine of the pool to an experiment."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: lease
short_description: Lease a machine of the pool to an experiment
version_added: 0.1.0
description:
  - Keeps on the machine itself which experiment has it, so that operators on different controllers do not collide.
  - With O(state=offered), only tells whether the machine is free for the experiment and what its experiment network is like.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.no_diff
options:
  owner:
    description: The controller and its directory of experiments; two experiments of one name are two.
    type: str
    required: true
  state:
    description: What to do.
    type: str
    choices: [offered, present, absent]
    default: present
  shared:
    description: Whether the machine may carry several experiments.
    type: bool
    default: false
  processes:
    description: Whether the experiment has process vnodes, which see the files of their host.
    type: bool
    default: true
  memory_mb:
    description: MiB of memory that the experiment's nodes need on this machine.
    type: int
    default: 0
  memory_limit_mb:
    description: MiB of memory that the nodes of all experiments may need on it together. No limit, if 0.
    type: int
    default: 0
  experiment_address:
    description: IPv4 address of the machine's interface to the experiment network.
    type: str
    default: ""
  experiment_interface:
    description: That interface's name, when the address is not given.
    type: str
    default: ""
  control_addresses:
    description:
      - Addresses of the control network that virtual machines and containers on this machine may have, C(FIRST-LAST) or a prefix.
      - Only handed on with the offer.
    type: str
    default: ""
  given_up:
    description:
      - The experiments of this controller that have given up the machine, each with C(pid), C(eid) and C(since), when that was.
      - The offer has those of them as C(given_up) that still hold it.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Lease this machine
  deter.benito.lease:
    pid: DeterTest
    eid: example1
    owner: controller:/root/.benito
"""

RETURN = r"""
offer:
  description: Why the machine is taken, if it is; who else has it; its memory, and what of it others have reserved; device, address and MTU of its
    experiment network; its control network; names, network identifiers and control addresses in use.
  returned: when O(state=offered)
  type: dict
login:
  description: Connection variables that say how the task came to the machine and became root there, without passwords.
  returned: when O(state=offered)
  type: dict
"""
