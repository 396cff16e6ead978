#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: know which images a vhost lacks, and take in those that have been copied there."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_images
short_description: Images of nodes on a vhost
version_added: 0.1.0
description:
  - With O(state=prepared), tells which images the host plan of the experiment needs that are not on the vhost, and where to copy their files.
  - With O(state=present), checks what was copied against the SHA-256 sums in C(image.json) and makes images of it, each whole or not at all.
  - A file that has changed since it was proven is read again; an image that is damaged counts as one that is not there.
  - Refuses the image of an openvz node whose systemd cannot start with the host's control groups.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.diff
options:
  state:
    description: Whether to prepare for images to come, or to have them.
    type: str
    choices: [prepared, present]
    default: present
seealso:
  - module: deter.benito.images
"""

EXAMPLES = r"""
- name: Know which images have to come
  deter.benito.node_images:
    pid: DeterTest
    eid: example1
    state: prepared
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
missing:
  description: Images that are not here, each with C(digest), C(name), C(arriving) (the directory to copy to) and C(files).
  returned: when O(state=prepared)
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError, HostError
from ansible_collections.deter.benito.plugins.module_utils.host.place import Place, is_experiment
from ansible_collections.deter.benito.plugins.module_utils.host_program import outcome
from ansible_collections.deter.benito.plugins.module_utils.names import experiment_name
from ansible_collections.deter.benito.plugins.module_utils.node_images import missing_images, take_in


def argument_spec():
    return {
        "pid": {"type": "str", "required": True},
        "eid": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["prepared", "present"], "default": "present"},
    }


def prepared(place, module):
    missing = missing_images(place, module.check_mode)
    changes = [f"image {image.name} ({image.digest}): to be brought here" for image in missing]
    described = [{"digest": image.digest, "name": image.name, "arriving": image.arriving, "files": list(image.files)} for image in missing]
    return {"changed": bool(changes) and module.check_mode, "changes": changes, "missing": described}


def present(place, module):
    if module.check_mode:
        return prepared(place, module)
    changes = take_in(place)
    return {"changed": bool(changes), "changes": changes}


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    experiment = experiment_name(module.params["pid"], module.params["eid"])
    try:
        if not is_experiment(experiment):
            raise HostError(f"{experiment!r} does not name an experiment")
        act = prepared if module.params["state"] == "prepared" else present
        module.exit_json(**outcome(act(Place(experiment), module)))
    except (BenitoError, OSError) as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
