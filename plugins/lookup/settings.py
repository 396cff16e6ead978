# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup of the settings that variables give."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: settings
short_description: The settings that variables give
version_added: 0.1.0
description:
  - Returns the value of each variable that has the name of a setting, or of an option of the original, for O(deter.benito.containerize#module:settings).
author: deter.benito contributors (@deter-project)
options: {}
"""

EXAMPLES = r"""
- name: Make an experiment with the settings that variables give
  deter.benito.containerize:
    pid: DeterTest
    eid: example1
    topology: example1.xml
    settings: "{{ lookup('deter.benito.settings') }}"
"""

RETURN = r"""
_raw:
  description: One dictionary of names and values.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.deter.benito.plugins.module_utils.settings.options import option_names


class LookupModule(LookupBase):
    """Finds the settings among the variables of the host that a task runs for."""

    def run(self, terms: list, variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        known = variables or {}
        return [{name: self._templar.template(known[name]) for name in option_names() if name in known}]
