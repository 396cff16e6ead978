# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup of the passwords of the machines that are lent to an experiment."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: machine_secrets
short_description: The passwords of the machines that are lent to an experiment
version_added: 0.1.0
description:
  - Returns the connection variables with passwords and private keys, as the pool's inventory had them when the experiment was swapped in.
  - Use it in tasks with C(no_log) only.
author: deter.benito contributors (@deter-project)
options:
  _terms:
    description: The experiment's pid and eid.
    type: list
    elements: str
    required: true
  benito_home:
    description: Directory of the experiments.
    type: path
    env:
      - name: BENITO_HOME
    vars:
      - name: benito_home
"""

EXAMPLES = r"""
- name: Give a vhost its passwords
  ansible.builtin.add_host: "{{ {'name': 'pnode-0000@m1'} | combine(lookup('deter.benito.machine_secrets', pid, eid)['pnode-0000']) }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: One dictionary of pnodes and their variables. It has no pnode without passwords.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.experiment.machine_access import machine_secrets


class LookupModule(LookupBase):
    """Reads the experiment's file of secrets."""

    def run(self, terms: list, variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        pid, eid = terms
        try:
            return [machine_secrets(ExperimentDirectory(self.get_option("benito_home"), str(pid), str(eid)))]
        except BenitoError as exc:
            raise AnsibleLookupError(str(exc)) from exc
