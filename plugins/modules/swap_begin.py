#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: begin to swap an experiment in or out."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: swap_begin
short_description: Begin to swap an experiment in or out
version_added: 0.1.0
description:
  - Enters the state C(activating) or C(swapping) and tells what has to be known before turning to the machines.
  - An experiment that is already as it is to become keeps its state.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.experiment.home
  - deter.benito.attributes
  - deter.benito.attributes.controller
  - deter.benito.attributes.no_diff
options:
  operation:
    description: Which way.
    type: str
    choices: [swapin, swapout]
    required: true
"""

EXAMPLES = r"""
- name: Begin to swap in
  deter.benito.swap_begin:
    pid: DeterTest
    eid: example1
    operation: swapin
"""

RETURN = r"""
lease_owner:
  description: Who leases machines for the experiment.
  returned: success
  type: str
home:
  description: The directory of the experiments.
  returned: success
  type: str
directory:
  description: The experiment's directory.
  returned: success
  type: str
crosses:
  description: Whether a substrate has members on several machines.
  returned: success
  type: bool
kinds:
  description: Every kind that the experiment's nodes are realised as; none when swapping out.
  returned: success
  type: list
  elements: str
processes:
  description: Whether nodes of kind process run on the machines themselves, and not only inside virtual machines; false when swapping out.
  returned: success
  type: bool
vhosts:
  description: The machines the experiment needs, in order; none when swapping out.
  returned: success
  type: list
  elements: str
lent:
  description: The pool host that was lent for each vhost, as far as any was.
  returned: success
  type: dict
given_up:
  description: For each machine that experiments of this controller have given up, C(pid) and C(eid) of these, and C(since), when that was.
  returned: success
  type: dict
names:
  description: The name of each of them as a host of the playbook, C(pnode-0000@m1).
  returned: success
  type: dict
variables:
  description: How to reach each of them, without passwords.
  returned: success
  type: dict
"""
