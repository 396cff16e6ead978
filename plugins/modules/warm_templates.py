#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: the warm templates of virtual machines on a vhost."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: warm_templates
short_description: The warm templates of virtual machines on a vhost
version_added: 0.1.0
description:
  - Lists the warm templates on a host, guests that have booted and that virtual machines are cloned from.
  - With O(pid) and O(eid), begins to make those that the virtual machines of that experiment will need, and does not wait for them.
  - With O(limit_mb), removes those used longest ago. It does not need an experiment, nor anything of this collection on the host.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.attributes
  - deter.benito.attributes.diff
options:
  pid:
    description: The project of an experiment on this host.
    type: str
  eid:
    description: The experiment.
    type: str
  program:
    description: Path of benito-host on the host.
    type: path
    default: /var/benito/bin/benito-host
  limit_mb:
    description: The MiB that templates may take on the host's disk; V(0) removes all of them, and what interrupted runs have left.
    type: int
seealso:
  - module: deter.benito.virtual_machines
"""

EXAMPLES = r"""
- name: Begin to make what the virtual machines will be cloned from
  deter.benito.warm_templates:
    pid: DeterTest
    eid: example1

- name: Remove all warm templates
  deter.benito.warm_templates:
    limit_mb: 0
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
table:
  description: The same for a person, a line each.
  returned: success
  type: list
  elements: str
templates:
  description:
    - The templates that are here, the one used last first.
    - Each with what it was made of, C(key), C(size_mb), C(private_mb) and C(used).
    - C(private_mb) is what one clone takes for itself, 0 until one was measured; C(used) is the time it was last cloned, in seconds since 1970.
  returned: success
  type: list
  elements: dict
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.host.template_making import sweep
from ansible_collections.deter.benito.plugins.module_utils.host.template_notes import templates_here
from ansible_collections.deter.benito.plugins.module_utils.host.templates import shrink
from ansible_collections.deter.benito.plugins.module_utils.host_program import PROGRAM, outcome, run_for_experiment


def table(templates):
    lines = []
    for template in templates:
        takes = f", a clone takes {template['private_mb']} MiB" if template["private_mb"] else ""
        used = time.strftime("%Y-%m-%d %H:%M", time.gmtime(template["used"]))
        lines.append(f"{template['image_name']} with {template['memory_mb']} MiB and {template['cpus']} processors under {template['acceleration']}: "
                     f"{template['size_mb']} MiB on the disk{takes}; cloned last {used} UTC ({template['key']})")
    return lines or ["no warm template is here"]


def main():
    module = AnsibleModule(
        argument_spec={"pid": {"type": "str"}, "eid": {"type": "str"}, "program": {"type": "path", "default": PROGRAM}, "limit_mb": {"type": "int"}},
        required_together=[("pid", "eid")],
        supports_check_mode=True,
    )
    changes = []
    try:
        if module.params["limit_mb"] is not None:
            changes += [*sweep(module.check_mode), *shrink(module.params["limit_mb"], module.check_mode)]
        if module.params["pid"]:
            changes += run_for_experiment(module, "make-templates", "--begin").get("changes", [])
        found = templates_here()
        module.exit_json(**outcome({"changed": bool(changes), "changes": changes, "templates": found, "table": table(found)}))
    except (BenitoError, OSError) as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
