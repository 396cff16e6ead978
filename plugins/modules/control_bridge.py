#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: the bridge that carries the control network of a vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: control_bridge
short_description: The bridge that carries the control network of a vhost
version_added: 0.1.0
description:
  - Puts the interface that carries the SSH connection under the bridge C(control0), which takes its MAC address, addresses, routes and DHCP lease.
  - The change undoes itself after O(timeout) seconds, and at a reboot, unless it is confirmed with O(state=confirmed) over a new connection.
    The role P(deter.benito.control_bridge#role) does both steps.
  - Counts the experiments that use it. With the last one, the interface becomes as it was.
  - Refuses, by name and without changing anything, what it does not understand, such as bonds, VLANs, WiFi and members of other bridges.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes.vhost
options:
  state:
    description:
      - V(present) makes the bridge, to be confirmed. V(confirmed) says that the host was reached over it, and keeps it over boots.
      - V(absent) counts the experiment out.
    type: str
    choices: [present, confirmed, absent]
    default: present
  interface:
    description: The control interface. By default the one that carries the SSH connection, else the one of the default route.
    type: str
    default: ""
  timeout:
    description: Seconds until an unconfirmed change is undone.
    type: int
    default: 60
attributes:
  check_mode:
    description: Tells what would change. Where C(benito-host) is not installed yet it can only say that the bridge would be made.
    support: full
  diff_mode:
    description: Shows what the bridge carries, its files and its users, before and after.
    support: full
  idempotent:
    description: A bridge that stands is left alone.
    support: full
"""

EXAMPLES = r"""
- name: Put the control interface under control0
  deter.benito.control_bridge:
    pid: DeterTest
    eid: example1
  register: control_bridge

- name: Leave the old connection
  ansible.builtin.meta: reset_connection

- name: Keep it, since the host is reached
  deter.benito.control_bridge:
    pid: DeterTest
    eid: example1
    state: confirmed

- name: Let go of it
  deter.benito.control_bridge:
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
pending:
  description: Whether the bridge waits to be confirmed.
  returned: success
  type: bool
interface:
  description: The interface under the bridge.
  returned: when there is a bridge
  type: str
manager:
  description: Who configures it, one of C(networkd), C(netplan), C(NetworkManager), C(ifupdown) and C(none).
  returned: when there is a bridge
  type: str
users:
  description: The experiments that use the bridge, as C(pid.eid).
  returned: success
  type: list
  elements: str
"""
