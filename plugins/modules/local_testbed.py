#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: make and remove a local testbed."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: local_testbed
short_description: Pnodes on this one machine, as system containers or virtual machines
version_added: 0.1.0
description:
  - Makes a pool of pnodes on the machine it runs on. Each is a Debian system container with systemd and sshd, one interface on a
    control network with a way out, and one on an experiment network of its own.
  - With O(backend=qemu) each is a virtual machine of the same Debian with a kernel of its own, started warm; without KVM that is ten times slower at work.
  - Writes an inventory with the group C(pnode_pool) under O(home). To everything else the pnodes are ordinary hosts over SSH.
  - Names everything that lacks, of commands and of the kernel's abilities, before it makes anything.
author: deter.benito contributors (@deter-project)
options:
  state:
    description:
      - V(ready) checks the machine and builds the base system, which takes half a minute the first time.
      - V(up) has exactly O(pnodes) pnodes running. V(down) removes everything but the cached base systems.
    type: str
    choices: [ready, up, down]
    default: up
  pnodes:
    description: How many pnodes. A pnode beyond that number is removed with what is on it.
    type: int
    default: 2
  name:
    description: The testbed's name. Its pnodes are called NAME-0, NAME-1 and so on. Testbeds of different names do not meet.
    type: str
    default: local
  backend:
    description:
      - What pnodes are, V(lxc) containers or V(qemu) virtual machines. A testbed keeps the one it began with.
      - By default what the testbed has, and V(lxc) for a new one.
    type: str
    choices: [lxc, qemu]
  release:
    description:
      - Debian's release on the pnodes, V(bookworm) for Debian 12 or V(trixie) for Debian 13. A testbed keeps the one it began with.
      - By default what the testbed has, and V(bookworm) for a new one. Containers with V(trixie) need version 2 of control groups on the machine.
    type: str
    choices: [bookworm, trixie]
  memory_mb:
    description: Memory of each pnode in MiB, with O(backend=qemu).
    type: int
    default: 2048
  cpus:
    description: Processors of each pnode, with O(backend=qemu).
    type: int
    default: 1
  _program:
    description: The text of benito-host, which the action plugin of this module fills in. A playbook does not give it.
    type: dict
  home:
    description: E(BENITO_HOME), where the testbed and its inventory are kept.
    type: path
    default: ~/.benito
  cache:
    description: Where base systems and images of pnodes are kept. By default C(cache) under O(home).
    type: path
requirements:
  - root
  - the commands of the Debian packages lxc, mmdebstrap, nftables, iproute2 and openssh-client; for O(backend=qemu) also e2fsprogs, qemu-utils and zstd
attributes:
  check_mode:
    description: Tells what would be done and does nothing.
    support: full
  diff_mode:
    description: Shows the testbed before and after, one line for each pnode, network and file.
    support: full
  idempotent:
    description: A testbed that is as it should be is left alone.
    support: full
  action:
    description: An action plugin on the controller adds the text of C(benito-host), which makes virtual machines, to what the module is given.
    support: full
  async:
    description: Virtual machines take a minute or more where there is no KVM.
    support: full
  connection:
    description: Uses the connection of the host that the task names, and makes the pnodes on that host.
    support: full
  platform:
    description: The host is Debian 12, Debian 13 or Ubuntu 24.04.
    support: full
    platforms: debian
seealso:
  - module: deter.benito.local_testbed_info
"""

EXAMPLES = r"""
- name: Have three pnodes
  deter.benito.local_testbed:
    pnodes: 3

- name: Have two with kernels of their own
  deter.benito.local_testbed:
    name: machines
    backend: qemu
    memory_mb: 4096

- name: Take them away
  deter.benito.local_testbed:
    state: down
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be, in words and in order.
  returned: success
  type: list
  elements: str
pnodes:
  description: The pnodes there are, each with C(name), C(state), C(control_address), C(experiment_address) and C(experiments).
  returned: success
  type: list
  elements: dict
table:
  description: The same as lines of a table.
  returned: success
  type: list
  elements: str
inventory:
  description: The inventory file with the group C(pnode_pool).
  returned: success
  type: str
"""

import os

from ansible_collections.deter.benito.plugins.module_utils.benito_module import BenitoModule
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.testbed.local_testbed import LocalTestbed
from ansible_collections.deter.benito.plugins.module_utils.testbed.machines import Size
from ansible_collections.deter.benito.plugins.module_utils.testbed.names import identify


def argument_spec() -> dict:
    return {
        "state": {"type": "str", "choices": ["ready", "up", "down"], "default": "up"},
        "pnodes": {"type": "int", "default": 2},
        "name": {"type": "str", "default": "local"},
        "home": {"type": "path", "default": "~/.benito"},
        "cache": {"type": "path"},
        "backend": {"type": "str", "choices": ["lxc", "qemu"]},
        "release": {"type": "str", "choices": ["bookworm", "trixie"]},
        "memory_mb": {"type": "int", "default": 2048},
        "cpus": {"type": "int", "default": 1},
        "_program": {"type": "dict"},  # the text of benito-host, from the action plugin
    }


def main() -> None:
    module = BenitoModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params
    try:
        identity = identify(given["home"], given["name"])
        size = Size(given["memory_mb"], given["cpus"])
        testbed = LocalTestbed(identity, given["cache"] or os.path.join(identity.home, "cache"), given["backend"] or "", size, given["_program"],
                               given["release"] or "")
        actions = {
            "ready": lambda: testbed.ready(module.check_mode),
            "up": lambda: testbed.up(given["pnodes"], module.check_mode),
            "down": lambda: testbed.down(module.check_mode),
        }
        outcome = actions[given["state"]]()
    except BenitoError as exc:
        module.fail_json(msg=str(exc))
    for line in outcome.warnings:
        module.warn(line)
    module.exit_json(
        changed=bool(outcome.changes),
        changes=list(outcome.changes),
        diff={"before": outcome.before, "after": outcome.after},
        pnodes=outcome.pnode_facts,
        table=outcome.table,
        inventory=testbed.paths.inventory,
    )


if __name__ == "__main__":
    main()
