# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make, repair, mark and remove ports: the vhost's ends of the wires that attach nodes to media. Nothing else makes them.

``Port`` describes a port. ``Ports`` compares the planned ports with the live devices and makes up the difference.
STEPS lists what a port consists of, in order. Whatever is to hang on every port, such as filters, counters or shaping, is one more step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from ...errors import HostError
from ...hostplan import HostPlan
from ...names import CONTROL
from ..base.paths import ExperimentPaths
from . import netlink, substrates
from .marks import NO_IPV6_ADDRESS, PREFIXES, is_ours, link_faults, mark, refuse_stranger
from .netlink import Batch, Link
from .netlink_messages import TYPE_CHECKING
from .tap import make_tap

if TYPE_CHECKING:
    from typing import Any

_ONE_QUEUE = [("IFLA_NUM_TX_QUEUES", 1), ("IFLA_NUM_RX_QUEUES", 1)]  # the default is one for each processor, which nodes by the thousand pay for
_DEFAULT_MTU = 1500
_INTERFACE = "interface:"  # begins the alias of an interface that stays in the vhost's own network, after the experiment's mark


@dataclass(frozen=True)
class Medium:
    """What ports are attached to: a substrate, or the control network.

    name    name of the substrate, or CONTROL
    master  the device that its ports are members of
    mtu     the size of the largest packet that it carries
    """

    name: str
    master: str
    mtu: int


@dataclass(frozen=True)
class Peer:
    """The node's end of a veth pair.

    stays  whether it stays in the vhost's own network, because the vhost is the node. Then it gets a mark of its own
    """

    name: str
    mac_address: str
    stays: bool = False


@dataclass(frozen=True)
class Port:
    """The vhost's end of one attachment, as planned.

    name       name of the device
    owner      name of the node
    interface  name of the node's interface
    medium     what the interface is attached to
    peer       the other end of a veth pair; None for a tap
    use        ``port`` or ``probe``, with which the alias begins after the experiment's mark
    """

    name: str
    owner: str
    interface: str
    medium: Medium
    peer: Peer | None = None
    use: str = "port"

    def __str__(self) -> str:
        return f"{self.use} {self.name} of {self.label}"

    @property
    def label(self) -> str:
        """The node and its interface, for messages and in the alias."""
        return f"{self.owner}:{self.interface}" if self.interface else self.owner

    @property
    def mark(self) -> str:
        """The alias without the experiment's mark, with which it begins."""
        return f"{self.use}:{self.label}"


@dataclass(frozen=True)
class Step:
    """One thing that a port consists of. It must go with the device, because removing a port removes the device and nothing else.

    faults  (experiment's paths, port, live device) -> how the live device differs from what is planned, as text; [] if it does not
    queue   (batch, experiment's paths, port, index of its master); adds the requests that make it so, on a new device or a live one
    change  (port) -> what was changed about a live port, as text
    """

    faults: Callable[[ExperimentPaths, Port, Link], list[str]]
    queue: Callable[[Batch, ExperimentPaths, Port, int], None]
    change: Callable[[Port], str]


