#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: write a topology in another format."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: topdl_convert
short_description: Write a topology in another format
version_added: 0.1.0
description:
  - Reads a topology in any format that C(deter.benito.containerize) reads, or the partitioned topology of an experiment, and writes it as TopDL, as an
    NS file that an Emulab site takes, or as GraphML.
  - What the format cannot say is warned of.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment.home
  - deter.benito.attributes
  - deter.benito.attributes.diff
  - deter.benito.settings.ns_profile
options:
  topology:
    description: The topology, a TopDL, NS, GraphML or containerlab file. Its content tells which, whatever its name.
    type: str
  pid:
    description: The project, or one of its groups as C(PROJECT/GROUP), of the experiment whose topology is taken when O(topology) is not given.
    type: str
  eid:
    description: That experiment.
    type: str
  out:
    description: The file to write. Its suffix tells the format, C(.xml) or C(.topdl), C(.tcl) or C(.ns), or C(.graphml).
    type: str
    required: true
  force:
    description: Whether a file that is there and says something else is replaced.
    type: bool
    default: false
  chdir:
    description: Folder to which relative paths of O(topology), O(out) and O(benito_home) are relative.
    type: path
requirements:
  - lxml and PyYAML for the Python it runs with
  - tclsh (package tcl) for reading NS files
"""

EXAMPLES = r"""
- name: Take a topology back to an Emulab site
  deter.benito.topdl_convert:
    topology: example1.xml
    out: example1.tcl

- name: See an experiment's topology with NetworkX
  deter.benito.topdl_convert:
    pid: DeterTest
    eid: example1
    out: example1.graphml
"""

RETURN = r"""
msg:
  description: The file, and how many nodes, links and LANs are in it.
  returned: success
  type: str
path:
  description: The file's absolute path.
  returned: success
  type: str
"""

from ansible_collections.deter.benito.plugins.module_utils.benito_module import BenitoModule
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.convert import Request, prepare
from ansible_collections.deter.benito.plugins.module_utils.settings.schema import setting

MOST_WARNINGS = 100


def argument_spec() -> dict:
    return {
        "topology": {"type": "str"},
        "pid": {"type": "str"},
        "eid": {"type": "str"},
        "out": {"type": "str", "required": True},
        "force": {"type": "bool", "default": False},
        "ns_profile": setting("ns_profile").argument(with_default=True),
        "benito_home": {"type": "str"},
        "chdir": {"type": "path"},
    }


def main() -> None:
    module = BenitoModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params
    try:
        conversion = prepare(
            Request(
                out=given["out"],
                topology=given["topology"] or "",
                project=given["pid"] or "",
                eid=given["eid"] or "",
                profile=given["ns_profile"],
                force=given["force"],
                home=given["benito_home"],
                chdir=given["chdir"] or "",
            )
        )
        if not module.check_mode:
            conversion.write()
    except BenitoError as exc:
        module.fail_json(msg=str(exc))
    for warning in conversion.warnings[:MOST_WARNINGS]:
        module.warn(str(warning))
    if len(conversion.warnings) > MOST_WARNINGS:
        module.warn(f"{len(conversion.warnings) - MOST_WARNINGS} more warnings")
    module.exit_json(changed=conversion.changed, msg=conversion.message(), path=conversion.path, diff=conversion.diff())


if __name__ == "__main__":
    main()
