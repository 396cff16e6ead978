#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: have the images that an experiment's nodes are made of."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: images
short_description: Provide the images of an experiment's nodes
version_added: 0.1.0
description:
  - Chooses an image for each qemu and openvz node, from the topology and the site's catalogue, and has all of them in C(cache/images)
    under O(benito_home). Images are built with mmdebstrap or fetched and checked; what is there already is not made again.
  - Writes C(images.json) into the experiment's directory, which M(deter.benito.allocation) binds the nodes with.
  - An unknown image, a wrong checksum or a build that fails is a failure. Then swapin gives its machines back, and nothing was built on them.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.experiment.home
  - deter.benito.attributes
  - deter.benito.attributes.no_diff
attributes:
  action:
    description: An action plugin on the controller provides the images and shows each phase. Only with C(async) does the module run.
    support: full
  action_group:
    description:
      - Use C(group/deter.benito.experiment) in C(module_defaults) to give O(pid) and O(eid) to all such tasks,
        and C(group/deter.benito.directory) to give them O(benito_home).
    support: full
    membership: [deter.benito.directory, deter.benito.experiment]
  async:
    description: Building an image takes about a minute.
    support: full
  connection:
    description: Runs on the controller, where the experiment's directory is. Let the task run on C(localhost).
    support: partial
  platform:
    description: The controller is Debian 12, Debian 13 or Ubuntu 24.04.
    support: full
    platforms: debian
options:
  state:
    description:
      - V(present) has the images. V(looked) tells what V(present) would do and which packages it takes, and makes nothing.
      - Either ends the swap-in that had begun when it fails, but in check mode.
    type: str
    choices: [looked, present]
    default: present
requirements:
  - root, to build an image
  - the commands of the Debian packages mmdebstrap, e2fsprogs, qemu-utils and zstd, as far as an image has to be made
"""

EXAMPLES = r"""
- name: Provide the images of an experiment
  deter.benito.images:
    pid: DeterTest
    eid: example1
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
missing:
  description: The images that were not there, in words.
  returned: success
  type: list
  elements: str
packages:
  description: Packages that this machine lacked to make the images that were not there.
  returned: success
  type: list
  elements: str
nodes:
  description: The digest of each node's image.
  returned: success
  type: dict
"""

from ansible_collections.deter.benito.plugins.module_utils.benito_module import BenitoModule
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.files import signals_as_exceptions
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.provide_images import provide


def argument_spec() -> dict:
    return {
        "pid": {"type": "str", "required": True},
        "eid": {"type": "str", "required": True},
        "benito_home": {"type": "str"},
        "state": {"type": "str", "choices": ["looked", "present"], "default": "present"},
    }


def main() -> None:
    module = BenitoModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params
    only_look = module.check_mode or given["state"] == "looked"
    try:
        with signals_as_exceptions():
            provided = provide(ExperimentDirectory(given["benito_home"], given["pid"], given["eid"]).require(), only_look)
    except BenitoError as exc:
        module.fail_json(msg=str(exc))
    for line in provided.warnings:
        module.warn(line)
    module.exit_json(**provided.result(module.check_mode or given["state"] == "present"))


if __name__ == "__main__":
    main()