class Ports:
    """The planned ports of an experiment on this vhost, and the live devices that they are compared with.

    live  {name: device} of the vhost, if the caller has listed them already
    Raises HostError when a device that has a planned name is not this experiment's.
    """

    def __init__(self, paths: ExperimentPaths, planned: Iterable[Port], live: dict[str, Link] | None = None):
        self._paths = paths
        self._live = netlink.links() if live is None else live
        self.planned = {port.name: port for port in planned}
        for port in self.planned.values():
            refuse_stranger(self._live.get(port.name), paths, str(port))
            if port.peer and port.peer.stays:
                _refuse_strange_interface(self._live.get(port.peer.name), paths, port)

    def live(self, port: Port) -> Link | None:
        """Return the port's device, or None if it is missing or of the wrong kind."""
        return _device(port, self._live)

    @property
    def missing(self) -> list[Port]:
        """The planned ports that have no device."""
        return [port for port in self.planned.values() if not self.live(port)]

    def make(self, batch: Batch, port: Port, network: int | None = None) -> None:
        """Add the requests that make a port, with both ends of a veth pair, and before them those that remove what is left of it.

        network  descriptor of the network namespace that the node's end goes to; None for the vhost's own
        Raises HostError.
        """
        master = self._master(port)
        names = [port.name, port.peer.name] if port.peer and port.peer.stays else [port.name]
        left = [self._live[name] for name in names if name in self._live]
        for link in left:
            batch.delete_link(str(port), link.index)
        if port.peer:
            _make_veth(batch, self._paths, port, port.peer, network)
        else:
            if left:
                batch.send()  # a system call makes the tap, and its name must be free by then
            make_tap(port.name)
        for step in STEPS:
            step.queue(batch, self._paths, port, master)

    def repair(self, batch: Batch, ports: Iterable[Port], dry_run: bool = False) -> dict[str, list[str]]:
        """Add the requests that give live ports what they lack. Return {name: changes as text} of these ports. Raises HostError."""
        changes: dict[str, list[str]] = {}
        for port in ports:
            link = self.live(port)
            lacking = [step for step in STEPS if link and step.faults(self._paths, port, link)]
            for step in lacking:
                changes.setdefault(port.name, []).append(step.change(port))
                if not dry_run:
                    step.queue(batch, self._paths, port, self._master(port))
        return changes

    def apply(self, dry_run: bool = False) -> list[str]:
        """Make the planned ports that are missing and repair the others. Return the changes as text. Raises HostError."""
        batch = Batch()
        missing = self.missing
        if not dry_run:
            for port in missing:
                self.make(batch, port)
        repaired = self.repair(batch, self.planned.values(), dry_run)
        batch.send()
        return [f"{port}: made" for port in missing] + [change for changes in repaired.values() for change in changes]

    def _master(self, port: Port) -> int:
        link = self._live.get(port.medium.master)
        if link:
            return link.index
        if port.medium.name == CONTROL:
            raise HostError(f"{port}: there is no bridge {CONTROL} on this host: the role deter.benito.control_bridge makes it")
        raise HostError(f"{port}: substrate {port.medium.name} is not built on this host: benito-host apply --part network builds it")


def port_faults(paths: ExperimentPaths, port: Port, live: dict[str, Link]) -> list[str]:
    """Return how a port differs from what is planned, as text; [] if it does not.

    live  {name: device} of the vhost
    """
    link = live.get(port.name)
    if link and not is_ours(link, paths):
        return [f"{port} is missing: a device of this name is not this experiment's"]
    link = _device(port, live)
    return [fault for step in STEPS for fault in step.faults(paths, port, link)] if link else [f"{port} is missing"]


def _device(port: Port, live: dict[str, Link]) -> Link | None:
    """Return the port's device, or None if it is missing or of the wrong kind."""
    link = live.get(port.name)
    return link if link and link.kind == ("veth" if port.peer else "tun") else None


def remove_ports(paths: ExperimentPaths, but: Collection[str] = (), owners: Collection[str] | None = None, dry_run: bool = False,
                 live: dict[str, Link] | None = None) -> list[str]:
    """Remove ports of the experiment, and with them the nodes' ends. Return the changes as text. Raises HostError.

    but     names of ports that stay
    owners  nodes whose ports are removed; None for all
    live    {name: device} of the vhost, if the caller has listed them already
    """
    ports = f"{paths.mark}port:"
    marks = (ports,) if owners is None else tuple(f"{ports}{owner}:" for owner in owners)
    surplus = [link for link in (netlink.links() if live is None else live).values() if link.alias.startswith(marks) and link.name not in but]
    _delete(surplus, "port", dry_run)
    return [f"port {link.name} ({link.alias}): removed" for link in surplus]


def is_interface(link: Link, paths: ExperimentPaths) -> bool:
    """Return whether a live device is a node's interface in the vhost's own network. One that is only half made has the group and no alias yet."""
    if link.alias:
        return link.alias.startswith(paths.mark + _INTERFACE)
    return link.group == paths.group and link.kind == "veth" and not link.name.startswith(PREFIXES)


