# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the machines of the pool, each made on the machine itself by the module ``pool_check``."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line

from ..reach.adhoc import Answer, run_module
from .checks import CONTROLLER, FAILED, OK, Check, check_from

_LIMIT_S = 60
_MOST_CHECKS, _WIDTH = 50, 600
_ARGUMENTS = " ".join((
    "experiment_address={{ benito_experiment_address | default('') | quote }}",
    "experiment_interface={{ benito_experiment_interface | default('') | quote }}",
    "variables={{ query('ansible.builtin.varnames', '^(pnode|benito)_|experiment_|control_') | join(',') | quote }}",
))


def pool_checks(home: str) -> list[Check]:
    """Return every check of every machine, and whether there is any machine. Raises RunError when Ansible cannot read the pool."""
    answers = run_module("deter.benito.pool_check", _ARGUMENTS, "pnode_pool", home, {}, "--become", "--task-timeout", str(_LIMIT_S))
    if not answers:
        return [Check("pool", FAILED, "no inventory has a group pnode_pool with machines",
                      f"make machines here by ansible-playbook deter.benito.local_testbed, or name yours in {home}/inventory (docs/inventory.md, The pool)")]
    down = sum(answer.unreachable for answer in answers)
    counted = f"{len(answers)} machines" + (f", {down} of them unreachable" if down else "")
    found = [Check("pool", OK if down < len(answers) else FAILED, counted, "see why at each machine" if down == len(answers) else "")]
    return found + [check for answer in sorted(answers, key=lambda answer: answer.host) for check in checks_of(answer)]


def kvm_here(home: str) -> list[Check]:
    """Return the check of KVM on this machine, which it makes as a machine of the pool does. Needs root."""
    answers = run_module("deter.benito.pool_check", "", "localhost", home, {}, "--connection", "local", "--task-timeout", str(_LIMIT_S))
    found = [check for answer in answers for check in checks_of(answer) if check.name == "kvm"]
    return [replace(check, where=CONTROLLER) for check in found]


def checks_of(answer: Answer) -> list[Check]:
    """Return the checks in a machine's answer, or the one that says why it gave none."""
    message = clean_line(answer.message, _WIDTH)
    if answer.unreachable:
        remedy = f"try ansible {answer.host} -m ansible.builtin.ping; address, user and key of the machine are in its inventory"
        return [Check("reachable", FAILED, message or "Ansible does not come to it", remedy, answer.host)]
    checks = answer.result.get("checks")
    if not isinstance(checks, list):
        remedy = f"try ansible {answer.host} -b -m ansible.builtin.ping; the user must be allowed sudo, without a password or with ansible_become_password"
        return [Check("root", FAILED, message or "it answered nothing", remedy, answer.host)]
    return [Check("reachable", OK, "Ansible comes to it", "", answer.host), *(check_from(check, answer.host) for check in checks[:_MOST_CHECKS])]
