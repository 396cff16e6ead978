#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: draw an experiment or a topology."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: topdl_image
short_description: Draw a picture of an experiment or a topology
version_added: 0.1.0
description:
  - Draws the nodes of an experiment, or of a topology file, by kind, and the links and LANs between them, with Graphviz.
  - What takes longer than it may is drawn faster and less well, with a warning, or is an error.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment.home
options:
  experiment:
    description: The experiment, as C(PROJECT/EXPERIMENT) or C(PROJECT/GROUP/EXPERIMENT), in place of O(pid) and O(eid).
    type: str
  pid:
    description: The experiment's project, or one of its groups as C(PROJECT/GROUP).
    type: str
  eid:
    description: The experiment.
    type: str
  topology:
    description:
      - A topology in place of an experiment, a TopDL, NS, GraphML or containerlab file. Its content tells which, whatever its name.
    type: str
  out:
    description:
      - The file to write. Its end is the format, C(.svg), C(.png), C(.pdf), or C(.dot) for the text that Graphviz's programs read.
      - By default the name of what is drawn, with C(.svg).
    type: str
  partitions:
    description: Whether there is a box for each pnode.
    type: bool
    default: false
  program:
    description: The program that lays it out. By default one that suits the size. Only V(dot) and V(fdp) draw boxes.
    type: str
    choices: [dot, neato, fdp, sfdp, twopi, circo]
  addresses:
    description: Whether addresses are shown. By default where there is room.
    type: bool
  image_limit_s:
    description: Seconds that it may take.
    type: float
    default: 20
  chdir:
    description: Folder to which relative paths of O(topology), O(out) and O(benito_home) are relative.
    type: path
requirements:
  - lxml for the Python it runs with
  - Graphviz (package graphviz)
  - tclsh (package tcl) for NS files
attributes:
  check_mode:
    description: Draws and writes nothing.
    support: full
  diff_mode:
    description: Tells it by RV(ignore:changed) only.
    support: none
  idempotent:
    description: The same topology and the same Graphviz give the same file.
    support: full
"""

EXAMPLES = r"""
- name: Draw an experiment, with a box for each pnode
  deter.benito.topdl_image:
    experiment: DeterTest/example1
    out: example1.pdf
    partitions: true

- name: Draw a topology before there is an experiment
  deter.benito.topdl_image:
    topology: example1.tcl
    out: example1.png
    program: dot
"""

RETURN = r"""
msg:
  description: What was drawn, by which program, and where it is.
  returned: success
  type: str
path:
  description: The picture.
  returned: success
  type: str
program:
  description: What laid it out.
  returned: success
  type: str
"""

from ansible_collections.deter.benito.plugins.module_utils.benito_module import BenitoModule
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.picture import PictureRequest, experiment_named, picture
from ansible_collections.deter.benito.plugins.module_utils.settings.schema import setting


def argument_spec() -> dict:
    return {
        "experiment": {"type": "str"},
        "pid": {"type": "str"},
        "eid": {"type": "str"},
        "topology": {"type": "str"},
        "out": {"type": "str"},
        "partitions": {"type": "bool", "default": False},
        "program": {"type": "str", "choices": ["dot", "neato", "fdp", "sfdp", "twopi", "circo"]},
        "addresses": {"type": "bool"},
        "image_limit_s": {"type": "float", "default": setting("image_limit_s").default},
        "benito_home": {"type": "str"},
        "chdir": {"type": "path"},
    }


def main() -> None:
    module = BenitoModule(argument_spec=argument_spec(), supports_check_mode=True, required_together=[("pid", "eid")])
    given = module.params
    try:
        drawn = picture(
            PictureRequest(
                experiment=experiment_named(given["experiment"], given["pid"], given["eid"]),
                topology=given["topology"] or "",
                out=given["out"] or "",
                partitions=given["partitions"],
                program=given["program"],
                addresses=given["addresses"],
                seconds=given["image_limit_s"],
                home=given["benito_home"],
                chdir=given["chdir"] or "",
            )
        )
        changed = drawn.differs()
        if changed and not module.check_mode:
            drawn.write()
    except BenitoError as exc:
        module.fail_json(msg=str(exc))
    for warning in drawn.warnings:
        module.warn(str(warning))
    module.exit_json(changed=changed, msg=drawn.message(would=module.check_mode), path=drawn.path, program=drawn.program)


if __name__ == "__main__":
    main()
