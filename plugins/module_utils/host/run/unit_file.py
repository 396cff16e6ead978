# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of an experiment's unit, and whether it is started at boot."""

from __future__ import annotations

import os

from ..base import syscalls
from ..base.paths import ExperimentPaths
from ..base.systemctl import systemctl


def unit_state(paths: ExperimentPaths) -> tuple[bool, bool]:
    """Return whether the experiment's unit is in any state but inactive, and whether it is enabled, also by a link to a file that is gone."""
    shown = systemctl("show", "--property=ActiveState", paths.unit, check=False).stdout if syscalls.installed("systemctl") else ""
    return "ActiveState=" in shown and "ActiveState=inactive" not in shown, os.path.lexists(_wanted(paths))


def disable(paths: ExperimentPaths) -> None:
    """Disable the unit, so that it is not started at boot. Raises HostError."""
    systemctl("disable", "--quiet", paths.unit, check=False)
    if os.path.lexists(_wanted(paths)):  # systemctl does not remove the link when the unit's file is gone
        os.unlink(_wanted(paths))
        systemctl("daemon-reload")


def _wanted(paths: ExperimentPaths) -> str:
    return f"/etc/systemd/system/multi-user.target.wants/{paths.unit}"
