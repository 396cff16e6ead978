# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address profiles: which subnets substrates get, how large these are, and where hosts begin. The setting is ``address_profile``.

``default``       document order, a /24 each
``emulab``        the numbers of an Emulab site: 10.1.1.0, 10.1.2.0 … 10.1.254.0, 10.2.1.0 …, hosts from .2
``hierarchical``  the smallest prefix that has room, and near numbers for near substrates, so that routes are few

In all of them a substrate that needs more than a /24 takes the smallest prefix that has room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...topology.model import Topology
from .hierarchy import near_layout


@dataclass(frozen=True)
class AddressProfile:
    """The rules by which free subnets and hosts are chosen.

    longest     prefix length of the smallest subnet
    first_host  number of the first host within its subnet
    skipped     whether no free subnet may begin at an address
    layout      a function of a topology and {substrate: addresses} that returns {substrate: its offset from the beginning of
                ``address_base``}; a substrate without an offset, or whose place is taken, gets the first free subnet
    """

    longest: int = 24
    first_host: int = 1
    skipped: Callable[[int], bool] = lambda _start: False
    layout: Callable[[Topology, dict[str, int]], dict[str, int]] = lambda _topology, _sizes: {}


def _no_emulab_subnet(start: int) -> bool:
    """Return whether an Emulab site has no subnet that begins at ``start``.

    Emulab counts second and third octets of 10.0.0.0/8 from 1, and third octets up to 254.
    """
    return start >> 8 & 255 in (0, 255) or start >> 16 == 10 << 8


# The smallest prefix is a /30, because a /31 (RFC 3021) has no broadcast address. Some systems in nodes do not support that,
# and readers of TopDL report it as an error.
PROFILES = {
    "default": AddressProfile(),
    "emulab": AddressProfile(first_host=2, skipped=_no_emulab_subnet),
    "hierarchical": AddressProfile(longest=30, layout=near_layout),
}
