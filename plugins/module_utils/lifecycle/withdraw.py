# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Withdraw from a swap-in that could not build anything: a lease was lost to another experiment, or an image cannot be had."""

from __future__ import annotations

from ..clean_text import clean_text
from ..experiment.directory import ExperimentDirectory
from .begin import SWAPOUT
from .finish import Finished, finish
from .lent import abandon

WITHDRAW = "withdraw"


def withdraw(directory: ExperimentDirectory, reason: str, returned: dict[str, str], kept: bool, dry_run: bool = False) -> Finished:
    """Enter ``swapped`` and forget the chosen machines. Return a result whose message says what to do.

    returned  {vhost: why its machine could not be given back, "" if it was}
    kept      whether the experiment has machines of an earlier run. Then they stay lent: the state is ``failed``, or stays ``active``

    The state is also ``failed`` if a machine could not be given back: a swap-out gives it back then.
    """
    reason = clean_text(reason).strip()
    if kept:
        if not dry_run:
            abandon(directory, reason)
        state = directory.read_state().state
        return Finished(not dry_run, state, [], {"": reason}, _message(directory, reason, f"nothing was changed, and it is {state}"))
    reports = {vhost: {"failure": fault} if fault else {"done": True} for vhost, fault in returned.items()}
    if not dry_run:
        directory.log_activity(f"not swapped in: {reason}")
    ended = finish(directory, SWAPOUT, reports, dry_run)
    outcome = "nothing was built, but a machine could not be given back: swap out" if ended.failures else "nothing was built"
    return Finished(ended.changed, ended.state, [], {"": reason, **ended.failures}, [*_message(directory, reason, outcome), *ended.message[1:]])


def _message(directory: ExperimentDirectory, reason: str, outcome: str) -> list[str]:
    return [f"experiment {directory} was not swapped in: {outcome}", *(f"  {line}" for line in reason.splitlines())]
