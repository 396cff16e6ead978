# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for what nodes send to the control network. Pure text.

They see every frame of a node's control port before the bridge does. A node sends from its planned addresses only, and only ARP and
IPv4: no router advertisement, no STP, no VLAN. It offers no DHCP and reaches no tunnel. Its reach depends on the setting ``control_reach``.
What is sent to nodes is not filtered, so their own vhost and the controller always reach them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...hostplan import EVERYTHING, VXLAN_PORT, ControlPlan, ControlReach, HostPlan

_NOT_ROUTED = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")  # nothing behind the gateway has such an address
_DHCP_SERVER, _DHCP_CLIENT = 67, 68


@dataclass(frozen=True)
class ControlSide:
    """The host's end of the control network.

    mac_address  of its bridge
    addresses    IPv4 of the host there
    resolvers    IPv4 of the name servers that nodes get
    """

    mac_address: str = ""
    addresses: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()


def control_rules(plan: HostPlan, host: ControlSide) -> list[str]:
    """Return the rules of the chain that sees frames when they come in, [] when the plan filters nothing."""
    nodes = [vnode.control for vnode in plan.vnodes if vnode.control and not vnode.ghost]
    reach = plan.control_reach
    if not nodes or reach is None:
        return []
    # other experiments have tunnels even where this one has none
    tunnels = sorted({VXLAN_PORT, *(substrate.tunnel.port for substrate in plan.substrates if substrate.tunnel)})
    return [*_senders(nodes), *_no_services(tunnels), *([] if reach.scope == EVERYTHING else _reach(nodes, reach, host))]


def _senders(nodes: list[ControlPlan]) -> list[str]:
    """Return the rules that drop what a node sends from another's address, and all but ARP and IPv4. The last ones leave only IPv4."""
    ports = [f'"{node.port}"' for node in nodes]
    macs = [f'"{node.port}" . {node.mac_address}' for node in nodes]
    addresses = [f'"{node.port}" . {_address(node)}' for node in nodes]
    return [
        f"iifname != {_set(ports)} accept",
        f"iifname . ether saddr != {_set(macs)} drop",
        "ether type != { ip, arp } drop",
        f"ether type arp iifname . arp saddr ether != {_set(macs)} drop",
        "ether type arp arp operation != { request, reply } drop",
        f"ether type arp arp saddr ip != 0.0.0.0 iifname . arp saddr ip != {_set(addresses)} drop",  # 0.0.0.0 asks whether an address is in use
        f"ether type ip iifname . ip saddr != {_set(addresses)} drop",
    ]


def _no_services(tunnels: Iterable[int]) -> list[str]:
    rules = [f"udp sport {_DHCP_SERVER} drop", f"udp dport {_DHCP_CLIENT} drop"]
    return rules + [f"udp dport {port} drop" for port in tunnels]


def _reach(nodes: list[ControlPlan], reach: ControlReach, host: ControlSide) -> list[str]:
    from ipaddress import IPv4Interface  # which is large, and only hosts with such nodes need

    networks = {str(IPv4Interface(node.ip4_address).network) for node in nodes}
    near = {*reach.peers, *host.resolvers, *map(_address, nodes), *(node.gateway for node in nodes if node.gateway)}
    barred = set(reach.barred) - near
    asked = _set(_merged({*near, *host.addresses}))
    rules = [
        f"ether type arp arp operation request arp daddr ip != {asked} drop",
        "ether type arp accept",
        "ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 drop",
        f"ip daddr {_set(_merged({*_NOT_ROUTED, *barred}))} drop",
    ]
    if host.mac_address:
        rules += _to_host(reach, host)
    return [*rules, f"ip daddr {_set(_merged(near))} accept", f"ip daddr {_set(_merged(networks))} drop"]


def _to_host(reach: ControlReach, host: ControlSide) -> list[str]:
    """Return the rules for what goes to the vhost itself: answers to it, and the services that the plan names. It routes for nobody."""
    mine = f"ether daddr {host.mac_address}"
    served = [f"{mine} {service.protocol} dport {service.port} accept" for service in reach.services]
    return [
        f"{mine} ip daddr != {_set(host.addresses)} drop" if host.addresses else f"{mine} drop",
        f"{mine} ip frag-off & 0x3fff != 0 drop",  # the ports and flags are in the first fragment only
        *served,
        f"{mine} tcp flags & (syn | ack) == ack accept",
        f"{mine} tcp flags & (syn | ack) == (syn | ack) accept",
        f"{mine} tcp flags & rst == rst accept",
        f"{mine} icmp type {{ echo-reply, destination-unreachable, time-exceeded, parameter-problem }} accept",
        f"{mine} drop",
    ]


def _address(node: ControlPlan) -> str:
    return node.ip4_address.split("/")[0]


def _merged(prefixes: Iterable[str]) -> list[str]:
    """Return addresses and prefixes so that none contains another, which a set of nftables does not take."""
    from ipaddress import IPv4Network, collapse_addresses

    return [str(network).removesuffix("/32") for network in collapse_addresses(map(IPv4Network, prefixes))]


def _set(items: Iterable[str]) -> str:
    return f"{{ {', '.join(sorted(items))} }}"
