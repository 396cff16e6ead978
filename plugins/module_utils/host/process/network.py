# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configure and repair the inside of a process node's network: IPv4 settings, interfaces, addresses, routes. net/ports.py makes its ports."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection

from ...hostplan import InterfacePlan, VnodePlan
from ..net.inside import look_inside
from ..net.marks import NO_IPV6_ADDRESS
from ..net.netlink import Batch

_LOOPBACK = 1  # the interface index of lo in every network namespace


class Settings:
    """IPv4 settings of a new namespace. Some are inherited from the machine, so all that matter are stated.

    What is inherited is read in the first namespace, and only what differs is written in the others: with every namespace the kernel
    takes longer to find such a file.
    """

    def __init__(self) -> None:
        self._inherited: dict[str, str] | None = None

    def apply(self, vnode: VnodePlan) -> None:
        """Set them in the current network namespace, which is the node's own and new."""
        wanted = {"ip_forward": str(int(vnode.forwarding)), "conf/all/rp_filter": "0", "conf/default/rp_filter": "0"}
        if self._inherited is None:
            self._inherited = {name: self._read(name) for name in wanted}
        for name, value in wanted.items():
            if self._inherited[name] != value:
                fd = os.open(f"/proc/sys/net/ipv4/{name}", os.O_WRONLY | os.O_CLOEXEC)
                os.write(fd, value.encode())
                os.close(fd)

    @staticmethod
    def _read(name: str) -> str:
        with open(f"/proc/sys/net/ipv4/{name}", encoding="ascii") as stream:
            return stream.read().strip()


def configure(vnode: VnodePlan) -> None:
    """Set up everything in the current network namespace, which is the node's own and new. Raises HostError."""
    batch = Batch()
    batch.set_link(f"{vnode.name}: lo", index=_LOOPBACK, up=True)
    for interface in vnode.interfaces:
        _configure_interface(batch, vnode, interface, socket.if_nametoindex(interface.name))
    for route in vnode.routes:
        batch.route(_route(vnode, route.to, route.via), route.to, route.via)
    batch.send()


class Repair:
    """Compares what is inside a node's network with what is planned. Create it in the network namespace of the node."""

    def __init__(self, vnode: VnodePlan):
        self._vnode = vnode
        self._inside = look_inside()

    def look_again(self) -> None:
        """Look again, because interfaces that were gone have been made. Call this in the network namespace of the node."""
        self._inside = look_inside()

    @property
    def gone(self) -> list[InterfacePlan]:
        """The planned interfaces that are missing."""
        return [interface for interface in self._vnode.interfaces if interface.name not in self._inside.links]

    def queue(self, batch: Batch, earlier: VnodePlan | None, new: Collection[str], resized: dict[str, int]) -> list[str]:
        """Add the requests that make up the difference. Return the changes as text.

        earlier  the node as it was planned when it was last applied
        new      interfaces that were made a moment ago, which have no addresses or routes yet
        resized  {interface: MTU} of those whose port had another MTU; any other MTU inside is the user's
        """
        changes = self._take_back(batch, earlier) if earlier else []
        for interface in self._vnode.interfaces:
            link, mtu = self._inside.links.get(interface.name), resized.get(interface.name)
            index = link.index if link else 0
            if link and mtu not in (None, link.mtu):
                changes.append(f"{self._vnode.name}: interface {interface.name} has MTU {mtu}")
                batch.set_link(changes[-1], [("IFLA_MTU", mtu)], index)
            if not link or not link.up or (interface.ip4_address and (index, interface.ip4_address) not in self._inside.addresses):
                changes.append(f"{self._vnode.name}: interface {interface.name} set up")
                _configure_interface(batch, self._vnode, interface, index)
        for route in self._vnode.routes:
            present, what = (route.to, route.via) in self._inside.routes and not new, _route(self._vnode, route.to, route.via)
            if not present:
                changes.append(what)
            if not present or len(batch):  # addresses that go take routes with them
                batch.route(what, route.to, route.via)
        return changes

    def _take_back(self, batch: Batch, earlier: VnodePlan) -> list[str]:
        """Remove what the last plan gave and this one does not. What others added inside is theirs."""
        changes, name = [], self._vnode.name
        kept = {route.to for route in self._vnode.routes}
        for route in earlier.routes:
            if route.to not in kept and (route.to, route.via) in self._inside.routes:
                changes.append(f"{name}: route to {route.to} taken back")
                batch.delete_route(changes[-1], route.to)
        planned = {(interface.name, interface.ip4_address) for interface in self._vnode.interfaces}
        for interface in earlier.interfaces:
            link, address = self._inside.links.get(interface.name), interface.ip4_address
            if link and address and (interface.name, address) not in planned and (link.index, address) in self._inside.addresses:
                changes.append(f"{name}: address {address} taken back")
                batch.delete_address(changes[-1], link.index, address)
        return changes


def _route(vnode: VnodePlan, to: str, via: str) -> str:
    return f"{vnode.name}: route to {to} via {via}"


def _configure_interface(batch: Batch, vnode: VnodePlan, interface: InterfacePlan, index: int) -> None:
    what = f"{vnode.name}: interface {interface.name}"
    batch.set_link(what, [NO_IPV6_ADDRESS], index)  # before it is up: IPv6 addresses are the user's to make
    if interface.ip4_address:
        batch.address(f"{what}: address {interface.ip4_address}", index, interface.ip4_address)
    batch.set_link(what, index=index, up=True)
