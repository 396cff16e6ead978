#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: the warm templates of virtual machines on a vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: warm_templates
short_description: The warm templates of virtual machines on a vhost
version_added: 0.1.0
description:
  - Lists the warm templates on a host, guests that have booted and that virtual machines are cloned from.
  - With O(pid) and O(eid), begins to make those that the virtual machines of that experiment will need, and does not wait for them.
  - With O(limit_mb), removes those used longest ago. It does not need an experiment, nor anything of this collection on the host.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
options:
  pid:
    description: The project of an experiment on this host.
    type: str
  eid:
    description: The experiment.
    type: str
  limit_mb:
    description: The MiB that templates may take on the host's disk; V(0) removes all of them, and what interrupted runs have left.
    type: int
seealso:
  - module: deter.benito.virtual_machines
"""

EXAMPLES = r"""
- name: Begin to make what the virtual machines will be cloned from
  deter.benito.warm_templates:
    pid: DeterTest
    eid: example1

- name: Remove all warm templates
  deter.benito.warm_templates:
    limit_mb: 0
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
table:
  description: The same for a person, a line each.
  returned: success
  type: list
  elements: str
templates:
  description:
    - The templates that are here, the one used last first.
    - Each with what it was made of, C(key), C(size_mb), C(private_mb) and C(used).
    - C(private_mb) is what one clone takes for itself, 0 until one was measured; C(used) is the time it was last cloned, in seconds since 1970.
  returned: success
  type: list
  elements: dict
"""
