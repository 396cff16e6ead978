# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make experiment interfaces on a machine that is a node itself. Each is the end of a veth pair that stays in the machine's own network.

The other end is the port, as with every kind. Addresses, routes and settings belong to the interfaces and go with them, so nothing of the
machine's own is changed. Forwarding is switched on for the experiment's interfaces only, not by net.ipv4.ip_forward.
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Sequence

from ...hostplan import HostPlan, InterfacePlan, VnodePlan
from ..base.paths import ExperimentPaths
from ..guest.network import routes_of
from ..net import netlink
from ..net.device_settings import read_setting, write_setting
from ..net.netlink import Batch
from ..net.ports import Medium, Peer, Port, Ports, is_interface, media, remove_interfaces
from .routes import main_routes, refuse_capture

_GUARDED = {"ipv4/accept_redirects": "0", "ipv4/secure_redirects": "0", "ipv4/accept_source_route": "0", "ipv4/arp_ignore": "1",
            "ipv6/accept_ra": "0", "ipv6/accept_redirects": "0"}
"""Settings of every interface to the experiment, {family/setting: value}."""


def apply_links(plan: HostPlan, vnode: VnodePlan, paths: ExperimentPaths, earlier: VnodePlan | None, dry_run: bool) -> list[str]:
    """Make interfaces, addresses and routes of the node as planned.

    earlier  the node as it was planned when it was last applied
    Return what was (or with ``dry_run`` would be) changed, as text. Raises HostError.
    """
    return _Links(plan, vnode, paths, earlier, dry_run).run()


