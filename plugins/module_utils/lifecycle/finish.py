# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finish a swap-in or a swap-out: enter the state that follows from the machines' reports, and report failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..clean_text import clean_text
from ..embedding.placement.allocation import Allocation, PoolHost
from ..experiment.access import KNOWN_HOSTS, SSH_CONFIG
from ..experiment.directory import ACTIVE, FAILED, SWAPPED, ExperimentDirectory
from ..experiment.machine_access import SECRETS, machine_secrets, secrets_to_json
from .begin import SWAPIN
from .given_up import give_up
from .lent import read_allocation
from .node_table import node_rows
from .vhost_health import faults_of, status_of, substrate_lines

_LOST = "the connection to it was lost"


@dataclass(frozen=True)
class Finished:
    """The result of a run.

    changed     whether the state changed, or would
    state       the experiment's state now
    nodes       a row for each node after a swap-in, see node_table.py; [] after a swap-out
    failures    {vhost: reason}; the reason may be what is still broken on a vhost where everything succeeded
    message     a line that states the next step, then a line for each failure; [] without failures
    substrates  their states after a swap-in, as lines of text
    """

    changed: bool
    state: str
    nodes: list[dict[str, str]]
    failures: dict[str, str]
    message: list[str]
    substrates: list[str] = field(default_factory=list)


def finish(directory: ExperimentDirectory, operation: str, reports: dict[str, dict[str, Any]], dry_run: bool = False) -> Finished:
    """Enter ``active`` after a ``swapin``, ``swapped`` after a ``swapout``. In either case enter ``failed`` if a vhost failed.

    reports  {vhost: its report}: {"failure": reason}, {"built": True}, {"done": True}, or {} for one that was lost; with "status" if
             it could be asked for it, and with "forgotten" if the machine was given up

    After a swap-out, the machines that are not clean stay allocated. Raises ExperimentError when the directory cannot be read or written.
    """
    failures = failures_of(reports)
    if operation == SWAPIN and not dry_run:  # in a dry run nothing was repaired
        failures.update({vhost: "; ".join(faults) for vhost in reports if vhost not in failures and (faults := faults_of(status_of(reports, vhost)))})
    nodes = node_rows(directory, reports) if operation == SWAPIN else []
    if operation == SWAPIN:
        changed = _finish_swapin(directory, failures, dry_run)
    else:
        forgotten = {vhost for vhost, report in reports.items() if report.get("forgotten")}
        changed = _finish_swapout(directory, failures, forgotten, dry_run)
    return Finished(changed, directory.read_state().state, nodes, failures, _message(directory, operation, failures), substrate_lines(reports))


def failures_of(reports: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return {vhost: reason} of the vhosts that failed or were lost. A reason may be the answer of a node, so it is cleaned."""
    failed = {vhost: report for vhost, report in reports.items() if not report.get("built") and not report.get("done")}
    return {vhost: clean_text(report.get("failure") or _LOST).strip() for vhost, report in failed.items()}


def _finish_swapin(directory: ExperimentDirectory, failures: dict[str, str], dry_run: bool) -> bool:
    reason = _reason(failures, read_allocation(directory).hosts)
    before = directory.read_state()
    state = FAILED if failures else ACTIVE
    changed = before.state != state or (bool(reason) and before.reason != reason)
    if changed and not dry_run:
        directory.write_state(state, reason)
    return changed


def _finish_swapout(directory: ExperimentDirectory, failures: dict[str, str], forgotten: set[str], dry_run: bool) -> bool:
    before, lent = directory.read_state(), read_allocation(directory).hosts
    if dry_run or (before.state == SWAPPED and not lent and not failures):
        return before.state != SWAPPED
    give_up(directory, (host.name for vhost, host in lent.items() if vhost in forgotten))
    left = {vhost: host for vhost, host in lent.items() if vhost in failures}
    if left:
        directory.write("allocation.json", Allocation(left).to_json())
        if secrets := machine_secrets(directory):
            directory.write(SECRETS, secrets_to_json({vhost: found for vhost, found in secrets.items() if vhost in left}))
        directory.write_state(FAILED, _reason(failures, lent))
    else:
        directory.discard("allocation.json")
        for name in ("plan", "secrets/plan", SECRETS, KNOWN_HOSTS, SSH_CONFIG):
            directory.discard(name)
        directory.write_state(SWAPPED)
    return True


def _reason(failures: dict[str, str], lent: dict[str, PoolHost]) -> str:
    return "; ".join(f"{_title(vhost, lent)}: {reason}" for vhost, reason in sorted(failures.items()))


def _message(directory: ExperimentDirectory, operation: str, failures: dict[str, str]) -> list[str]:
    if not failures:
        return []
    verb, next_step = ("in", "run it again to go on, or swap out") if operation == SWAPIN else ("out", "put that right and run it again")
    return [f"experiment {directory} failed to swap {verb}: {next_step}", *failure_lines(directory, failures)]


def failure_lines(directory: ExperimentDirectory, failures: dict[str, str]) -> list[str]:
    """Return a line for each {vhost: reason}, with the vhost's machine. Raises ExperimentError when the directory cannot be read."""
    lent = read_allocation(directory).hosts
    return [f"  {_title(vhost, lent)}: {clean_text(reason).strip()}" for vhost, reason in sorted(failures.items())]


def _title(vhost: str, lent: dict[str, PoolHost]) -> str:
    return f"{vhost} ({lent[vhost].name})" if vhost in lent else vhost
