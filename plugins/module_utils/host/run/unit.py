# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting an experiment's unit with its start commands held back, and releasing them."""

from __future__ import annotations

import os
import subprocess
import time

from ...errors import HostError
from ..base.locks import removal_blocked
from ..base.paths import ExperimentPaths, write_atomically
from ..base.plan_file import read_plan
from ..base.systemctl import systemctl
from ..start_commands import starter
from .status import status


def start_unit(paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Enable and start the unit. Start commands are held back until ``start_commands``. Return the changes as text.

    Raises HostError, also when the experiment is being removed or has just been removed.
    """
    shown = systemctl("show", "--property=ActiveState,UnitFileState", paths.unit).stdout
    if "ActiveState=active" in shown and "UnitFileState=enabled" in shown:
        return []
    if not dry_run:
        with removal_blocked(paths):
            if "ActiveState=active" not in shown:
                write_atomically(f"{paths.run}/hold", "")  # fails if the experiment was removed
                systemctl("reset-failed", "--quiet", paths.unit, check=False)
            try:
                systemctl("enable", "--now", "--quiet", paths.unit)
            except HostError as exc:
                raise HostError(f"{exc}\n{_journal(paths)}") from exc
    return [f"unit {paths.unit}: started"]


def start_commands(paths: ExperimentPaths, dry_run: bool = False, limit_s: float = 300.0) -> dict:
    """Start every start command that has not been started since its node was made. Do not wait for them to end.

    Return {"changed": bool, "changes": [text], "status": see ``status``}. Raises HostError.
    """
    waiting = [vnode.name for vnode in starter.waiting(paths, read_plan(paths))]
    if not dry_run and (waiting or os.path.exists(f"{paths.run}/hold")):
        if systemctl("is-active", paths.unit, check=False).stdout.strip() != "active":
            raise HostError(f"{paths.unit} is not running on this host\n{_journal(paths)}")
        write_atomically(f"{paths.run}/hold", "")
        systemctl("reload", paths.unit)
        _wait_until_gone(f"{paths.run}/hold", paths, limit_s)
    return {"changed": bool(waiting), "changes": [f"start command of {name}: started" for name in waiting], "status": status(paths, probe=not dry_run)}


def _wait_until_gone(path: str, paths: ExperimentPaths, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while os.path.exists(path):
        if time.monotonic() > deadline:
            raise HostError(f"the supervisor of {paths.experiment} has not started all start commands within {limit_s:.0f} s")
        if systemctl("is-active", paths.unit, check=False).stdout.strip() != "active":
            raise HostError(f"{paths.unit} ended while it was starting start commands\n{_journal(paths)}")
        time.sleep(0.05)


def _journal(paths: ExperimentPaths) -> str:
    """Return the end of the unit's journal, for a person."""
    shown = subprocess.run(["journalctl", "--no-pager", "--lines=10", "--output=cat", f"--unit={paths.unit}"], capture_output=True, text=True, check=False)
    return shown.stdout.strip()
