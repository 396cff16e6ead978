#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: start the system containers of an experiment on a vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: system_containers
short_description: Start the system containers of an experiment on a vhost
version_added: 0.1.0
description:
  - Makes the C(openvz) nodes of the host plan, containers of LXC with users, an init and a disk of their own, and removes those that are not planned any more.
  - Starts them, a few at a time, and waits until all have booted. One that was powered off or died is started again.
    Their start commands run inside as soon as each has booted.
  - Fails with the names of those that have not booted within C(boot_limit_s) of the host plan, and the end of what stands on their consoles.
  - Starts the experiment's unit, which starts them again when the vhost boots.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
"""

EXAMPLES = r"""
- name: Start the system containers of an experiment on a vhost
  deter.benito.system_containers:
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
