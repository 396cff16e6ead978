# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The testbed's two bridges, and the networks that this machine already uses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..commands import run, run_json
from ..errors import HostError
from ..files import read_text
from ..host.guest.resolver import name_servers
from .addresses import EXPERIMENT_MTU, MOST_PNODES, Subnets
from .names import CONTROL, EXPERIMENT, Identity


def taken_networks(resolv_conf: str) -> tuple[str, ...]:
    """Return the IPv4 networks and addresses that a testbed's subnets must not overlap with: routes, own addresses, name servers."""
    routes = [route["dst"] for route in run_json("ip", "-json", "-4", "route", "show", "table", "all") if re.match(r"[0-9.]+(/[0-9]+)?$", route["dst"])]
    gateways = [route["gateway"] for route in run_json("ip", "-json", "-4", "route") if ":" not in route.get("gateway", ":")]
    return (*routes, *gateways, *(server for server in name_servers(resolv_conf) if ":" not in server))


def uplink_mtu() -> int:
    """Return the MTU of the default route's interface in bytes, at most 1500; 1500 without a default route."""
    for route in run_json("ip", "-json", "-4", "route", "show", "default"):
        return min(1500, int(read_text(os.path.join("/sys/class/net", route.get("dev", ""), "mtu"), "1500")))
    return 1500


class Bridges:
    """The two bridges of one testbed on this machine."""

    def __init__(self, identity: Identity, subnets: Subnets):
        self.identity = identity
        self.subnets = subnets

    def missing(self) -> tuple[str, ...]:
        """Return the bridges that are missing or wrongly configured."""
        live = {link["ifname"]: link for link in run_json("ip", "-json", "-details", "address", "show", "type", "bridge")}
        return tuple(name for name in (self.identity.control_bridge, self.identity.experiment_bridge) if not self._is_right(name, live.get(name)))

    def _is_right(self, name: str, link: dict | None) -> bool:
        if not link or "UP" not in link["flags"]:
            return False
        if name == self.identity.experiment_bridge:
            return link["mtu"] == EXPERIMENT_MTU
        return any(entry["local"] == self.subnets.gateway for entry in link["addr_info"])

    def make(self, name: str) -> None:
        """Make the bridge, or correct the settings of an existing one."""
        identity = self.identity
        control = name == identity.control_bridge
        if not os.path.isdir(os.path.join("/sys/class/net", name)):
            run("ip", "link", "add", name, "address", identity.mac_address("", name), "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
        run("ip", "link", "set", name, "alias", f"{identity.mark}: {'control' if control else 'experiment'} network", "addrgenmode", "none")
        run("ip", "link", "set", name, "mtu", str(uplink_mtu() if control else EXPERIMENT_MTU))
        if control:
            run("ip", "address", "replace", f"{self.subnets.gateway}/{self.subnets.control_prefix}", "dev", name)
        run("ip", "link", "set", name, "up")


def leftovers(identity: Identity) -> tuple[str, ...]:
    """Return the names of this testbed's bridges and ports on this machine."""
    ours = {identity.control_bridge, identity.experiment_bridge}
    pnodes = (identity.carrier, *(identity.pnode(index) for index in range(MOST_PNODES)))
    ours.update(identity.port(pnode, interface) for pnode in pnodes for interface in (CONTROL, EXPERIMENT))
    return tuple(link["ifname"] for link in run_json("ip", "-json", "link", "show") if link["ifname"] in ours)


def remove(names: Iterable[str]) -> None:
    """Remove links. A port may already have gone with its pnode. Raises HostError."""
    for name in names:
        if run("ip", "link", "delete", name, check=False).returncode and os.path.isdir(os.path.join("/sys/class/net", name)):
            raise HostError(f"removing the interface {name} failed")
