#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: prepare a machine to carry vnodes, or take an experiment away from it."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: vhost
short_description: Prepare a machine to carry vnodes, or take an experiment away from it
version_added: 0.1.0
description:
  - Installs C(benito-host), the one program that acts on a vhost, with its systemd unit, and makes the experiment's directory.
  - With O(state=absent), takes away everything of the experiment, however far it had come, and with the last experiment what all share.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
options:
  plan:
    description: The host plan, as JSON text. The one that is there is kept if it is not given.
    type: str
  secrets:
    description: What nobody else may read, C({node. {file. text}}). Kept below the experiment's directory, readable by root alone.
    type: dict
    default: {}
  state:
    description: Whether the machine carries the experiment.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Prepare this machine for an experiment
  deter.benito.vhost:
    pid: DeterTest
    eid: example1

- name: Take the experiment away again
  deter.benito.vhost:
    pid: DeterTest
    eid: example1
    state: absent
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
missing:
  description: Packages without which C(benito-host) cannot work here.
  returned: when O(state=present)
  type: list
  elements: str
program:
  description: The C(benito-host) that looks after the experiment.
  returned: when O(state=present)
  type: str
"""
