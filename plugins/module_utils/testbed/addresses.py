# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of a testbed's addresses on this machine. Pure: the addresses in use are arguments."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import HostError

MOST_PNODES = 1000
"""The limit of a Linux bridge is 1023 ports. The lower half of the control subnet, a /21, is for pnodes."""

EXPERIMENT_MTU = 9000
"""Bytes. Nodes see an MTU of 1500 if the underlay carries 1550 or more."""

_FIRST_PNODE = 11
_CONTROL_PREFIX = 21
_CONTROL_POOLS = ("172.28.0.0/14", "192.168.0.0/16", "10.192.0.0/11")
_EXPERIMENT_POOLS = ("10.254.0.0/16", "10.253.0.0/16", "10.252.0.0/16", "10.251.0.0/16")


@dataclass(frozen=True)
class Subnets:
    """A testbed's two networks, as text in CIDR notation."""

    control: str
    experiment: str

    @property
    def gateway(self) -> str:
        """Return the machine's own address on the control network."""
        return str(ipaddress.IPv4Network(self.control)[1])

    def control_address(self, index: int) -> str:
        """Return the control address of a pnode by its number."""
        return str(ipaddress.IPv4Network(self.control)[_FIRST_PNODE + index])

    def experiment_address(self, index: int) -> str:
        """Return the experiment address of a pnode by its number."""
        return str(ipaddress.IPv4Network(self.experiment)[_FIRST_PNODE + index])

    @property
    def vnode_addresses(self) -> str:
        """Return FIRST-LAST of the control addresses for vnodes: the upper half of the subnet.

        It is "" in a testbed of an earlier version, whose subnet is smaller.
        """
        network = ipaddress.IPv4Network(self.control)
        return f"{network[network.num_addresses // 2]}-{network[-2]}" if network.prefixlen <= _CONTROL_PREFIX else ""

    @property
    def control_prefix(self) -> int:
        return ipaddress.IPv4Network(self.control).prefixlen

    @property
    def experiment_prefix(self) -> int:
        return ipaddress.IPv4Network(self.experiment).prefixlen


NO_SUBNETS = Subnets("", "")
"""The subnets of a caller that only lists or removes a testbed. Asking them for an address is an error."""


def choose_subnets(taken: Iterable[str], start: int = 0) -> Subnets:
    """Return two subnets that do not overlap with anything in ``taken``.

    taken  IPv4 networks or addresses that this machine routes to or must reach: routes, its own addresses, name servers, other testbeds
    start  any number; it sets where the search begins, and differs between testbeds

    Raises HostError when no subnet is free.
    """
    networks = [ipaddress.IPv4Network(text, strict=False) for text in taken]

    def free(candidate: ipaddress.IPv4Network) -> bool:
        return not any(candidate.overlaps(network) for network in networks)

    first, others = _control_candidates()
    start %= len(first)
    control = _first_free([*first[start:], *first[:start], *others], free)
    experiment = _first_free([ipaddress.IPv4Network(text) for text in _EXPERIMENT_POOLS], free)
    if control is None or experiment is None:
        which = "control" if control is None else "experiment"
        raise HostError(f"no free {which} subnet for a local testbed: this machine already routes to {', '.join(sorted(map(str, networks)))}")
    return Subnets(str(control), str(experiment))


@functools.cache
def _control_candidates() -> tuple[list[ipaddress.IPv4Network], list[ipaddress.IPv4Network]]:
    """Return (the subnets of the first pool, the subnets of the other pools). A search may begin anywhere in the first pool."""
    first, *others = ([*ipaddress.IPv4Network(pool).subnets(new_prefix=_CONTROL_PREFIX)] for pool in _CONTROL_POOLS)
    return first, [subnet for pool in others for subnet in pool]


def _first_free(candidates: list[ipaddress.IPv4Network], free: Callable[[ipaddress.IPv4Network], bool]) -> ipaddress.IPv4Network | None:
    return next((candidate for candidate in candidates if free(candidate)), None)