def remove_interfaces(paths: ExperimentPaths, but: Collection[str] = (), dry_run: bool = False, live: dict[str, Link] | None = None) -> list[str]:
    """Remove nodes' interfaces from the vhost's own network, and with them their ports. Return the changes as text. Raises HostError.

    but   names of interfaces that stay
    live  {name: device} of the vhost, if the caller has listed them already
    """
    surplus = [link for link in (netlink.links() if live is None else live).values() if is_interface(link, paths) and link.name not in but]
    _delete(surplus, "interface", dry_run)
    return [f"interface {link.name}: removed" for link in surplus]


def _delete(links: Iterable[Link], what: str, dry_run: bool) -> None:
    """Delete live devices in one batch, unless it is a dry run. Raises HostError, in which ``what`` names the kind of device."""
    batch = Batch()
    for link in links:
        batch.delete_link(f"removing {what} {link.name}", link.index)
    if not dry_run:
        batch.send()


def media(plan: HostPlan, live: dict[str, Link]) -> dict[str, Medium]:
    """Return {name: medium} of everything that nodes of this vhost can be attached to, the control network included."""
    found = {substrate.name: Medium(substrate.name, substrates.master_of(substrate), substrate.mtu) for substrate in plan.substrates}
    found[CONTROL] = Medium(CONTROL, CONTROL, mtu_of_control(live))
    return found


def mtu_of_control(live: dict[str, Link]) -> int:
    """Return the MTU of the control network's bridge, which silently drops larger packets."""
    return live[CONTROL].mtu if CONTROL in live else _DEFAULT_MTU


def _refuse_strange_interface(link: Link | None, paths: ExperimentPaths, port: Port) -> None:
    if link and not is_interface(link, paths):
        raise HostError(f"{port.owner}: this machine has a device {link.name} of its own: "
                        "give the interface another name in the topology, or take another machine")


def _make_veth(batch: Batch, paths: ExperimentPaths, port: Port, peer: Peer, network: int | None) -> None:
    size = ("IFLA_MTU", port.medium.mtu)
    other: list[tuple[str, Any]] = [("IFLA_IFNAME", peer.name), ("IFLA_ADDRESS", peer.mac_address), size, *_ONE_QUEUE]
    if peer.stays:
        other.append(("IFLA_GROUP", paths.group))
    if network is not None:
        other.append(("IFLA_NET_NS_FD", network))
    info = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", [("VETH_INFO_PEER", other)])]
    batch.add_link(str(port), [("IFLA_IFNAME", port.name), size, ("IFLA_GROUP", paths.group), *_ONE_QUEUE, ("IFLA_LINKINFO", info)])
    if network is None:
        alias = [("IFLA_IFALIAS", f"{paths.mark}{_INTERFACE}{port.label}")] if peer.stays else []
        batch.set_link(str(port), [("IFLA_IFNAME", peer.name), *alias, NO_IPV6_ADDRESS])


def _attachment_faults(paths: ExperimentPaths, port: Port, link: Link) -> list[str]:
    unmarked = [] if link.alias == paths.mark + port.mark else [f"{port} does not have its mark"]
    return [*unmarked, *link_faults(link, str(port), port.medium.mtu, port.medium.master)]


def _attach(batch: Batch, paths: ExperimentPaths, port: Port, master: int) -> None:
    """Mark the port, size it, put it on its medium and bring it up, in one request."""
    attributes = [("IFLA_MTU", port.medium.mtu), ("IFLA_GROUP", paths.group), ("IFLA_MASTER", master)]
    mark(batch, str(port), port.name, paths.mark + port.mark, attributes, up=True)


def _attached(port: Port) -> str:
    return f"{port}: put on {port.medium.master} with MTU {port.medium.mtu}"


STEPS: tuple[Step, ...] = (Step(_attachment_faults, _attach, _attached),)
