# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and numbers of kernel objects, derived from what the objects stand for (design §5.4).

An experiment gets the same ones each time. An identifier that is already in use is derived again with a salt.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TypeVar

from ...topology.model import Topology

T = TypeVar("T")

BRIDGE, PORT, TUNNEL = "bb", "bv", "bx"
_VNIS = (1 << 24) - 1


class Identifiers:
    """The identifiers of one experiment.

    salt  a secret, so that nobody else can tell the experiment's VXLAN identifiers
    """

    def __init__(self, pid: str, eid: str, salt: str = ""):
        self._experiment, self._salt = f"{pid}\0{eid}", salt

    def device(self, prefix: str, parts: tuple[str, ...], taken: set[str]) -> str:
        """Return a device name of 15 characters that is not in ``taken``, and add it to ``taken``."""
        return self._first(lambda digest: prefix + base64.b32encode(digest)[:13].decode().lower(), (prefix, *parts), taken)

    def vni(self, substrate: str, taken: set[int]) -> int:
        """Return a VXLAN network identifier, 1 to 2^24-1, that is not in ``taken``, and add it to ``taken``."""
        return self._first(lambda digest: int.from_bytes(digest[:8], "big") % _VNIS + 1, ("vni", self._salt, substrate), taken)

    def mac_address(self, node: str, interface: str, taken: set[str]) -> str:
        """Return a locally administered MAC address that is not in ``taken``, and add it to ``taken``."""
        return self._first(lambda digest: "02:" + digest[:5].hex(":"), ("mac", node, interface), taken)

    def _first(self, make: Callable[[bytes], T], parts: tuple[str, ...], taken: set[T]) -> T:
        text = "\0".join((self._experiment, *parts))
        salt = 0
        while True:
            found = make(hashlib.sha256((f"{text}\0{salt}" if salt else text).encode()).digest())
            if found not in taken:
                taken.add(found)
                return found
            salt += 1


def mac_addresses(identifiers: Identifiers, topology: Topology) -> dict[tuple[str, str], str]:
    """Return {(computer, interface): MAC address}. Addresses are unique in the experiment and do not depend on the machines lent."""
    taken: set[str] = set()
    return {(c.name, i.name): identifiers.mac_address(c.name, i.name, taken) for c in topology.computers for i in c.interfaces}
