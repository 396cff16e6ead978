#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: prove that full-size packets cross the tunnels of an experiment."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: experiment_probe
short_description: Prove that full-size packets cross the tunnels of an experiment
version_added: 0.1.0
description:
  - Sends do-not-fragment packets as large as a node's to every other vhost of every substrate.
  - Nothing is done when the network was not changed since the last proof.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes.vhost
options:
  answer:
    description: Send nothing, only answer from now on what others send. For a vhost whose network was not changed while that of others was.
    type: bool
    default: false
attributes:
  check_mode:
    description: Sends nothing.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: N/A
  idempotent:
    description: Changes nothing. Sends nothing either when the network was not changed since the last proof.
    support: full
"""

EXAMPLES = r"""
- name: Prove that full-size packets cross the tunnels of an experiment
  deter.benito.experiment_probe:
    pid: DeterTest
    eid: example1
"""

RETURN = r"""
probed:
  description: How many pairs of substrate and vhost were probed.
  returned: when not O(answer)
  type: int
"""
