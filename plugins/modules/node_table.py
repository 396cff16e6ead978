#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: make the table of an experiment's nodes."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_table
short_description: Make the table of an experiment's nodes
version_added: 0.1.0
description:
  - Joins the plans of an experiment with what its vhosts report. Changes nothing.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.experiment.home
  - deter.benito.attributes.controller
  - deter.benito.attributes.read_only
options:
  reports:
    description: Of each vhost C(status), as M(deter.benito.vhost_status) returned it, or C(failure) with the reason.
    type: dict
    default: {}
  wait_until:
    description: What every node should be by now, booted or with an ended start command. RV(message) names those that are not.
    type: str
    choices: [booted, ended]
"""

EXAMPLES = r"""
- name: Make the table of the nodes
  deter.benito.node_table:
    pid: DeterTest
    eid: example1
    reports:
      pnode-0000: {failure: no route to host}
"""

RETURN = r"""
state:
  description: The experiment's state.
  returned: success
  type: str
nodes:
  description: Node, kind, pnode, machine, state, start_command and remark of each node, empty while the experiment is swapped out.
  returned: success
  type: list
  elements: dict
table:
  description: The same as lines of text. If there are many nodes, those that are not as they should be and some others.
  returned: success
  type: list
  elements: str
substrates:
  description: How many substrates are up, and which are not, as lines of text.
  returned: success
  type: list
  elements: str
failures:
  description: Which vhosts could not be asked, and why, as lines of text.
  returned: success
  type: list
  elements: str
late:
  description: The nodes that are not what O(wait_until) says.
  returned: success
  type: list
  elements: str
message:
  description: Both of the above as lines for a person.
  returned: success
  type: list
  elements: str
"""
