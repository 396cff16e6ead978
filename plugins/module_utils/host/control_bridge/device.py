# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two devices of the control bridge: the interface that carries SSH, and the bridge ``control0`` above it."""

from __future__ import annotations

import os
import socket

from ...errors import HostError
from ...names import CONTROL
from ..net import netlink
from ..net.marks import QUIET_BRIDGE
from ..net.netlink_messages import RT_TABLE_MAIN
from .link_config import LinkConfig, addresses, all_routes, index_of, link_attribute, master_of, move, write_settings

BRIDGE = CONTROL
ARPHRD_ETHER = "1"
PLAIN_KINDS = ("", "veth", "netdevsim")  # of network cards, and of what containers get in their place


def alias(interface: str) -> str:
    """Return the mark of our bridge."""
    return f"benito:control0:{interface}"


def find_interface() -> str:
    """Return the interface of the SSH connection that this runs under; without one, the interface of the default routes.

    Raises HostError when there is none, or more than one.
    """
    by_address = _interface_of_ssh_server()
    if by_address:
        return by_address
    names = {socket.if_indextoname(route.index) for route in all_routes() if not route.length and route.index and route.table == RT_TABLE_MAIN}
    if len(names) == 1:
        return names.pop()
    found = f"default routes go through {', '.join(sorted(names))}" if names else "there is no default route"
    raise HostError(f"no single control interface: this does not run under an SSH connection, and {found} (name it with 'interface')")


def _interface_of_ssh_server() -> str:
    server = _ssh_server_address()
    if not server:
        return ""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    plain = socket.inet_ntop(family, socket.inet_pton(family, server.split("%")[0]))  # as the kernel's are written
    names = {socket.if_indextoname(address.index) for address in addresses() if address.address == plain} - {"lo"}
    if len(names) > 1:
        raise HostError(f"no single control interface: {server}, where SSH came in, is on {', '.join(sorted(names))} (name one with 'interface')")
    return names.pop() if names else ""


def ssh_client() -> str:
    """Return the IPv4 address from which the SSH connection comes that this runs under, "" if there is none."""
    client = _ssh_connection()[0]
    try:
        socket.inet_pton(socket.AF_INET, client)
    except OSError:
        return ""
    return client


def _ssh_server_address() -> str:
    """Return our end of the SSH connection, "" if there is none."""
    return _ssh_connection()[1]


