# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the device that carries the tunnels of this vhost."""

from __future__ import annotations

import time

from ...errors import HostError
from . import netlink


def underlay_index(address: str, limit_s: float = 60.0) -> int:
    """Wait for the device that has ``address``, because it may appear late when the vhost boots. Return its index. Raises HostError."""
    deadline = time.monotonic() + limit_s
    while True:
        index = next((index for index, prefix in netlink.ipv4_addresses() if prefix.split("/")[0] == address), 0)
        if index:
            return index
        if time.monotonic() > deadline:
            raise HostError(f"no interface of this host has the address {address} of its experiment network, after {limit_s:.0f} s")
        time.sleep(0.5)
