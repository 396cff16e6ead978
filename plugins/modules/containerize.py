#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: make an experiment of a topology."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: containerize
short_description: Create an experiment from a topology
version_added: 0.1.0
description:
  - Reads a topology, gives every node a container kind, a partition and addresses, and writes the experiment's directory below
    E(BENITO_HOME), whole or not at all. The experiment is then C(swapped), that is, ready to be swapped in.
  - Everything that is wrong with the input is reported at once, with file, line and element. Then nothing is created.
  - An experiment that exists is refused and left untouched.
  - Most options are settings. The values of those that are not given come from the site's C(site.yml).
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.experiment.home
  - deter.benito.settings
options:
  eid:
    description: The experiment, a name that is free within the project.
    type: str
    required: true
  topology:
    description:
      - The topology, a TopDL, NS, GraphML or containerlab file. Its content tells which, whatever its name.
    type: str
    required: true
  settings:
    description:
      - Settings by name, such as those that variables give. They may be any of the other options that have no default here.
      - An option by its own name wins over its entry here.
    type: dict
  config:
    description: The C(site.conf) of the original, an INI file. Its values win over the site's settings. Keys without a meaning here are warned of.
    type: str
  site:
    description: Settings file to use in place of C(site.yml) in O(benito_home).
    type: str
  chdir:
    description: Folder to which relative paths of O(topology), O(site), O(config) and O(benito_home) are relative.
    type: path
requirements:
  - jsonschema, lxml, mtkahypar and PyYAML for the Python it runs with
  - tclsh (package tcl) for NS files
  - dot, neato, fdp and sfdp (package graphviz) for pictures
attributes:
  check_mode:
    description: Reports every fault of the input and what would be created, and writes nothing.
    support: full
  diff_mode:
    description: Shows the pnodes with their vnodes, and the files.
    support: full
  idempotent:
    description: An experiment is created once. A second time is an error.
    support: none
"""

EXAMPLES = r"""
- name: Make an experiment with at most four nodes on a pnode
  deter.benito.containerize:
    pid: DeterTest
    eid: example1
    topology: example1.xml
    packing: 4

- name: Make it of processes, whatever the topology asks for
  deter.benito.containerize:
    pid: DeterTest
    eid: sketch
    topology: example1.xml
    kind_map: openvz=process,qemu=process

- name: Pack the nodes of pass 1 closer, those of pass 2 onto large machines
  deter.benito.containerize:
    pid: DeterTest
    eid: example6
    topology: example6.xml
    pass_pack: {1: 20, 2: 10}
    pass_pnodes: 2:MicroCloud,dl380g3
"""

RETURN = r"""
msg:
  description: That it was created, or in check mode could be, where it is, and what to do next.
  returned: success
  type: str
path:
  description: The experiment's directory.
  returned: success
  type: str
pnodes:
  description: The pnodes it needs, each with the list of nodes it carries.
  returned: success
  type: dict
files:
  description: The files of the directory, relative to it.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.create import Request, prepare
from ansible_collections.deter.benito.plugins.module_utils.settings import options
from ansible_collections.deter.benito.plugins.module_utils.settings_module import SettingsModule

MOST_WARNINGS = 20


def argument_spec() -> dict:
    return {
        "pid": {"type": "str", "required": True},
        "eid": {"type": "str", "required": True},
        "topology": {"type": "str", "required": True},
        "settings": {"type": "dict"},
        **options.argument_spec(),
        "config": {"type": "str"},
        "site": {"type": "str"},
        "benito_home": {"type": "str"},
        "chdir": {"type": "path"},
    }


def main() -> None:
    module = SettingsModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params
    own = {name: given[name] for name in options.option_names() if given[name] is not None}
    try:
        creation = prepare(
            Request(
                pid=given["pid"],
                eid=given["eid"],
                topology=given["topology"],
                home=given["benito_home"],
                site=given["site"],
                settings={**(given["settings"] or {}), **own},
                chdir=given["chdir"] or "",
                config=given["config"],
            )
        )
        if not module.check_mode:
            creation.write()
    except BenitoError as exc:
        module.fail_json(msg=str(exc))
    for warning in creation.warnings[:MOST_WARNINGS]:
        module.warn(str(warning))
    if len(creation.warnings) > MOST_WARNINGS:
        module.warn(f"{len(creation.warnings) - MOST_WARNINGS} more warnings are in the experiment's activity.log")
    module.exit_json(
        changed=True,
        msg=creation.message(would=module.check_mode),
        path=creation.directory.path,
        pnodes={vhost: list(nodes) for vhost, nodes in creation.carried.items()},
        files=sorted(creation.files),
        diff={"before": "", "after": creation.summary()},
    )


if __name__ == "__main__":
    main()
