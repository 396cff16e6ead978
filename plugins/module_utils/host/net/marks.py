# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mark an experiment's network devices, find them by their marks, and remove them.

A mark is the beginning of the name, the alias and the link group. Devices without it are never changed or removed.
"""

from __future__ import annotations

import time

from ...errors import HostError
from ..base.paths import ExperimentPaths
from . import netlink
from .netlink import Batch, Link
from .netlink_messages import IN6_ADDR_GEN_MODE_NONE, TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

PREFIXES = ("bb", "bv", "bx", "bp")  # with which the names of bridges, ports, tunnels and probe ports begin
# Our bridges pass the first frame at once, and the vhost's packet filter does not see what crosses them.
QUIET_BRIDGE = [
    ("IFLA_BR_STP_STATE", 0), ("IFLA_BR_FORWARD_DELAY", 0), ("IFLA_BR_MCAST_SNOOPING", 0),
    ("IFLA_BR_NF_CALL_IPTABLES", 0), ("IFLA_BR_NF_CALL_IP6TABLES", 0), ("IFLA_BR_NF_CALL_ARPTABLES", 0),
]
NO_IPV6_ADDRESS = ("IFLA_AF_SPEC", [("AF_INET6", [("IFLA_INET6_ADDR_GEN_MODE", IN6_ADDR_GEN_MODE_NONE)])])


def is_ours(link: Link, paths: ExperimentPaths) -> bool:
    """Return whether a live device has this experiment's mark. One that is only half made has the group and no alias yet."""
    if link.alias:
        return link.alias.startswith(paths.mark)
    return link.group == paths.group and link.name.startswith(PREFIXES)


def refuse_stranger(link: Link | None, paths: ExperimentPaths, what: str) -> None:
    """Raise HostError if ``link``, a device that has the name of ``what``, is not this experiment's."""
    if link and not is_ours(link, paths):
        raise HostError(f"{what}: a device named {link.name} exists on this host and is not this experiment's")


def marking(alias: str, master: int = 0) -> list[tuple[str, Any]]:
    """Return the attributes that every device of ours gets before it is up: its alias, no IPv6 address, and the index of its master if it has one."""
    attributes: list[tuple[str, Any]] = [("IFLA_IFALIAS", alias), NO_IPV6_ADDRESS]
    return [*attributes, ("IFLA_MASTER", master)] if master else attributes


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
