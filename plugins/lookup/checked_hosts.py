# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup that refuses a run with options that the playbook cannot obey."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: checked_hosts
short_description: The hosts of a playbook's first play, if the playbook was called in a way that it can obey
version_added: 0.1.0
description:
  - Returns its term unchanged. Stands in the keyword C(hosts) of the first play of each playbook of this collection.
  - Ansible evaluates that keyword before it begins the play, even if no host or task is left of it. No task could do this check.
  - Ends the run with a message and exit status 5 if an option leaves out hosts or tasks (C(--limit), C(--tags), C(--skip-tags), C(--start-at-task), C(--step)),
    or if an extra variable is a misspelt variable of the playbook.
  - Warns of an extra variable that only another playbook takes.
author: deter.benito contributors (@deter-project)
options:
  _terms:
    description: The hosts of the play, one pattern.
    type: str
    required: true
  playbook:
    description: The playbook of this collection that begins with the play.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Create an experiment
  hosts: "{{ lookup('deter.benito.checked_hosts', 'localhost', playbook='containerize') }}"
  gather_facts: false
  tasks: []
"""

RETURN = r"""
_raw:
  description: The terms.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.deter.benito.plugins.plugin_utils.run_options import RunOptions

_INVALID_OPTION = 5  # as Ansible exits when it refuses an option itself

display = Display()


class LookupModule(LookupBase):
    """Check the options that ansible-playbook was called with."""

    def run(self, terms: list, variables: dict[str, Any] | None = None, **kwargs: Any) -> list:
        self.set_options(var_options=variables, direct=kwargs)
        options = RunOptions(self.get_option("playbook"), (variables or {}).get("groups") or {}, self._loader)
        problems = options.problems()
        if problems:
            display.error("\n".join(map(str, problems)), wrap_text=False)
            raise SystemExit(_INVALID_OPTION)  # Ansible would print any other exception with a source excerpt, as a fault of the playbook
        for warning in options.warnings():
            display.warning(warning)
        return list(terms)
