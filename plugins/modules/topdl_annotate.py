#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: set, change and remove attributes of a topology's elements."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: topdl_annotate
short_description: Set, change and remove attributes of a topology's elements
version_added: 0.1.0
description:
  - Chooses elements of a topology by name, kind, degree, substrate and attributes, and sets or removes attributes of theirs.
  - Partitions by hand, marks physical nodes, chooses images and sets start commands of many nodes at once.
  - Writes TopDL. Comments, white space and what is around a topology that is part of a larger document are not kept; all else is.
  - Give O(rules), or one rule by O(name) and the others.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.settings.ns_profile
options:
  topology:
    description:
      - The topology, a TopDL, NS, GraphML or containerlab file. Its content tells which, whatever its name.
    type: str
    required: true
  rules:
    description:
      - A list of rules, or the path of a YAML file that has one. They are applied in order, each to what those before it made.
      - Each is a dictionary with C(select), a dictionary of the options O(element) to O(lacks) here, and O(set), O(remove), O(allow_none).
    type: raw
  out:
    description:
      - The TopDL file to write, C(.xml) or C(.topdl). C(NAME-annotated.xml) beside the topology, if not given.
      - A file that is there is overwritten if it is a TopDL file.
    type: str
  in_place:
    description: Whether to change the topology's file itself.
    type: bool
    default: false
  element:
    description: The type of the elements. The default is computers.
    type: str
    choices: [computer, substrate, interface, other, experiment]
  name:
    description: Shell patterns of names, as a list or with commas between them; one of them is to fit.
    type: raw
    aliases: [names]
  regex:
    description: A regular expression of the whole name.
    type: str
  except:
    description: Shell patterns of names that are left out.
    type: raw
  kind:
    description: Container kinds, as C(containers:node_type) says; one of them.
    type: raw
  degree:
    description: The number of interfaces, of a substrate that of its members. A number, or a dictionary of C(min) and C(max).
    type: raw
  neighbours:
    description: The number of other elements on the same substrates, likewise.
    type: raw
  substrate:
    description: Shell patterns of substrates that the element is attached to.
    type: raw
  computer:
    description: Shell patterns of the computer that an interface is of, or that is attached to a substrate.
    type: raw
  has:
    description: An attribute that the element has, a list of them, or a dictionary of attributes and shell patterns of their values.
    type: raw
  lacks:
    description: Likewise what it has not.
    type: raw
  set:
    description:
      - Attributes and their values.
      - A value is a text, in which C({name}), C({index}), C({number}), C({count}), C({computer}) and C({substrate}) are filled in, or a dictionary.
      - C(literal) is a text as it stands. C(cycle) gives the values of a list to the elements in turn, C(spread) in blocks of equal size, C(each)
        to so many elements each, the values of its C(of). A number in place of the list stands for the numbers from 0 on; C(text) may say more
        than C({value}).
    type: dict
  remove:
    description: Shell patterns of names of attributes that are removed, before any are set.
    type: raw
  allow_none:
    description: Whether the rule may select nothing, which is an error otherwise.
    type: bool
  chdir:
    description: The folder that relative paths of O(topology), O(rules) and O(out) start at.
    type: path
requirements:
  - lxml and PyYAML for the Python it runs with
  - tclsh (package tcl) for NS files
attributes:
  check_mode:
    description: Tells what would change, finds every fault, and writes nothing.
    support: full
  diff_mode:
    description: Shows the attributes that differ from the topology, element by element.
    support: full
  idempotent:
    description: A file that is as it should be is left alone.
    support: full
"""

EXAMPLES = r"""
- name: Partition by hand, one rule for fifty clients
  deter.benito.topdl_annotate:
    topology: lab.xml
    rules:
      - select: {name: "client-*"}
        set:
          containers:partition: {each: 10, text: "clients-{value}"}
          startup: "ping -c 3 server-{index}"
      - select: {degree: {min: 3}}
        set: {containers:node_type: embedded_pnode}
        remove: containers:partition

- name: By the rules of a file
  deter.benito.topdl_annotate:
    topology: lab.tcl
    rules: rules.yml
    out: lab.xml

- name: One rule by itself
  deter.benito.topdl_annotate:
    topology: lab.xml
    in_place: true
    substrate: lan-0
    set:
      containers:image: debian-13
"""

RETURN = r"""
msg:
  description: How much differs from the topology, and where it is written.
  returned: success
  type: str
out:
  description: The file that is written.
  returned: success
  type: str
elements:
  description: Of each element that differs from the topology, the attributes with their values; null for those that are gone.
  returned: success
  type: dict
selected:
  description: How many elements each rule selected.
  returned: success
  type: list
  elements: int
"""

from ansible_collections.deter.benito.plugins.module_utils.annotating.annotate import Request, prepare
from ansible_collections.deter.benito.plugins.module_utils.annotating.rule_reader import RULE_KEYS, SELECT_KEYS
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.settings.schema import setting
from ansible_collections.deter.benito.plugins.module_utils.settings_module import SettingsModule

MOST_WARNINGS = 20


def argument_spec() -> dict:
    return {
        "topology": {"type": "str", "required": True},
        "rules": {"type": "raw"},
        "out": {"type": "str"},
        "in_place": {"type": "bool", "default": False},
        "element": {"type": "str", "choices": ["computer", "substrate", "interface", "other", "experiment"]},
        "name": {"type": "raw", "aliases": ["names"]},
        "regex": {"type": "str"},
        "except": {"type": "raw"},
        "kind": {"type": "raw"},
        "degree": {"type": "raw"},
        "neighbours": {"type": "raw"},
        "substrate": {"type": "raw"},
        "computer": {"type": "raw"},
        "has": {"type": "raw"},
        "lacks": {"type": "raw"},
        "set": {"type": "dict"},
        "remove": {"type": "raw"},
        "allow_none": {"type": "bool"},
        "ns_profile": setting("ns_profile").argument(with_default=True),
        "chdir": {"type": "path"},
    }


def main() -> None:
    module = SettingsModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params
    try:
        annotation = prepare(
            Request(
                topology=given["topology"],
                rules=given["rules"],
                rule={key: given.get(key) for key in (*SELECT_KEYS, *RULE_KEYS)},
                out=given["out"],
                in_place=given["in_place"],
                profile=given["ns_profile"],
                chdir=given["chdir"] or "",
            )
        )
        if annotation.changed and not module.check_mode:
            annotation.write()
    except BenitoError as exc:
        module.fail_json(msg=str(exc))
    for warning in annotation.warnings[:MOST_WARNINGS]:
        module.warn(str(warning))
    if len(annotation.warnings) > MOST_WARNINGS:
        module.warn(f"and {len(annotation.warnings) - MOST_WARNINGS} more")
    module.exit_json(
        changed=annotation.changed,
        msg=annotation.message(would=module.check_mode),
        out=annotation.path,
        elements=annotation.elements(),
        selected=list(annotation.annotated.selected),
        diff=annotation.diff(),
    )


if __name__ == "__main__":
    main()
