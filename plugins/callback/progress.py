# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Output of a playbook run in which each failure is one message in plain text, at the end."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: progress
type: stdout
short_description: Output in which each failure is one message, at the end
version_added: 0.1.0
author: deter.benito contributors (@deter-project)
description:
  - Prints what P(ansible.builtin.default#callback) prints, but no failure twice, and none as JSON or with an excerpt of the playbook.
  - Where a task fails, one line names the host. After the recap, C(fatal) lines have the message of each host that failed.
  - A failure that the playbook handles itself is one line without a message. The playbook reports it where it matters.
  - With C(-v), the output is that of P(ansible.builtin.default#callback).
requirements:
  - set as C(stdout_callback) in the configuration, or as E(ANSIBLE_STDOUT_CALLBACK)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

from typing import Any

from ansible import constants as C
from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.playbook.block import Block
from ansible.playbook.task import Task
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_text

_PREFIXES = ("Task failed: ", "Action failed: ", "Module failed: ")
_GOES_ON = ", and the playbook goes on (-v shows why)"


class CallbackModule(DefaultCallback):
    """Keep the messages of failures until the end of the playbook."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "deter.benito.progress"

    def __init__(self) -> None:
        super().__init__()
        self._failures: dict[str, str] = {}  # host → message of its last failure that nothing handles

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        """Print which host failed. Keep the message for the end."""
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
        elif ignore_errors:
            self._show_failure(result, f"failed: [{self.host_label(result)}]: {_message(result.result)}\n...ignoring", C.COLOR_SKIP)
        elif _is_rescued(result.task):
            self._show_failure(result, f"failed: [{self.host_label(result)}]{_GOES_ON}", C.COLOR_WARN)
        else:
            self._keep(result)
            self._show_failure(result, f"failed: [{self.host_label(result)}]", C.COLOR_ERROR)

    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        """Print the item that failed. The result of the whole task has its message."""
        if self._display.verbosity:
            super().v2_runner_item_on_failed(result)
        else:
            self._show_failure(result, f"failed: [{self.host_label(result)}] (item={self._get_item_label(result.result)})", C.COLOR_ERROR)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """Print which host is unreachable. Keep the message for the end."""
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)
        elif result.task.ignore_unreachable:
            self._show_failure(result, f"unreachable: [{self.host_label(result)}]{_GOES_ON}", C.COLOR_WARN)
        else:
            self._keep(result)
            self._show_failure(result, f"unreachable: [{self.host_label(result)}]", C.COLOR_UNREACHABLE)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Print the recap, and then the message of each host that failed."""
        super().v2_playbook_on_stats(stats)
        for host, message in self._failures.items():
            if stats.failures.get(host) or stats.dark.get(host):
                self._display.display(f"fatal: [{host}]: {message}\n", color=C.COLOR_ERROR, stderr=self.get_option("display_failed_stderr"))
        self._failures.clear()

    def _keep(self, result: CallbackTaskResult) -> None:
        self._failures[result.host.get_name()] = _message(result.result)

    def _show_failure(self, result: CallbackTaskResult, line: str, color: str) -> None:
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._handle_warnings(result.result)
        self._display.display(line, color=color, stderr=self.get_option("display_failed_stderr"))


def _is_rescued(task: Task) -> bool:
    """Return whether a block around the task has a rescue for its failure."""
    child, parent = task, task._parent
    while parent is not None:
        if isinstance(parent, Block) and parent.rescue and any(member._uuid == child._uuid for member in parent.block):
            return True
        child, parent = parent, parent._parent
    return False


def _message(result: dict[str, Any]) -> str:
    """Return why a task failed, in plain text: the messages of the items that failed, or of the task, with what a command printed."""
    items = [item for item in result.get("results") or () if isinstance(item, dict) and (item.get("failed") or item.get("unreachable"))]
    if items:
        return "\n".join(dict.fromkeys(map(_message, items)))
    text = str(result.get("msg") or "failed without a message (-v shows the result)")
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    printed = str(result.get("stderr") or result.get("module_stderr") or "").strip()
    return clean_text("\n".join(filter(None, (text.strip(), printed))))
