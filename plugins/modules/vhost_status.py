#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: tell the state of the vnodes on a vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: vhost_status
short_description: Tell the state of the vnodes on a vhost
version_added: 0.1.0
description:
  - Tells of every vnode whether it is there, and how its start command fares.
  - Compares bridges, tunnels, ports and the networks inside vnodes with the plan, as they are now.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes.vhost
  - deter.benito.attributes.read_only
options:
  probe:
    description: Whether to send a frame across each bridge, too. Not in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Tell the state of the vnodes on a vhost
  deter.benito.vhost_status:
    pid: DeterTest
    eid: example1
"""

RETURN = r"""
unit:
  description: What systemd says of the experiment's unit.
  returned: success
  type: str
nodes:
  description: Kind, state, start_command and exit_status of each vnode, and since when it has been in that state.
  returned: success
  type: dict
substrates:
  description: Whether each substrate is C(up), C(missing) or C(broken).
  returned: success
  type: dict
faults:
  description:
    - What differs from the plan on the vhost's side. Each text names the bridge, tunnel or port.
    - It has the keys C(substrates) and C(nodes). Both have the names of those that have faults.
  returned: success
  type: dict
differs:
  description: What differs from the plan inside vnodes, which experimenters may change. It has the names of those vnodes.
  returned: success
  type: dict
probed:
  description: The number of bridges that a frame was sent across.
  returned: with O(probe=true)
  type: int
filter:
  description:
    - Whether the packet filter that keeps the nodes away from this machine is loaded.
    - It is C(up), C(missing), or C(changed) by another program, and empty when the experiment needs none here.
  returned: success
  type: str
foreign:
  description:
    - Whether the experiment's packets pass the packet filters of other programs on this machine, such as Docker's.
    - It is C(passed), the first chain that may drop them, or empty when no such chain sees them.
  returned: success
  type: str
managed:
  description: Devices of the experiment that a network manager of this machine has taken, each with that manager. It should be empty.
  returned: success
  type: dict
"""
