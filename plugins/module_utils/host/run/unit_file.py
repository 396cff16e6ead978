# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd has of an experiment's unit: its state, and whether it is started at boot."""

from __future__ import annotations

import os

from ..base import syscalls
from ..base.paths import ExperimentPaths
from ..base.systemctl import systemctl


def unit_state(paths: ExperimentPaths) -> tuple[bool, bool]:
    """Whether systemd has this experiment's unit in any state but inactive, whether it is enabled. A link to a unit file that is gone also counts."""
    shown = systemctl("show", "--property=ActiveState", paths.unit, check=False).stdout if syscalls.installed("systemctl") else ""
    return "ActiveState=" in shown and "ActiveState=inactive" not in shown, os.path.lexists(_wanted(paths))


def disable(paths: ExperimentPaths) -> None:
    """The unit is not started at boots any more. Raises HostError."""
    systemctl("disable", "--quiet", paths.unit, check=False)
    if os.path.lexists(_wanted(paths)):  # systemctl refuses when the unit's file is gone
        os.unlink(_wanted(paths))
        systemctl("daemon-reload")


def _wanted(paths: ExperimentPaths) -> str:
    return f"/etc/systemd/system/multi-user.target.wants/{paths.unit}"
