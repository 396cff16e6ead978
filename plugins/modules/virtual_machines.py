#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: bring up the virtual machines of an experiment on a vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: virtual_machines
short_description: Bring up the virtual machines of an experiment on a vhost
version_added: 0.1.0
description:
  - Makes every qemu vnode of the host plan, starts them in batches and waits until all have booted; removes those that are not planned any more.
  - Their start commands run inside, at each of their boots.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
"""

EXAMPLES = r"""
- name: Build the virtual machines of an experiment on a vhost
  deter.benito.virtual_machines:
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
