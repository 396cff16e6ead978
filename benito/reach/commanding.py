# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a shell command on many nodes side by side, with bounded output and time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_text
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.inventory.data import group_name

from ..errors import InputError, Problem
from .adhoc import Answer, run_module
from .shell_text import bounded, encoded, is_timeout

MOST_OUTPUT = 1 << 20  # bytes of a node's output, and of its errors
_GRACE_S = 20  # for the node to end a command by itself, before Ansible does
_EVERY_NODE = "vnodes:kind_embedded_pnode"
_LOST = ("Timer expired", "Task failed: Timed out", "timed out after")


@dataclass(frozen=True)
class Outcome:
    """How a command ended on a node.

    status     its exit status, None where it did not run or did not end
    out, err   what it printed, cleaned, and cut after MOST_OUTPUT bytes
    failure    why it did not run or did not end, else ""
    """

    node: str
    status: int | None
    out: str = ""
    err: str = ""
    failure: str = ""

    @property
    def failed(self) -> bool:
        return self.status != 0


def run_on(directory: ExperimentDirectory, pattern: str, text: str | Mapping[str, str], seconds: int,
           heard: Callable[[Outcome], None] = lambda outcome: None, most: int = MOST_OUTPUT) -> list[Outcome]:
    """Run a shell command on the experiment's hosts that match an Ansible pattern, and return how it ended on each, as they ended.

    pattern  ``all`` and ``*`` mean every node, without the pnodes that carry them
    text     the command, or {node: its command}
    seconds  for the command on each node
    heard    called with each outcome when it comes
    Raises InputError when no host matches.
    """
    outcomes: list[Outcome] = []
    domain = f".{directory.eid}.{directory.pid}".lower()

    def listen(answer: Answer) -> None:
        outcomes.append(outcome_of(replace(answer, host=answer.host.removesuffix(domain)), seconds))
        heard(outcomes[-1])

    # a node that has the name of a machine of the pool has its qualified name in the inventory
    where = _EVERY_NODE if pattern in ("all", "*") else f"{pattern}:{pattern}{domain}" if re.fullmatch(r"[\w-]+", pattern) else pattern
    options = ("--limit", group_name("experiment", f"{directory.pid}.{directory.eid}"), "--task-timeout", str(seconds + _GRACE_S))
    variables: dict[str, Any] = {"pid": directory.project, "eid": directory.eid, "ansible_ssh_use_tty": False}
    if isinstance(text, str):
        command = encoded(bounded(text, most, seconds))
    else:
        variables["benito_commands"] = {node: encoded(bounded(own, most, seconds)) for node, own in text.items()}
        command = "true; {{ benito_commands[benito_node] | default('') }}"  # Ansible takes what begins with a brace for JSON
    run_module("ansible.builtin.raw", command, where, directory.home, variables, *options, heard=listen)
    if not outcomes:
        raise InputError(Problem(f"no node of experiment {directory} matches {pattern!r}",
                                 hint="a node's name, a group such as kind_process or substrate_lan0, or a pattern such as 'web-*' (docs/inventory.md)"))
    return outcomes


def outcome_of(answer: Answer, seconds: int) -> Outcome:
    """Return the outcome that an answer of Ansible's module ``raw`` tells of."""
    status = answer.result.get("rc")
    if answer.unreachable or not isinstance(status, int):
        message = clean_text(answer.message).strip() or "no answer"
        return Outcome(answer.host, None, failure="it did not end in time" if any(text in message for text in _LOST) else message)
    out, err = (clean_text(answer.result.get(name) or "", lines=1 << 30, width=1 << 30) for name in ("stdout", "stderr"))
    if is_timeout(status):
        return Outcome(answer.host, None, out, err, failure=f"ended after its timeout of {seconds} s")
    return Outcome(answer.host, status, out, err)
