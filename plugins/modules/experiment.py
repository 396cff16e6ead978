#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: remove an experiment's directory."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: experiment
short_description: Remove an experiment's directory
version_added: 0.1.0
description:
  - Removes the directory of an experiment that is swapped out. One that still has machines is refused.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.experiment.home
  - deter.benito.attributes
  - deter.benito.attributes.controller
  - deter.benito.attributes.no_diff
options:
  state:
    description: Whether the experiment exists. C(deter.benito.containerize) is what makes one.
    type: str
    choices: [absent]
    default: absent
"""

EXAMPLES = r"""
- name: The experiment is over
  deter.benito.experiment:
    pid: DeterTest
    eid: example1
    state: absent
"""

RETURN = r"""
changed:
  description: Whether there was anything to remove.
  returned: success
  type: bool
"""
