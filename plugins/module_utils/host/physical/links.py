# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiment interfaces on a machine that is a node itself: a veth pair each, one end with the planned name in the
machine's own network, the other the port on the substrate's bridge, as every kind has it.

Addresses, routes and settings hang on the interfaces and go with them: nothing of the machine's own is changed. Therefore
forwarding is switched on for the experiment's interfaces only, not by net.ipv4.ip_forward.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from ...errors import HostError
from ...hostplan import HostPlan, InterfacePlan, VnodePlan
from ..base.paths import ExperimentPaths
from ..guest.network import routes_of
from ..net import netlink
from ..net import netlink_encoding as encoding
from ..net.netlink import IFF_UP, Batch
from ..net.substrates import NO_IPV6_ADDRESS, port_attributes
from .routes import main_routes, refuse_capture


def apply_links(plan: HostPlan, vnode: VnodePlan, paths: ExperimentPaths, earlier: VnodePlan | None, dry_run: bool) -> list[str]:
    """Interfaces, addresses and routes of the node as planned.

    earlier  the node as it was planned when it was applied last
    Returns what was (or with ``dry_run`` would be) changed, in words. Raises HostError.
    """
    return _Links(plan, vnode, paths, earlier, dry_run).run()


def remove_links(paths: ExperimentPaths) -> list[str]:
    """All interfaces with the experiment's mark, and with them their ports. Returns changes in words. Raises HostError."""
    batch, gone = Batch(), []
    if not any(name.startswith("bv") for name in netlink.devices()):  # an interface never is without its port
        return gone
    for name, link in netlink.links().items():
        if is_interface(link, paths):
            batch.delete_link(f"removing interface {name}", link["ifindex"])
            gone.append(f"interface {name}: removed")
    batch.send()
    return gone


def is_interface(link: dict, paths: ExperimentPaths) -> bool:
    """Whether a live link is an interface of the node; one whose making was interrupted has the experiment's group and no alias yet."""
    alias = link.get("ifalias", "")
    unfinished = not alias and link.get("group") == str(paths.group) and link.get("linkinfo", {}).get("info_kind") == "veth"
    return alias.startswith(f"{paths.mark}interface:") or (unfinished and not link["ifname"].startswith(("bv", "bp")))


