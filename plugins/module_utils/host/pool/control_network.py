# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control network of a machine of the pool, in which nodes on the machine get addresses."""

from __future__ import annotations

import ipaddress
import json
import socket

from ...errors import HostError
from ..base.paths import ExperimentPaths, experiments_here
from ..control_bridge.device import find_interface
from ..net import netlink

UNKNOWN = {"control_address": "", "control_prefix_length": 0, "control_gateway": "", "control_network": ""}


def control_network() -> dict:
    """Describe the network of the interface that carries SSH or the default route: the network card, or the bridge above it.

    Return {"control_address", "control_prefix_length", "control_gateway", "control_network"}. The values are empty when the network is unknown.
    The gateway is "" when there is none.
    """
    try:
        device = find_interface()
    except HostError:
        return dict(UNKNOWN)
    default = [route for route in netlink.ip_json("-4", "route", "show", "default", "table", "main") if route.get("dev") == device]
    gateway = next((route["gateway"] for route in sorted(default, key=lambda route: route.get("metric", 0)) if "gateway" in route), "")
    addresses = [ipaddress.IPv4Interface(f"{entry['local']}/{entry['prefixlen']}") for link in netlink.ip_json("-4", "address", "show", "dev", device)
                 for entry in link.get("addr_info", ()) if entry.get("scope") == "global"]
    if not addresses:
        return dict(UNKNOWN)
    beside_gateway = [address for address in addresses if gateway and ipaddress.IPv4Address(gateway) in address.network]
    chosen = (beside_gateway or addresses)[0]
    return {"control_address": str(chosen.ip), "control_prefix_length": chosen.network.prefixlen, "control_gateway": gateway,
            "control_network": str(chosen.network)}


def control_addresses_used(but: str = "") -> list[str]:
    """Return the control addresses in the plans of all experiments on this host except ``but``, ascending. Unreadable plans are skipped."""
    found = set()
    for experiment in experiments_here():
        if experiment != but:
            found.update(_planned(ExperimentPaths(experiment).plan))
    return sorted(found, key=socket.inet_aton)


def _planned(path: str) -> set[str]:
    try:
        with open(path, encoding="utf-8") as stream:
            vnodes = json.load(stream)["vnodes"]
        texts = [vnode["control"]["ip4_address"] for vnode in vnodes if "control" in vnode]
        return {str(ipaddress.IPv4Interface(text).ip) for text in texts}
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return set()
