#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: have a machine be a node of an experiment itself."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: embedded_pnode
short_description: Have a machine be a node of an experiment itself
version_added: 0.1.0
description:
  - Gives the machine the interfaces, addresses, routes and names of the C(embedded_pnode) of its host plan, and takes them away when none is planned any more.
  - Starts the experiment's unit, whose cgroup holds the processes of its start command. That waits for M(deter.benito.start_commands).
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
"""

EXAMPLES = r"""
- name: Have a machine be a node of an experiment itself
  deter.benito.embedded_pnode:
    pid: DeterTest
    eid: example1
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
"""
