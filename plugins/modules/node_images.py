#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: have the images of an experiment's nodes on a vhost."""

# Virtual: the action plugin of this name does it, on the controller.
from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_images
short_description: Copy the images of an experiment's nodes to a vhost
version_added: 0.1.0
description:
  - Copies the images that the host plan of the experiment needs and that are not on the vhost from the controller, and shows what takes long.
  - Checks what was copied against the SHA-256 sums in C(image.json) and makes images of it, each whole or not at all.
  - A file that an interrupted run has brought whole is not copied again.
  - A file that has changed since it was proven is read again; an image that is damaged counts as one that is not there.
  - Refuses the image of an openvz node whose systemd cannot start with the host's control groups.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.attributes
  - deter.benito.attributes.vhost
  - deter.benito.attributes.diff
options:
  cache:
    description: The controller's cache of images, a folder for each, as M(deter.benito.images) makes it.
    type: path
    required: true
seealso:
  - module: deter.benito.images
"""

EXAMPLES = r"""
- name: Copy the images to this machine
  deter.benito.node_images:
    pid: DeterTest
    eid: example1
    cache: ~/.benito/cache/images
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be, in words.
  returned: success
  type: list
  elements: str
"""
