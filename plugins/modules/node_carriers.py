#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: tell which machines carry nodes of an experiment."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_carriers
short_description: Tell which machines carry nodes of an experiment
version_added: 0.1.0
description:
  - Reads the plans of an experiment that is swapped in. Changes nothing.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.experiment.home
  - deter.benito.attributes.controller
  - deter.benito.attributes.read_only
options:
  nodes:
    description: The nodes. The experiment must be active. Without it, all machines of the experiment, whatever its state.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Know who carries a and b
  deter.benito.node_carriers:
    pid: DeterTest
    eid: example1
    nodes: [a, b]
"""

RETURN = r"""
carriers:
  description: For each machine of the experiment that carries some of them, C(nodes), and whether it is the node itself, C(embedded).
  returned: success
  type: dict
names:
  description: The name of each of these machines as a host of the playbook, C(pnode-0000@m1).
  returned: success
  type: dict
variables:
  description: How to reach each of these machines, without passwords.
  returned: success
  type: dict
"""
