#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: build the substrates of an experiment on a vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: experiment_network
short_description: Build the substrates of an experiment on a vhost
version_added: 0.1.0
description:
  - Makes a bridge for each substrate of the host plan, and a VXLAN tunnel where the substrate goes on elsewhere.
  - Loads a packet filter that keeps nodes away from the machine, and lets only planned peers into the tunnels.
  - Raises kernel settings to what the plan needs; what this host could not set is a warning.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
"""

EXAMPLES = r"""
- name: Build the substrates of an experiment on a vhost
  deter.benito.experiment_network:
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
