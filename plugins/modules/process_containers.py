#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: build the process vnodes of an experiment on a vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: process_containers
short_description: Build the process vnodes of an experiment on a vhost
version_added: 0.1.0
description:
  - Makes the namespaces of all process vnodes of the host plan, with their interfaces, addresses and routes, and removes those that are not planned any more.
  - Starts the experiment's unit, whose cgroup holds all their processes. Start commands wait for M(deter.benito.start_commands).
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
options:
  network:
    description: Build the substrates first, as M(deter.benito.experiment_network) does. Where every start of a program takes seconds, that saves some.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Build the process vnodes of an experiment on a vhost
  deter.benito.process_containers:
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