class _Links:
    """One application of a plan."""

    def __init__(self, plan: HostPlan, vnode: VnodePlan, paths: ExperimentPaths, earlier: VnodePlan | None, dry_run: bool):
        self._plan, self._vnode, self._paths, self._dry_run = plan, vnode, paths, dry_run
        self._earlier = {interface.name: interface for interface in earlier.interfaces} if earlier else {}
        self._earlier_routes = earlier.routes if earlier else ()
        self._look()

    def _look(self) -> None:
        """List the live devices and compare the planned ports with them."""
        self._live = netlink.links()
        self._port_of = ports_by_interface(self._vnode, media(self._plan, self._live))
        self._ports = Ports(self._paths, self._port_of.values(), self._live)

    def run(self) -> list[str]:
        """Make the node's interfaces as planned. Return the changes as text. Raises HostError."""
        mine = {name for name, link in self._live.items() if is_interface(link, self._paths)}
        refuse_capture(self._plan, self._vnode, [entry for entry in main_routes() if entry.device not in mine])
        missing = [interface for interface in self._vnode.interfaces if not self._stands(interface)]
        changes = remove_interfaces(self._paths, [interface.name for interface in self._vnode.interfaces], self._dry_run, self._live)
        changes += [f"interface {interface.name}: made" for interface in missing]
        if self._dry_run:
            return changes + self._repair([interface for interface in self._vnode.interfaces if interface not in missing])
        self._make(missing)
        self._look()
        repaired = self._repair(self._vnode.interfaces)
        return changes + [change for change in repaired if not any(change.startswith(f"interface {one.name}:") for one in missing)]

    def _stands(self, interface: InterfacePlan) -> bool:
        """Return whether both ends of the wire are there and finished, and the planned MAC address is still the same."""
        link, port = self._live.get(interface.name), self._ports.live(self._port_of[interface.name])
        was = self._earlier.get(interface.name, interface)
        return bool(link and port and link.peer == port.name and link.alias and port.alias) and was.mac_address == interface.mac_address

    def _make(self, interfaces: Sequence[InterfacePlan]) -> None:
        batch = Batch()
        for interface in interfaces:
            self._ports.make(batch, self._port_of[interface.name])
        batch.send()

    def _repair(self, interfaces: Sequence[InterfacePlan]) -> list[str]:
        """Repair ports; bring up interfaces with their addresses and settings; add routes."""
        batch = Batch()
        ports = self._ports.repair(batch, [self._port_of[interface.name] for interface in interfaces], self._dry_run)
        changes = [change for repaired in ports.values() for change in repaired]
        present = netlink.ipv4_addresses()
        for interface in interfaces:
            self._resize(batch, interface, changes)
            self._repair_interface(batch, interface, present, changes)
        if not self._dry_run:
            batch.send()
        for interface in interfaces:
            changes += _settings(interface.name, self._vnode.forwarding, self._dry_run)
        return changes + self._repair_routes(interfaces)

    def _resize(self, batch: Batch, interface: InterfacePlan, changes: list[str]) -> None:
        """Give the interface the planned MTU if its port had another one. Any other MTU is one that a user has set."""
        port = self._port_of[interface.name]
        live, link, mtu = self._ports.live(port), self._live[interface.name], port.medium.mtu
        if live and mtu not in (live.mtu, link.mtu):
            changes.append(f"interface {interface.name}: has MTU {mtu}")
            batch.set_link(changes[-1], [("IFLA_MTU", mtu)], link.index)

    def _repair_interface(self, batch: Batch, interface: InterfacePlan, present: set[tuple[int, str]], changes: list[str]) -> None:
        link = self._live[interface.name]
        was = self._earlier.get(interface.name, interface).ip4_address
        if was != interface.ip4_address and (link.index, was) in present:
            changes.append(f"interface {interface.name}: address {was} taken back")
            batch.delete_address(changes[-1], link.index, was)
        lacks = bool(interface.ip4_address) and (link.index, interface.ip4_address) not in present
        if lacks or not link.up:
            changes.append(f"interface {interface.name}: set up")
            if lacks:
                batch.address(f"address {interface.ip4_address}", link.index, interface.ip4_address)
            batch.set_link(changes[-1], index=link.index, up=True)

    def _repair_routes(self, interfaces: Sequence[InterfacePlan]) -> list[str]:
        """Remove routes that only the last plan had, and add those that are missing. No other device's route is touched."""
        changes, batch = [], Batch()
        here = {(str(entry.to), entry.via, entry.device) for entry in main_routes()}
        wanted = {(_network(to), via, interface.name) for interface in interfaces for to, via in routes_of(self._vnode, interface)}
        was = {(_network(route.to), route.via) for route in self._earlier_routes}
        mine = {interface.name: self._live[interface.name].index for interface in interfaces}
        for to, via, device in sorted(here - wanted):
            if device in mine and (to, via) in was:
                changes.append(f"route to {to} via {via}: taken back")
                batch.delete_route(changes[-1], to, via, mine[device], ignore=errno.ESRCH)
        for to, via, device in sorted(wanted - here):
            changes.append(f"route to {to} via {via}: made")
            batch.route(changes[-1], to, via, mine[device], replace=False)
        if not self._dry_run:
            batch.send()
        return changes


def ports_by_interface(vnode: VnodePlan, on: dict[str, Medium]) -> dict[str, Port]:
    """Return {interface: port} of the node.

    on  {name: medium} of this host
    """
    return {interface.name: Port(interface.port, vnode.name, interface.name, on[interface.substrate],
                                 Peer(interface.name, interface.mac_address, stays=True)) for interface in vnode.interfaces}


def _network(prefix: str) -> str:
    """Return the prefix as the kernel has it, without bits beyond its length."""
    return str(ipaddress.IPv4Network(prefix, strict=False))


def _settings(name: str, forwarding: bool, dry_run: bool) -> list[str]:
    """Set forwarding, and relax a strict check of source addresses: packets may come in where answers do not go out. Refuse what would let another
    node change the routes of this machine, or tell it the machine's other addresses. Return the changes as text.
    """
    changes = []
    wanted = {**_GUARDED, **({"ipv4/forwarding": "1"} if forwarding else {})}
    if max(int(read_setting(which, "ipv4/rp_filter") or 0) for which in ("all", name)) == 1:
        wanted["ipv4/rp_filter"] = "2"
    for setting, value in wanted.items():
        if read_setting(name, setting) not in (None, value):  # a kernel may have no IPv6
            changes.append(f"interface {name}: {setting} = {value}")
            if not dry_run:
                write_setting(name, setting, value)
    return changes
