# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep this machine's network managers off a testbed's bridges and ports.

A file of the operator that matches every Ethernet device matches them too, and NetworkManager makes a connection for each new one that udev does not
exclude. It then takes the port of a pnode out of its bridge.
"""

from __future__ import annotations

import os

from ..files import read_text
from ..host.net.unmanaged import manager_files, present_manager_files, remove_manager_files, write_manager_files
from .names import PORTS, Identity


class Managers:
    """The files of one testbed that network managers read."""

    def __init__(self, identity: Identity):
        self.name = f"benito-testbed-{identity.id}"
        head = f"written by deter.benito.local_testbed for {identity.mark}, removed with it"
        self._files = manager_files(self.name, head, (PORTS,), (identity.control_bridge, identity.experiment_bridge))

    def are_off(self) -> bool:
        """Return whether the files are there. A machine without systemd needs none."""
        return not os.path.isdir("/run/systemd/system") or all(read_text(path) == text for path, text in self._files.items())

    def keep_off(self) -> list[str]:
        """Write the files. Return the managers that could not be told, with the reason, as text."""
        return write_manager_files(self._files)

    def present(self) -> list[str]:
        """Return the files that are there."""
        return present_manager_files(self.name)

    def release(self) -> None:
        """Remove the files."""
        remove_manager_files(self.name)
