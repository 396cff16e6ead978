# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the end of a node's console, or of its start command's output if it has no console, from the vhost that carries it."""

from __future__ import annotations

import shlex

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_text
from ansible_collections.deter.benito.plugins.module_utils.embedding.kinds import KINDS

from ..errors import HostError
from .adhoc import run_module
from .members import Members

_PROGRAM = "/usr/local/sbin/benito-host"
_LIMIT_S = 60


def console_end(members: Members, node: str, lines: int) -> str:
    """Return the last lines of a node's console, cleaned. Raises ExperimentError for a node that is none, HostError when it cannot be read."""
    variables = members.variables(node)
    members.connection(node)  # refuses where the experiment is not swapped in
    if variables["benito_kind"] not in KINDS:
        raise HostError(f"{node} is a machine and no node, so it has no console here (benito ssh {node} works)")
    command = shlex.join([_PROGRAM, "console", "-e", f"{members.directory.pid}.{members.directory.eid}", "--lines", str(lines), node])
    identity = {"pid": members.directory.project, "eid": members.directory.eid, "ansible_ssh_use_tty": False}
    answers = run_module("ansible.builtin.raw", command, variables["benito_vhost"], members.directory.home, identity,
                         "--become", "--task-timeout", str(_LIMIT_S))
    if not answers:
        raise HostError(f"the vhost {variables['benito_vhost']} of {node} is not in the inventory")
    answer = answers[0]
    if answer.unreachable or answer.result.get("rc") != 0:
        why = clean_text(answer.message if answer.unreachable else answer.result.get("stderr") or answer.result.get("stdout") or answer.message).strip()
        if "invalid choice" in why:
            why = f"its benito-host is of an earlier version, which cannot show it: swap {members.directory} out and in again"
        raise HostError(f"the console of {node} cannot be read on {variables['benito_vhost']}: {why}")
    return clean_text(answer.result.get("stdout") or "")
