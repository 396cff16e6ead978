# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two moments of an experiment's unit: started with its start commands held back, then let go."""

from __future__ import annotations

import os
import subprocess
import time

from ...errors import HostError
from ..base.locks import staying
from ..base.paths import Place, write_atomically
from ..base.plan_file import read_plan
from ..base.systemctl import systemctl
from ..start_commands import starter
from .status import status


def start_unit(place: Place, dry_run: bool = False) -> list[str]:
    """Enable and start the unit; its start commands wait for ``start_commands``. Returns changes in words.

    Raises HostError; also when the experiment is taken away, or was a moment ago.
    """
    shown = systemctl("show", "--property=ActiveState,UnitFileState", place.unit).stdout
    if "ActiveState=active" in shown and "UnitFileState=enabled" in shown:
        return []
    if not dry_run:
        with staying(place):
            if "ActiveState=active" not in shown:
                write_atomically(f"{place.run}/hold", "")  # fails where all was taken away
                systemctl("reset-failed", "--quiet", place.unit, check=False)
            try:
                systemctl("enable", "--now", "--quiet", place.unit)
            except HostError as exc:
                raise HostError(f"{exc}\n{_journal(place)}") from exc
    return [f"unit {place.unit}: started"]


def start_commands(place: Place, dry_run: bool = False, limit_s: float = 300.0) -> dict:
    """Start every start command that has not been started since its node was made; does not wait for their ends.

    Returns {"changed": bool, "changes": [words], "status": see ``status``}. Raises HostError.
    """
    waiting = [vnode.name for vnode in starter.waiting(place, read_plan(place))]
    if not dry_run and (waiting or os.path.exists(f"{place.run}/hold")):
        if systemctl("is-active", place.unit, check=False).stdout.strip() != "active":
            raise HostError(f"{place.unit} is not running on this host\n{_journal(place)}")
        write_atomically(f"{place.run}/hold", "")
        systemctl("reload", place.unit)
        _wait_until_gone(f"{place.run}/hold", place, limit_s)
    return {"changed": bool(waiting), "changes": [f"start command of {name}: started" for name in waiting], "status": status(place)}


def _wait_until_gone(path: str, place: Place, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while os.path.exists(path):
        if time.monotonic() > deadline:
            raise HostError(f"the supervisor of {place.experiment} has not started all start commands within {limit_s:.0f} s")
        if systemctl("is-active", place.unit, check=False).stdout.strip() != "active":
            raise HostError(f"{place.unit} ended while it was starting start commands\n{_journal(place)}")
        time.sleep(0.05)


def _journal(place: Place) -> str:
    """The unit's last words, for a person."""
    shown = subprocess.run(["journalctl", "--no-pager", "--lines=10", "--output=cat", f"--unit={place.unit}"], capture_output=True, text=True, check=False)
    return shown.stdout.strip()
