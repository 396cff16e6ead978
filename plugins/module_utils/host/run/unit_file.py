# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What systemd has of an experiment's unit: its state, and whether it is started at boot."""

from __future__ import annotations

import os

from ..base import syscalls
from ..base.paths import Place
from ..base.systemctl import systemctl


def unit_state(place: Place) -> tuple[bool, bool]:
    """Whether systemd has this experiment's unit in any state but inactive, whether it is enabled. A link to a unit file that is gone also counts."""
    shown = systemctl("show", "--property=ActiveState", place.unit, check=False).stdout if syscalls.installed("systemctl") else ""
    return "ActiveState=" in shown and "ActiveState=inactive" not in shown, os.path.lexists(_wanted(place))


def disable(place: Place) -> None:
    """The unit is not started at boots any more. Raises HostError."""
    systemctl("disable", "--quiet", place.unit, check=False)
    if os.path.lexists(_wanted(place)):  # systemctl refuses when the unit's file is gone
        os.unlink(_wanted(place))
        systemctl("daemon-reload")


def _wanted(place: Place) -> str:
    return f"/etc/systemd/system/multi-user.target.wants/{place.unit}"
