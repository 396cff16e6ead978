# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Output of a playbook run: a line for each phase of the collection's playbooks, and each failure once, at the end."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: progress
type: stdout
short_description: Output with a line for each phase, in which each failure is one message, at the end
version_added: 0.1.0
author: deter.benito contributors (@deter-project)
description:
  - A playbook of this collection prints one line for each of its phases, such as C(machines built 2/2, 14 s).
    On a terminal, the line of the phase that runs is written again in place, with a bar. Elsewhere there is a sign of life at least every 5 seconds.
  - Warnings, and what a playbook shows in the end, are printed as plain text.
  - Any other playbook prints what P(ansible.builtin.default#callback) prints, but no failure twice, and none as JSON or with an excerpt of the playbook.
  - Where a task fails, one line names the host. After the recap, C(fatal) lines have the message of each host that failed.
  - A failure that the playbook handles itself is one line without a message. The playbook reports it where it matters.
  - With C(-v), and with C(--check), the output is that of P(ansible.builtin.default#callback) for every playbook.
  - Every run of a playbook that acts on an experiment is recorded in C(events.jsonl) of the experiment's directory, but not with C(--check).
requirements:
  - set as C(stdout_callback) in the configuration, or as E(ANSIBLE_STDOUT_CALLBACK)
options:
  progress_style:
    description:
      - How a phase that runs is shown. V(terminal) writes its line again in place. V(lines) prints complete lines without control characters.
      - V(auto) is V(terminal) where the standard output is a terminal.
    type: str
    choices: [auto, lines, terminal]
    default: auto
    env:
      - name: BENITO_PROGRESS
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

import atexit
import os
import sys
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.inventory.host import Host
from ansible.playbook import Playbook
from ansible.playbook.block import Block
from ansible.playbook.included_file import IncludedFile
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_text
from ansible_collections.deter.benito.plugins.module_utils.experiment.events import INTERRUPTED, SUCCESSFUL, UNSUCCESSFUL
from ansible_collections.deter.benito.plugins.plugin_utils.phase_line import PhaseLine
from ansible_collections.deter.benito.plugins.plugin_utils.playbook_phases import ONLY_LOOK, phase_of
from ansible_collections.deter.benito.plugins.plugin_utils.run_progress import RunProgress
from ansible_collections.deter.benito.plugins.plugin_utils.running_phase import RunningPhase
from ansible_collections.deter.benito.plugins.plugin_utils.shown_text import lines_of

_PREFIXES = ("Task failed: ", "Action failed: ", "Module failed: ")
_GOES_ON = ", and the playbook goes on (-v shows why)"


class CallbackModule(DefaultCallback):
    """Show phases, and keep the messages of failures until the end of the playbook."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "deter.benito.progress"

    def __init__(self) -> None:
        super().__init__()
        self._failures: dict[str, str] = {}  # host → message of its last failure that nothing handles
        self._run: RunProgress | None = None
        self._line: PhaseLine | None = None  # None where every play is shown as Ansible does
        self._recap = False  # whether a play was shown as Ansible does

    @property
    def _hides(self) -> bool:
        """Whether the play that runs is shown as a phase, and not as Ansible does."""
        return self._line is not None and self._run is not None and self._run.phase is not None

    # -- the run, its plays and tasks --------------------------------------

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        """Begin the run."""
        super().v2_playbook_on_start(playbook)
        check = bool(context.CLIARGS.get("check"))
        name = os.path.basename(playbook._file_name).removesuffix(".yml")
        self._run = RunProgress(name, records=not check and name not in ONLY_LOOK)
        if not self._display.verbosity and not check:
            self._line = PhaseLine(self._display, self._is_in_place(), self._phase, self._run.take_line)
            self._line.start()
        process = os.getpid()
        atexit.register(lambda: self._end(INTERRUPTED) if os.getpid() == process else None)

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Begin the phase of the play. Print a banner if it is none of the collection's."""
        if self._run:
            self._show_ended(self._run.enter(phase_of(play.get_path() or "", play.get_name())))
        if self._hides:
            self._play = play
        else:
            self._recap = True
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        """Take notice of the task. Print its banner in a play that is no phase."""
        self._begin_task(task, "TASK")

    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        """Take notice of the handler. Print its banner in a play that is no phase."""
        self._begin_task(task, "RUNNING HANDLER")

    def _begin_task(self, task: Task, prefix: str) -> None:
        if self._run:
            self._run.begin_task(task.get_name().strip())
        if self._hides:
            self._task_type_cache[task._uuid], self._last_task_name = prefix, task.get_name().strip()
        else:
            self._task_start(task, prefix)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Print how the run ended, with a recap unless only phases were shown and all went well. Then print the message of each host that failed."""
        failed = [host for host in stats.processed if stats.failures.get(host) or stats.dark.get(host)]
        self._end(UNSUCCESSFUL if failed else SUCCESSFUL)
        if self._line is None or self._recap or failed or stats.custom:
            super().v2_playbook_on_stats(stats)
        elif self._run:
            count = sum(stats.changed.values())
            changes = "nothing changed" if not count else "1 change" if count == 1 else f"{count} changes"
            self._display.display(f"done, {changes}, {self._run.seconds} s")
        for host, message in self._failures.items():
            if host in failed:
                self._display.display(f"fatal: [{host}]: {message}\n", color=C.COLOR_ERROR, stderr=self.get_option("display_failed_stderr"))
        self._failures.clear()

    def _phase(self) -> RunningPhase | None:
        """Return the phase that runs and whose line is not complete."""
        phase = self._run.phase if self._run else None
        return phase if phase and not phase.shown else None

    def _is_in_place(self) -> bool:
        style = self.get_option("progress_style")
        by_runner = "AWX_ISOLATED_DATA_DIR" in os.environ  # ansible-runner reads a terminal, and makes events of lines
        return style == "terminal" or style == "auto" and sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not by_runner

    def _end(self, status: str) -> None:
        """End the run, once."""
        if self._run:
            ended = self._run.leave()
            if status != INTERRUPTED:
                self._show_ended(ended)
            self._run.end(status)
        if self._line:
            self._line.stop()

    def _show_ended(self, phase: RunningPhase | None) -> None:
        """Print the line of a phase that has ended. If it failed and has no counts, the line of the failure has said it all."""
        if self._line and phase and phase.worked and not phase.shown:
            phase.shown = True
            if phase.of is not None or not phase.unhandled:
                self._line.end_phase(phase)

    # -- results -----------------------------------------------------------

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Count the result. In a phase, print nothing but warnings and what the playbook shows."""
        self._take(result)
        if not self._hides:
            super().v2_runner_on_ok(result)
            return
        self._handle_warnings(result.result)
        if result.task.action in C._ACTION_DEBUG:
            self._show_ended(self._phase())
            for line in lines_of(result.result):
                self._display.display(line)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        """Count the item. In a phase, print nothing but warnings."""
        self._take(result, item=True)
        if self._hides:
            self._handle_warnings(result.result)
        else:
            super().v2_runner_item_on_ok(result)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        """Print which host failed. Keep the message for the end."""
        handled = ignore_errors or _is_rescued(result.task)
        self._take_failure(result, handled)
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
        elif ignore_errors:
            self._show_failure(result, f"failed: [{self.host_label(result)}]: {_message(result.result)}\n...ignoring", C.COLOR_SKIP)
        elif handled:
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
        self._take_failure(result, bool(result.task.ignore_unreachable))
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)
        elif result.task.ignore_unreachable:
            self._show_failure(result, f"unreachable: [{self.host_label(result)}]{_GOES_ON}", C.COLOR_WARN)
        else:
            self._keep(result)
            self._show_failure(result, f"unreachable: [{self.host_label(result)}]", C.COLOR_UNREACHABLE)

    def v2_on_file_diff(self, result: CallbackTaskResult) -> None:
        """Print what differs. In a phase, print no banner above it."""
        if self._hides:
            self._last_task_banner = result.task._uuid
        super().v2_on_file_diff(result)

    def _take(self, result: CallbackTaskResult, item: bool = False) -> None:
        if self._run:
            action = getattr(result.task, "resolved_action", None) or result.task.action
            self._run.take_result(result.task.get_name().strip(), action, result.result, item, result.task.loop is not None)

    def _take_failure(self, result: CallbackTaskResult, handled: bool) -> None:
        if self._run:
            self._run.take_failure(result.host.get_name(), result.task.get_name().strip(), _message(result.result), handled)

    def _keep(self, result: CallbackTaskResult) -> None:
        self._failures[result.host.get_name()] = _message(result.result)

    def _show_failure(self, result: CallbackTaskResult, line: str, color: str) -> None:
        if self._hides:
            line = f"{result.task.get_name().strip().rpartition(' : ')[2]}: {line}"
        elif self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._handle_warnings(result.result)
        self._display.display(line, color=color, stderr=self.get_option("display_failed_stderr"))

    # -- what a phase does not show ----------------------------------------

    def v2_runner_on_start(self, host: Host, task: Task) -> None:
        """Print nothing in a phase."""
        if not self._hides:
            super().v2_runner_on_start(host, task)

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        """Print nothing in a phase."""
        if not self._hides:
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_skipped(self, result: CallbackTaskResult) -> None:
        """Print nothing in a phase."""
        if not self._hides:
            super().v2_runner_item_on_skipped(result)

    def v2_runner_retry(self, result: CallbackTaskResult) -> None:
        """Print nothing in a phase."""
        if not self._hides:
            super().v2_runner_retry(result)

    def v2_runner_on_async_poll(self, result: CallbackTaskResult) -> None:
        """Print nothing in a phase."""
        if not self._hides:
            super().v2_runner_on_async_poll(result)

    def v2_runner_on_async_ok(self, result: CallbackTaskResult) -> None:
        """Print nothing in a phase."""
        if not self._hides:
            super().v2_runner_on_async_ok(result)

    def v2_runner_on_async_failed(self, result: CallbackTaskResult) -> None:
        """Print nothing in a phase: the task's failure follows."""
        if not self._hides:
            super().v2_runner_on_async_failed(result)

    def v2_playbook_on_include(self, included_file: IncludedFile) -> None:
        """Print nothing in a phase."""
        if not self._hides:
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Print nothing in a phase: its line says that it failed."""
        if not self._hides:
            super().v2_playbook_on_no_hosts_remaining()


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