def _ssh_connection() -> tuple[str, str]:
    """Return both addresses of the SSH connection, the client's first. sudo hides it from its own environment, but not from that of its ancestors."""
    process = os.getpid()
    while process > 1:
        try:
            with open(f"/proc/{process}/environ", "rb") as stream:
                variables = dict(item.split(b"=", 1) for item in stream.read().split(b"\0") if b"=" in item)
            with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as stream:
                process = int(stream.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            return "", ""
        words = variables.get(b"SSH_CONNECTION", b"").decode(errors="replace").split()
        if len(words) == 4:
            return words[0].removeprefix("::ffff:"), words[2].removeprefix("::ffff:")
    return "", ""


def refuse_unless_plain(interface: str) -> None:
    """Raise HostError that names the arrangement unless this is a plain Ethernet interface that is used for nothing else."""
    if not index_of(interface):
        raise HostError(f"there is no interface {interface}")
    reason = _arrangement(interface)
    if reason:
        raise HostError(f"control interface {interface} {reason}: this arrangement is not understood, nothing was changed")


def _arrangement(interface: str) -> str:
    directory = f"/sys/class/net/{interface}"
    kind = _kind(interface)
    if os.path.isdir(f"{directory}/wireless") or os.path.exists(f"{directory}/phy80211"):
        return "is WiFi, which cannot be a member of a bridge"
    if kind in ("bond", "vlan", "bridge", "team", "macvlan", "ipvlan", "vxlan", "tun"):
        return f"is a {kind} device"
    if kind not in PLAIN_KINDS:
        return f"is a device of kind {kind}"
    if link_attribute(interface, "type") != ARPHRD_ETHER:
        return "is not an Ethernet interface"
    if master_of(interface):
        return f"is a member of {master_of(interface)} (a {_kind(master_of(interface)) or 'device'})"
    uppers = sorted(name[len("upper_"):] for name in os.listdir(directory) if name.startswith("upper_"))
    if uppers:
        return f"carries {', '.join(f'{name} (a {_kind(name)} device)' for name in uppers)}"
    return _odd_routes(interface)


def _odd_routes(interface: str) -> str:
    index = index_of(interface)
    for route in all_routes():
        if index in route.hops:
            return f"is one of several hops of the route {route}"
        if route.index == index and route.odd:
            return f"has the route {route} that {route.odd}"
    rules = [rule for family in ("-4", "-6") for rule in _rules(family) if interface in (rule.get("iif"), rule.get("oif"))]
    return f"is named by the routing rule of priority {rules[0].get('priority')}" if rules else ""


def _rules(family: str) -> list[dict]:
    try:
        return netlink.ip_json(family, "rule", "show")
    except HostError:  # a kernel without this family or without rules has none
        return []


def _kind(name: str) -> str:
    """Return the kind of virtual device that it is, "" for a network card."""
    link = netlink.links().get(name)
    return link.kind if link else ""


def is_bridge(name: str = BRIDGE) -> bool:
    """Return whether there is such a device and it is a bridge."""
    return os.path.isdir(f"/sys/class/net/{name}/bridge")


def mac_of(interface: str) -> str:
    """Return the interface's MAC address."""
    return link_attribute(interface, "address")


def members() -> list[str]:
    """Return the interfaces in control0, sorted."""
    return sorted(os.listdir(f"/sys/class/net/{BRIDGE}/brif")) if is_bridge() else []


def bring_over(interface: str, link_config: LinkConfig) -> None:
    """Create control0 over the interface and move the interface's addresses, routes and settings to it. Raises HostError."""
    mac, mtu = mac_of(interface), int(link_attribute(interface, "mtu"))
    batch = netlink.Batch()
    if not is_bridge():
        info = [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", QUIET_BRIDGE)]
        batch.add_link(f"bridge {BRIDGE}", [("IFLA_IFNAME", BRIDGE), ("IFLA_ADDRESS", mac), ("IFLA_MTU", mtu), ("IFLA_LINKINFO", info)])
        batch.send()
    write_settings(BRIDGE, link_config.settings)
    bridge = index_of(BRIDGE)
    batch.set_link(f"bridge {BRIDGE} up", [("IFLA_IFALIAS", alias(interface))], bridge, up=True)  # a link takes no alias while it is made
    batch.set_link(f"{interface} into {BRIDGE}", [("IFLA_MASTER", bridge)], index_of(interface))
    batch.send()
    write_settings(interface, {"ipv6/disable_ipv6": "1"})
    move(link_config, interface, BRIDGE, nodad=True)


def bring_back(interface: str, link_config: LinkConfig) -> None:
    """Remove control0 and give the interface the addresses, routes and settings of ``link_config``. Raises HostError."""
    delete_bridge()
    write_settings(interface, link_config.settings)
    batch = netlink.Batch()
    batch.set_link(f"{interface} up", index=index_of(interface), up=True)
    batch.send()
    move(link_config, interface, interface, nodad=False)


def tune(interface: str, carried: LinkConfig) -> None:
    """Finish a control0 that the network manager has made: set our mark, the interface's settings, and what the manager cannot set."""
    write_settings(BRIDGE, carried.settings)
    batch = netlink.Batch()
    batch.set_link(f"bridge {BRIDGE}", [("IFLA_IFALIAS", alias(interface))], index_of(BRIDGE))
    batch.send()
    for name in ("stp_state", "forward_delay", "multicast_snooping", "nf_call_iptables", "nf_call_ip6tables", "nf_call_arptables"):
        if link_attribute(BRIDGE, f"bridge/{name}") not in ("0", ""):
            try:
                with open(f"/sys/class/net/{BRIDGE}/bridge/{name}", "w", encoding="ascii") as stream:
                    stream.write("0")
            except OSError as exc:
                raise HostError(f"cannot set {name} of {BRIDGE}: {exc.strerror}") from exc


def delete_bridge() -> None:
    """Remove control0; its member becomes a plain interface again."""
    if is_bridge():
        batch = netlink.Batch()
        batch.delete_link(f"bridge {BRIDGE}", index_of(BRIDGE))
        batch.send()