class _Links:
    """One application of a plan."""

    def __init__(self, plan, vnode, paths, earlier, dry_run):
        self._plan, self._vnode, self._paths, self._dry_run = plan, vnode, paths, dry_run
        self._substrates = {substrate.name: substrate for substrate in plan.substrates}
        self._earlier = {interface.name: interface for interface in earlier.interfaces} if earlier else {}
        self._earlier_routes = earlier.routes if earlier else ()
        self._live = netlink.links()

    def run(self) -> list[str]:
        self._refuse_strangers()
        mine = {name for name, link in self._live.items() if is_interface(link, self._paths)}
        refuse_capture(self._plan, self._vnode, [entry for entry in main_routes() if entry.device not in mine])
        missing = [interface for interface in self._vnode.interfaces if not self._stands(interface)]
        changes = self._remove(missing)
        changes += [f"interface {interface.name}: made" for interface in missing]
        if self._dry_run:
            return changes + self._repair([interface for interface in self._vnode.interfaces if interface not in missing])
        self._make(missing)
        self._live = netlink.links()
        words = self._repair(self._vnode.interfaces)
        return changes + [word for word in words if not any(word.startswith((f"interface {i.name}:", f"port {i.port}")) for i in missing)]

    def _refuse_strangers(self) -> None:
        for interface in self._vnode.interfaces:
            link, port = self._live.get(interface.name), self._live.get(interface.port)
            if link and not is_interface(link, self._paths):
                raise HostError(f"{self._vnode.name}: this machine has a device {interface.name} of its own: "
                                "call the interface otherwise in the topology, or take another machine")
            if port and not (port.get("ifalias", "").startswith(self._paths.mark) or port.get("group") == str(self._paths.group)):
                raise HostError(f"{self._vnode.name}: port {interface.port}: a device of that name exists on this host and is not this experiment's")

    def _stands(self, interface: InterfacePlan) -> bool:
        """Whether both ends are there, finished, of one wire, and not planned with another MAC address now."""
        link, port, was = self._live.get(interface.name), self._live.get(interface.port), self._earlier.get(interface.name, interface)
        return (link is not None and port is not None and link.get("link") == interface.port and was.mac_address == interface.mac_address
                and bool(link.get("ifalias")) and bool(port.get("ifalias")))

    def _remove(self, missing) -> list[str]:
        """Interfaces that are not planned any more, and either end of what is to be made."""
        planned, batch, changes = {interface.name for interface in self._vnode.interfaces}, Batch(), []
        ends = {name for interface in missing for name in (interface.name, interface.port)}
        for name, link in self._live.items():
            unplanned = is_interface(link, self._paths) and name not in planned
            if unplanned or name in ends:
                batch.delete_link(f"removing {name}", link["ifindex"])
            if unplanned:
                changes.append(f"interface {name}: removed")
        if not self._dry_run:
            batch.send()
        return changes

    def _make(self, interfaces) -> None:
        batch = Batch()
        for interface in interfaces:
            what, mtu = f"{self._vnode.name}: interface {interface.name}", self._substrates[interface.substrate].mtu
            peer = [("IFLA_IFNAME", interface.name), ("IFLA_ADDRESS", interface.mac_address), ("IFLA_MTU", mtu), ("IFLA_GROUP", self._paths.group)]
            info = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", [("VETH_INFO_PEER", peer)])]
            batch.link(what, attrs=[("IFLA_IFNAME", interface.port), ("IFLA_MTU", mtu), ("IFLA_GROUP", self._paths.group), ("IFLA_LINKINFO", info)],
                       create=True)
            alias = f"{self._vnode.name}:{interface.name}"
            attrs = port_attributes(f"{self._paths.mark}port:{alias}", self._bridge(interface))
            batch.link(what, {"flags": IFF_UP, "change": IFF_UP}, [("IFLA_IFNAME", interface.port), *attrs])
            batch.link(what, attrs=[("IFLA_IFNAME", interface.name), ("IFLA_IFALIAS", f"{self._paths.mark}interface:{alias}"), NO_IPV6_ADDRESS])
        batch.send()

    def _bridge(self, interface: InterfacePlan) -> int:
        bridge = self._substrates[interface.substrate].bridge
        try:
            return socket.if_nametoindex(bridge)
        except OSError as exc:
            raise HostError(f"substrate {interface.substrate} is not built on this host: benito-host apply --part network") from exc

    def _repair(self, interfaces) -> list[str]:
        """Ports on their bridges; interfaces up, with their addresses and settings; routes."""
        changes, batch = [], Batch()
        for interface in interfaces:
            self._repair_port(batch, interface, changes)
        present = netlink.ipv4_addresses()
        for interface in interfaces:
            self._repair_interface(batch, interface, present, changes)
        if not self._dry_run:
            batch.send()
        for interface in interfaces:
            changes += _settings(interface.name, self._vnode.forwarding, self._dry_run)
        return changes + self._repair_routes(interfaces)

    def _repair_port(self, batch, interface, changes) -> None:
        substrate, port = self._substrates[interface.substrate], self._live[interface.port]
        if port.get("master") != substrate.bridge or port["mtu"] != substrate.mtu or "UP" not in port["flags"]:
            changes.append(f"port {interface.port} of interface {interface.name}: put on {substrate.bridge} with MTU {substrate.mtu}")
            if not self._dry_run:
                attrs = [("IFLA_MTU", substrate.mtu), ("IFLA_MASTER", self._bridge(interface))]
                batch.link(changes[-1], {"index": port["ifindex"], "flags": IFF_UP, "change": IFF_UP}, attrs)
            link = self._live[interface.name]
            if port["mtu"] != substrate.mtu and link["mtu"] != substrate.mtu:
                changes.append(f"interface {interface.name}: has MTU {substrate.mtu}")
                batch.link(changes[-1], {"index": link["ifindex"]}, [("IFLA_MTU", substrate.mtu)])

    def _repair_interface(self, batch, interface, present, changes) -> None:
        link = self._live[interface.name]
        index, was = link["ifindex"], self._earlier.get(interface.name, interface).ip4_address
        if was != interface.ip4_address and (index, *_split(was)) in present:
            changes.append(f"interface {interface.name}: address {was} taken back")
            batch.delete_address(changes[-1], index, *_split(was))
        lacks = bool(interface.ip4_address) and (index, *_split(interface.ip4_address)) not in present
        if lacks or "UP" not in link["flags"]:
            changes.append(f"interface {interface.name}: set up")
            if lacks:
                parsed = ipaddress.IPv4Interface(interface.ip4_address)
                broadcast = str(parsed.network.broadcast_address) if parsed.network.prefixlen < 31 else ""
                batch.address(f"address {interface.ip4_address}", index, str(parsed.ip), parsed.network.prefixlen, broadcast)
            batch.link(changes[-1], {"index": index, "flags": IFF_UP, "change": IFF_UP})

    def _repair_routes(self, interfaces) -> list[str]:
        """By device as well as gateway, so that no route of the machine's own is ever meant."""
        changes, batch = [], Batch()
        here = {(str(entry.to), entry.via, entry.device) for entry in main_routes()}
        wanted = {(_network(to), via, interface.name) for interface in interfaces for to, via in routes_of(self._vnode, interface)}
        was = {(_network(route.to), route.via) for route in self._earlier_routes}
        mine = {interface.name for interface in interfaces}
        for to, via, device in sorted(here - wanted):
            if device in mine and (to, via) in was:
                changes.append(f"route to {to} via {via}: taken back")
                batch.raw(changes[-1], netlink.RTM_DELROUTE, 0, _route(to, via, device), errno.ESRCH)
        for to, via, device in sorted(wanted - here):
            changes.append(f"route to {to} via {via}: made")
            batch.raw(changes[-1], netlink.RTM_NEWROUTE, netlink.CREATE | netlink.EXCL, _route(to, via, device))
        if not self._dry_run:
            batch.send()
        return changes


