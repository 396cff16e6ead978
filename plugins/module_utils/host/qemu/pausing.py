# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines that QEMU has paused. QEMU pauses a guest whose write it cannot complete, because the host's disk is full, instead of losing it."""

from __future__ import annotations

import time

from ...errors import HostError
from .command import MachinePaths
from .qmp import Qmp

_LOOK_S = 1.0  # a paused QEMU has nothing else to do, and who looks at many does not wait for one that another program holds
_LIMIT_S = 5.0
_AGAIN_S = 0.5  # after which a write that fails again has paused the guest again


def is_paused(where: MachinePaths) -> bool:
    """Return whether QEMU has paused this running machine after an I/O error. A QEMU that does not answer is not known to have."""
    try:
        with Qmp(f"{where.sockets}/qmp", _LOOK_S) as qmp:
            return _has_failed(qmp)
    except HostError:
        return False


def resume(name: str, where: MachinePaths) -> bool:
    """Let a machine go on that is paused after an I/O error. Return whether it was. Raises HostError when its disk still cannot be written."""
    if not is_paused(where):
        return False
    with Qmp(f"{where.sockets}/qmp", _LIMIT_S) as qmp:
        qmp.execute("cont")
        deadline = time.monotonic() + _AGAIN_S
        while time.monotonic() < deadline:
            if _has_failed(qmp):
                raise HostError(f"qemu node {name} is paused, because {where.directory}/disk.qcow2 cannot be written: the disk of this host is full or "
                                "has failed; free some space and run again")
            time.sleep(0.05)
    return True


def _has_failed(qmp: Qmp) -> bool:
    found = qmp.execute("query-status")
    return isinstance(found, dict) and found.get("status") == "io-error"
