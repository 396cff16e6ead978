#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: start the start commands of the vnodes on a vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: start_commands
short_description: Start the start commands of the vnodes on a vhost
version_added: 0.1.0
description:
  - Starts each start command that has not been started since its vnode was made. Does not wait for their ends; M(deter.benito.vhost_status) tells them.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
"""

EXAMPLES = r"""
- name: Start the start commands of the vnodes on a vhost
  deter.benito.start_commands:
    pid: DeterTest
    eid: example1
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
