# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mark an experiment's network devices, find them by their marks, and remove them.

A mark is the beginning of the name, the alias and the link group. Devices without it are never changed or removed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ...errors import HostError
from ..base.os_errors import why
from ..base.paths import ExperimentPaths
from . import netlink
from .device_settings import write_setting
from .netlink import Batch, Link
from .netlink_messages import IN6_ADDR_GEN_MODE_NONE, TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

PREFIXES = ("bb", "bv", "bx", "bp")  # with which the names of bridges, ports, tunnels and probe ports begin
INSIDE = "bi"
"""With which the name of a container's end of a port begins, as long as it is on the host."""
# Our bridges pass the first frame at once. The kernel's settings for all bridges can still show other programs' filters what crosses them.
QUIET_BRIDGE = [
    ("IFLA_BR_STP_STATE", 0), ("IFLA_BR_FORWARD_DELAY", 0), ("IFLA_BR_MCAST_SNOOPING", 0),
    ("IFLA_BR_NF_CALL_IPTABLES", 0), ("IFLA_BR_NF_CALL_IP6TABLES", 0), ("IFLA_BR_NF_CALL_ARPTABLES", 0),
]
_NO_IPV6_ADDRESS = ("AF_INET6", [("IFLA_INET6_ADDR_GEN_MODE", IN6_ADDR_GEN_MODE_NONE)])
NO_IPV6_ADDRESS = ("IFLA_AF_SPEC", [_NO_IPV6_ADDRESS])
_IGNORE_ALL_ARP = 8
SILENCE = ("IFLA_AF_SPEC", [("AF_INET", [("IFLA_INET_CONF", [("IPV4_DEVCONF_ARP_IGNORE", _IGNORE_ALL_ARP)])]), _NO_IPV6_ADDRESS])
"""The attribute with which the host gives no answer by a device, for none of its addresses."""


def is_ours(link: Link, paths: ExperimentPaths) -> bool:
    """Return whether a live device has this experiment's mark. One that is only half made has the group and no alias yet."""
    if link.alias:
        return link.alias.startswith(paths.mark)
    return link.group == paths.group and link.name.startswith(PREFIXES)


def refuse_stranger(link: Link | None, paths: ExperimentPaths, what: str) -> None:
    """Raise HostError if ``link``, a device that has the name of ``what``, is not this experiment's."""
    if link and not is_ours(link, paths):
        raise HostError(f"{what}: a device named {link.name} exists on this host and is not this experiment's")


def mark(batch: Batch, what: str, name: str, alias: str, attributes: Iterable[tuple[str, Any]] = (), up: bool = False) -> None:
    """Add the requests that every device of ours gets: its alias, and silence, so that the host takes no part in the network of the nodes.

    attributes  further ones, for the same request
    """
    batch.set_link(what, [("IFLA_IFNAME", name), *attributes, ("IFLA_IFALIAS", alias), SILENCE], up=up)
    batch.afterwards(lambda: disable_ipv6(name))


def is_silent(link: Link) -> bool:
    """Return whether the host answers nothing by this device and takes no IPv6 address, route or neighbour from it."""
    return link.arp_ignore == _IGNORE_ALL_ARP and not link.ipv6


def link_faults(link: Link, what: str, mtu: int, bridge: str = "") -> list[str]:
    """Return how a live device of ours differs from what each of them must be, as text.

    bridge  the bridge that it must be a port of, "" for a bridge
    """
    faults = []
    if bridge and link.master != bridge:
        faults.append(f"{what} is not in bridge {bridge}")
    if not link.up:
        faults.append(f"{what} is down")
    if link.mtu != mtu:
        faults.append(f"{what} has MTU {link.mtu} instead of {mtu}")
    if not is_silent(link):
        faults.append(f"{what} lets this host take part in the network of the nodes")
    return faults


def disable_ipv6(name: str) -> None:
    """Take a device out of the host's IPv6. What crosses it from node to node still passes. Raises HostError."""
    try:
        write_setting(name, "ipv6/disable_ipv6", "1")
    except FileNotFoundError:
        pass  # a kernel without IPv6, or a device that is gone again
    except OSError as exc:
        raise HostError(f"IPv6 of {name} cannot be disabled: {why(exc)}") from exc


def remove_marked(paths: ExperimentPaths, limit_s: float = 120.0) -> list[str]:
    """Remove every device of the experiment and wait until the kernel has released them. Return the changes as text. Raises HostError.

    If their group holds no other device, one request removes the whole group.
    """
    live = netlink.links().values()
    mine = [link for link in live if is_ours(link, paths)]
    if not mine:
        return []
    batch = Batch()
    if any(link.group == paths.group and not is_ours(link, paths) for link in live):
        for link in mine:
            batch.delete_link(f"removing {link.name}", link.index)
    else:
        batch.delete_group(f"removing the links of {paths.experiment}", paths.group)
    batch.send()
    deadline = time.monotonic() + limit_s
    while any(is_ours(link, paths) for link in netlink.links().values()):
        if time.monotonic() > deadline:
            raise HostError(f"links of {paths.experiment} still exist {limit_s:.0f} s after they were removed")
        time.sleep(0.05)
    return [f"links: {len(mine)} removed"]
