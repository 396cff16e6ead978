#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: the bridge that carries the control network of a vhost."""

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
  - deter.benito.experiment.program
options:
  pid:
    description: The project of the experiment that uses the bridge.
    type: str
    required: true
  eid:
    description: The experiment that uses the bridge.
    type: str
    required: true
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

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.deter.benito.plugins.module_utils.host_program import experiment_arguments, run_program
from ansible_collections.deter.benito.plugins.module_utils.names import experiment_name

COMMANDS = {"present": "up", "confirmed": "confirm", "absent": "down"}


def argument_spec():
    return {
        **experiment_arguments(),
        "state": {"type": "str", "choices": list(COMMANDS), "default": "present"},
        "interface": {"type": "str", "default": ""},
        "timeout": {"type": "int", "default": 60},
    }


def arguments(params, check_mode):
    """The command line of benito-host for the module's options."""
    given = ["control-bridge", COMMANDS[params["state"]], "--user", experiment_name(params["pid"], params["eid"])]
    if params["state"] == "present":
        given += ["--interface", params["interface"], "--timeout", str(params["timeout"])]
    return given + (["--check"] if check_mode else [])


def without_program(state):
    """What can be said where benito-host is not installed: nothing of ours is there."""
    changes = ["control0: made"] if state == "present" else []
    return {"changed": bool(changes), "changes": changes, "pending": False, "users": [], "diff": {"before": "", "after": "".join(f"{c}\n" for c in changes)}}


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    state = module.params["state"]
    if not os.path.exists(module.params["program"]) and (module.check_mode or state == "absent"):
        module.exit_json(**without_program(state))
    module.exit_json(**run_program(module, *arguments(module.params, module.check_mode)))


if __name__ == "__main__":
    main()
