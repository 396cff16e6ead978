#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: reboot nodes of an experiment on their vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_reboot
short_description: Reboot nodes of an experiment on their vhost
version_added: 0.1.0
description:
  - Ends the nodes and has them come up again; their start commands run again. Does not wait until they are up.
  - A node that is the machine itself is rebooted with M(ansible.builtin.reboot), as the playbook C(node_reboot) does, which waits for it.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
attributes:
  idempotent:
    description: Nodes are rebooted each time.
    support: none
options:
  nodes:
    description: The nodes, all of this vhost.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Reboot two nodes
  deter.benito.node_reboot:
    pid: DeterTest
    eid: example1
    nodes: [a, b]
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
status:
  description: The state of the vnodes thereafter, as M(deter.benito.vhost_status) tells it.
  returned: success
  type: dict
"""
