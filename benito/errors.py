# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that the package raises: those of the collection, and a few of its own.

All are children of BenitoError, whose text states the fault, its place and a remedy.
"""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError, ExperimentError, HostError, InputError, Problem

__all__ = ["BenitoError", "ExperimentError", "HostError", "InputError", "NoChoice", "Problem", "RunError", "WaitTimeout"]


class NoChoice(BenitoError):
    """No experiment is named, and which one is meant cannot be told."""


class RunError(BenitoError):
    """A playbook failed.

    playbook  its name without the collection's
    status    the exit status of ansible-playbook
    failures  (host, message) of each failed task and unreachable machine; () where its output went to the terminal
    """

    def __init__(self, playbook: str, status: int, failures: tuple[tuple[str, str], ...], title: str):
        self.playbook, self.status, self.failures = playbook, status, failures
        reasons = "\n".join(dict.fromkeys(message for _host, message in failures))
        super().__init__(f"{title}: {reasons}" if reasons else title)


class WaitTimeout(BenitoError):
    """An experiment did not become what was waited for in time."""