def _network(prefix: str) -> str:
    """As the kernel has it: no bits behind the prefix."""
    return str(ipaddress.IPv4Network(prefix, strict=False))


def _route(to: str, via: str, device: str) -> bytes:
    prefix, length = _split(to)
    return encoding.route_body([("RTA_DST", prefix), ("RTA_GATEWAY", via), ("RTA_OIF", socket.if_nametoindex(device))], length)


def _settings(name: str, forwarding: bool, dry_run: bool) -> list[str]:
    """Forwarding, and no strict check of source addresses: packets may come another way than answers go."""
    folder, changes = "/proc/sys/net/ipv4/conf", []
    wanted = {"forwarding": "1"} if forwarding else {}
    if max(int(_read(f"{folder}/{which}/rp_filter")) for which in ("all", name)) == 1:
        wanted["rp_filter"] = "2"
    for setting, value in wanted.items():
        path = f"{folder}/{name}/{setting}"
        if _read(path) != value:
            changes.append(f"interface {name}: {setting} = {value}")
            if not dry_run:
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.write(fd, value.encode())
                finally:
                    os.close(fd)
    return changes


def _read(path: str) -> str:
    with open(path, encoding="ascii") as stream:
        return stream.read().strip()


def _split(prefix: str) -> tuple[str, int]:
    address, _slash, length = prefix.partition("/")
    return address, int(length or 32)
