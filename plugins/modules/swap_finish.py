#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: end swapping an experiment in or out."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: swap_finish
short_description: End swapping an experiment in or out
version_added: 0.1.0
description:
  - Enters the state that the machines' results amount to, C(active), C(swapped) or C(failed) with each host and its reason.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.experiment.home
  - deter.benito.attributes
  - deter.benito.attributes.controller
  - deter.benito.attributes.no_diff
options:
  operation:
    description: Which way it went.
    type: str
    choices: [swapin, swapout, withdraw]
    required: true
  reports:
    description:
      - What came of every vhost. C(failure) with the reason, or C(built) or C(done), with C(status) as M(deter.benito.vhost_status) told it.
      - Of a vhost that reports nothing, the connection was lost.
      - With O(operation=withdraw), why each machine could not be given back, or an empty text.
    type: dict
    default: {}
  reason:
    description: Why a swap-in has built nothing, for O(operation=withdraw).
    type: str
    default: ""
  kept:
    description: The vhosts that have machines of an earlier run, for O(operation=withdraw). With any, the machines stay lent.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: It is swapped in
  deter.benito.swap_finish:
    pid: DeterTest
    eid: example1
    operation: swapin
"""

RETURN = r"""
state:
  description: The experiment's state now.
  returned: success
  type: str
nodes:
  description: Node, kind, pnode, machine, state, start_command and remark of each node.
  returned: success
  type: list
  elements: dict
table:
  description: The same as lines of text; of a large experiment, the nodes that are not as they should be and some others.
  returned: success
  type: list
  elements: str
substrates:
  description: How many substrates are up, and which are not, as lines of text.
  returned: success
  type: list
  elements: str
failures:
  description: The reason of every vhost that failed, or on which something is still broken.
  returned: success
  type: dict
message:
  description: The same as lines for a person, and what to do next.
  returned: success
  type: list
  elements: str
"""
