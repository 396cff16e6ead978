# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process vnodes: a network stack, a host name, its own /var/benito and /etc/hosts; the rest is the host's.

Nothing runs for a node here: this makes its namespaces and pins them. Compares what is with what
should be, so building, rerunning, repairing and coming back after a reboot are the same path.
"""

from __future__ import annotations

import os
import socket

from ...errors import HostError
from ...hostplan import HostPlan, VnodePlan, ports_of
from ..base import cgroups, syscalls
from ..base.child import in_a_child
from ..base.hosts_file import HostsFile
from ..base.namespaces import Registry, home, pin_mount_namespace
from ..base.paths import ExperimentPaths, read_json, write_atomically
from ..base.syscalls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUTS, MS_BIND, MS_REC, MS_SLAVE
from ..net import netlink
from ..net.netlink import IFF_UP, Batch
from ..net.substrates import NO_IPV6_ADDRESS, ours, port_attributes
from ..start_commands.start_command import forget

_AT_A_TIME = 250  # nodes; bounds the open descriptors
_ONE_QUEUE = [("IFLA_NUM_TX_QUEUES", 1), ("IFLA_NUM_RX_QUEUES", 1)]  # the default is one for each processor, which nodes by the thousand pay for
_HOSTS_INSIDE = "/var/benito/hosts"


def apply_processes(plan: HostPlan, paths: ExperimentPaths, before: HostPlan | None, dry_run: bool = False) -> list[str]:
    """Make this host's process vnodes as planned; remove those that are not planned any more.

    before  the plan that was applied last, so that its addresses and routes can be taken back
    Returns what was (or with ``dry_run`` would be) changed, in words. Raises HostError.
    """
    wanted = {vnode.name: vnode for vnode in plan.vnodes if vnode.kind == "process" and not vnode.ghost}
    earlier = {vnode.name: vnode for vnode in before.vnodes} if before else {}
    with home() as origin:
        registry = Registry(paths)
        if not registry.open(origin, create=bool(wanted) and not dry_run):
            return [f"process node {name}: made" for name in wanted]
        try:
            builder = _Builder(plan, paths, origin, registry, dry_run)
            return builder.run(wanted, earlier)
        finally:
            registry.close()


class _Builder:
    """One application of a plan to the nodes of one registry."""

    def __init__(self, plan, paths, origin, registry, dry_run):
        self._plan, self._paths, self._origin, self._registry, self._dry_run = plan, paths, origin, registry, dry_run
        self._mtu = {substrate.name: substrate.mtu for substrate in plan.substrates}
        self._bridge = {substrate.name: substrate.bridge for substrate in plan.substrates}
        self._hosts = HostsFile(plan.hosts)
        self._settings = _Settings()

    def run(self, wanted: dict[str, VnodePlan], earlier: dict[str, VnodePlan]) -> list[str]:
        present = self._registry.nodes()
        self._live = netlink.links()
        changes = self._remove(sorted((present | self._registry.partial()) - (set(wanted) & present)))
        changes += self._remove_ports()
        missing = [vnode for name, vnode in wanted.items() if name not in present]
        changes += [f"process node {vnode.name}: made" for vnode in missing]
        if not self._dry_run:
            self._masters = {name: socket.if_nametoindex(bridge) for name, bridge in self._bridge.items()}
            self._make_all(missing)
        for name, vnode in wanted.items():
            if name in present:
                changes += self._repair(vnode, earlier.get(name))
        return changes

    def _remove(self, names: list[str]) -> list[str]:
        if names and not self._dry_run:
            unit = read_json(f"{self._paths.run}/supervisor.json", {}).get("cgroup")
            cgroups.kill_all([f"{unit}/node-{name}" for name in names] if unit else [])
            for name in names:
                self._registry.unpin(name)
        return [f"process node {name}: removed" for name in names]

    def _remove_ports(self) -> list[str]:
        """Those that no node has any more, of whatever kind it was."""
        planned = {port for vnode in self._plan.vnodes for port in ports_of(vnode)}
        surplus = [link for name, link in self._live.items()
                   if link.get("ifalias", "").startswith(self._paths.mark + "port:") and name not in planned]
        batch = Batch()
        for link in surplus:
            batch.delete_link(f"removing port {link['ifname']}", link["ifindex"])
        if not self._dry_run:
            batch.send()
        return [f"port {link['ifname']} ({link['ifalias']}): removed" for link in surplus]

    def _make_all(self, vnodes: list[VnodePlan]) -> None:
        """The nodes' files are written by a child meanwhile: the disk and the kernel's network do not wait for each other."""
        with in_a_child(lambda: self._write_all_files(vnodes)) as files_written:
            for start in range(0, len(vnodes), _AT_A_TIME):
                networks: dict[str, int] = {}
                some = vnodes[start:start + _AT_A_TIME]
                try:
                    self._make_networks(some, networks)
                    files_written()
                    self._make_file_systems(some, networks)
                finally:
                    self._origin.enter("net", "uts")
                    for fd in networks.values():
                        os.close(fd)

    def _write_all_files(self, vnodes: list[VnodePlan]) -> None:
        for vnode in vnodes:
            self._write_files(vnode)
            forget(self._paths, vnode.name)

    def _make_networks(self, vnodes: list[VnodePlan], networks: dict[str, int]) -> None:
        for vnode in vnodes:
            networks[vnode.name] = self._new_network(vnode)
        self._origin.enter("net", "uts")
        ports = Batch()
        for vnode in vnodes:
            self._add_ports(ports, vnode, vnode.interfaces, networks[vnode.name])
        ports.send()

    def _make_file_systems(self, vnodes: list[VnodePlan], networks: dict[str, int]) -> None:
        template = self._new_template()
        for vnode in vnodes:
            syscalls.setns(networks[vnode.name], CLONE_NEWNET)
            self._configure(vnode)
            self._new_file_systems(vnode, template)
        os.close(template)

    def _write_files(self, vnode: VnodePlan) -> None:
        directory = self._paths.node(vnode.name)
        os.makedirs(f"{directory}/log", exist_ok=True)
        for name, text in (("pid", self._plan.pid + "\n"), ("eid", self._plan.eid + "\n"), ("hosts", self._hosts.text(vnode.aliases))):
            _write(f"{directory}/{name}", text)

    def _new_network(self, vnode: VnodePlan) -> int:
        syscalls.unshare(CLONE_NEWNET | CLONE_NEWUTS)
        socket.sethostname(vnode.hostname)
        self._settings.apply(vnode)
        for kind in ("net", "uts"):
            self._registry.pin(vnode.name, kind, f"/proc/self/ns/{kind}")
        return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def _add_ports(self, batch: Batch, vnode: VnodePlan, interfaces, network: int) -> None:
        """Both ends of each wire: the node's inside ``network``, ours on the substrate's bridge."""
        for interface in interfaces:
            what = f"port {interface.port} of {vnode.name}:{interface.name}"
            stranger = self._live.get(interface.port)
            if stranger and not ours(stranger, self._paths):
                raise HostError(f"{what}: a device of that name exists on this host and is not this experiment's")
            if stranger:
                batch.delete_link(what, stranger["ifindex"])
            mtu = self._mtu[interface.substrate]
            peer = [("IFLA_IFNAME", interface.name), ("IFLA_ADDRESS", interface.mac_address), ("IFLA_MTU", mtu),
                    *_ONE_QUEUE, ("IFLA_NET_NS_FD", network)]
            info = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", [("VETH_INFO_PEER", peer)])]
            batch.link(what, attrs=[("IFLA_IFNAME", interface.port), ("IFLA_MTU", mtu), ("IFLA_GROUP", self._paths.group),
                                    *_ONE_QUEUE, ("IFLA_LINKINFO", info)], create=True)
            alias = f"{self._paths.mark}port:{vnode.name}:{interface.name}"
            attrs = port_attributes(alias, self._masters[interface.substrate])
            batch.link(what, {"flags": IFF_UP, "change": IFF_UP}, [("IFLA_IFNAME", interface.port), *attrs])

    def _configure(self, vnode: VnodePlan) -> None:
        batch = Batch()
        batch.link(f"{vnode.name}: lo", {"index": 1, "flags": IFF_UP, "change": IFF_UP})
        for interface in vnode.interfaces:
            self._configure_interface(batch, vnode, interface, socket.if_nametoindex(interface.name))
        for route in vnode.routes:
            batch.route(f"{vnode.name}: route to {route.to} via {route.via}", *_split(route.to), route.via)
        batch.send()

    @staticmethod
    def _configure_interface(batch: Batch, vnode: VnodePlan, interface, index: int) -> None:
        what = f"{vnode.name}: interface {interface.name}"
        batch.link(what, {"index": index}, [NO_IPV6_ADDRESS])  # before it is up: IPv6 addresses are the user's to make
        if interface.ip4_address:
            address, prefix = _split(interface.ip4_address)
            batch.address(f"{what}: address {interface.ip4_address}", index, address, prefix, _broadcast(address, prefix))
        batch.link(what, {"index": index, "flags": IFF_UP, "change": IFF_UP})

    def _new_template(self) -> int:
        """The host's file systems as nodes see them, following the host's later mounts and unmounts."""
        self._origin.enter("mnt")
        syscalls.unshare(CLONE_NEWNS)
        syscalls.mount(None, "/", None, MS_REC | MS_SLAVE)
        if syscalls.is_mount_point(self._paths.run):
            syscalls.umount(self._paths.run)
        syscalls.umount("/sys")
        template = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self._registry.enter()
        return template

    def _new_file_systems(self, vnode: VnodePlan, template: int) -> None:
        """A copy of the template with the node's own three over it; /sys shows the network of whoever mounts it."""
        def make() -> int:
            syscalls.setns(template, CLONE_NEWNS)
            syscalls.unshare(CLONE_NEWNS)
            syscalls.mount("sysfs", "/sys", "sysfs", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
            self._bind_own(vnode)
            fd = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            self._registry.enter()
            return fd

        pin_mount_namespace(make, lambda fd: self._registry.pin(vnode.name, "mnt", f"/proc/self/fd/{fd}"))

    def _bind_own(self, vnode: VnodePlan) -> None:
        if not os.path.exists("/etc/hosts"):
            raise HostError("this host has no /etc/hosts for its nodes to have their own in place of")
        syscalls.mount(self._paths.node(vnode.name), "/var/benito", None, MS_BIND)
        syscalls.mount(_HOSTS_INSIDE, "/etc/hosts", None, MS_BIND)

    def _repair(self, vnode: VnodePlan, earlier: VnodePlan | None) -> list[str]:
        changes = self._repair_network(vnode, earlier)
        if not os.path.exists(self._paths.node_hosts(vnode.name)) or (earlier is not None and earlier.aliases != vnode.aliases):
            changes.append(f"{vnode.name}: hosts file written")
            if not self._dry_run:
                self._write_files(vnode)
        return changes + rebind_hosts(self._registry, vnode.name, self._dry_run)

    def _repair_network(self, vnode: VnodePlan, earlier: VnodePlan | None) -> list[str]:
        with self._registry.network(vnode.name):
            devices = netlink.devices()
            addresses, routes = netlink.ipv4_addresses(), netlink.ipv4_gateway_routes()
        gone = [interface for interface in vnode.interfaces if interface.name not in devices]
        changes = [f"{vnode.name}: interface {interface.name} made" for interface in gone]
        if gone and not self._dry_run:
            self._replace_ports(vnode, gone)
            with self._registry.network(vnode.name):
                devices = netlink.devices()
        resized = [interface for interface in vnode.interfaces if interface not in gone and self._port_mtu(interface) != self._mtu[interface.substrate]]
        changes += self._repair_ports(vnode, gone)
        batch = Batch()
        _take_back(batch, vnode, earlier, devices, addresses, routes, changes)
        for interface in vnode.interfaces:
            index, is_up, mtu = devices.get(interface.name, (0, False, 0))
            if interface in resized and mtu != self._mtu[interface.substrate]:  # else what it is inside is the user's
                what = f"{vnode.name}: interface {interface.name} has MTU {self._mtu[interface.substrate]}"
                changes.append(what)
                batch.link(what, {"index": index}, [("IFLA_MTU", self._mtu[interface.substrate])])
            if not is_up or (interface.ip4_address and (index, *_split(interface.ip4_address)) not in addresses):
                changes.append(f"{vnode.name}: interface {interface.name} set up")
                self._configure_interface(batch, vnode, interface, index)
        for route in vnode.routes:
            present = (*_split(route.to), route.via) in routes and not gone
            what = f"{vnode.name}: route to {route.to} via {route.via}"
            if not present:
                changes.append(what)
            if not present or len(batch):  # addresses that go take routes with them
                batch.route(what, *_split(route.to), route.via)
        if len(batch) and not self._dry_run:
            with self._registry.network(vnode.name):
                batch.send()
        return changes

    def _port_mtu(self, interface) -> int:
        return self._live.get(interface.port, {}).get("mtu", 0)

    def _repair_ports(self, vnode: VnodePlan, gone) -> list[str]:
        """The ends on the vhost's side are up, of the planned MTU and on the bridge of their substrate, which may have been made anew."""
        changes, batch = [], Batch()
        for interface in vnode.interfaces:
            port, bridge, mtu = self._live.get(interface.port), self._bridge[interface.substrate], self._mtu[interface.substrate]
            if interface in gone or port is None or (port.get("master") == bridge and "UP" in port["flags"] and port["mtu"] == mtu):
                continue
            changes.append(f"{vnode.name}: port {interface.port} of interface {interface.name} put on {bridge} with MTU {mtu}")
            if not self._dry_run:
                batch.link(changes[-1], {"index": port["ifindex"], "flags": IFF_UP, "change": IFF_UP},
                           [("IFLA_MTU", mtu), ("IFLA_MASTER", self._masters[interface.substrate])])
        if len(batch):
            self._origin.enter("net")
            batch.send()
        return changes

    def _replace_ports(self, vnode: VnodePlan, interfaces) -> None:
        fd = self._registry.descriptors(vnode.name)
        try:
            batch = Batch()
            self._add_ports(batch, vnode, interfaces, fd["net"])
            self._origin.enter("net")
            batch.send()
        finally:
            for number in fd.values():
                os.close(number)


def rebind_hosts(registry: Registry, name: str, dry_run: bool = False) -> list[str]:
    """Bind a node's own hosts file over /etc/hosts unless it is there: a host that renames a new one over its own uncovers it.

    The supervisor does it when that happens and every application of a plan does it, so one of them at a time.
    Returns changes in words. Raises OSError when the node's own file is gone.
    """
    descriptors = registry.descriptors(name)
    try:
        with registry.alone():
            syscalls.setns(descriptors["mnt"], CLONE_NEWNS)
            if os.path.samestat(os.stat("/etc/hosts"), os.stat(_HOSTS_INSIDE)):
                return []
            if not dry_run:
                if syscalls.is_mount_point("/etc/hosts"):
                    syscalls.umount("/etc/hosts")
                syscalls.mount(_HOSTS_INSIDE, "/etc/hosts", None, MS_BIND)
            return [f"{name}: /etc/hosts is the node's own again"]
    finally:
        registry.enter()
        for number in descriptors.values():
            os.close(number)


def _take_back(batch: Batch, vnode, earlier, devices, addresses, routes, changes) -> None:
    """What the last plan gave and this one does not; what others added inside is theirs."""
    if earlier is None:
        return
    kept = {route.to for route in vnode.routes}
    for route in earlier.routes:
        if route.to not in kept and (*_split(route.to), route.via) in routes:
            changes.append(f"{vnode.name}: route to {route.to} taken back")
            batch.delete_route(changes[-1], *_split(route.to))
    now = {(interface.name, interface.ip4_address) for interface in vnode.interfaces}
    for interface in earlier.interfaces:
        index = devices.get(interface.name, (0,))[0]
        if interface.ip4_address and (interface.name, interface.ip4_address) not in now and (index, *_split(interface.ip4_address)) in addresses:
            changes.append(f"{vnode.name}: address {interface.ip4_address} taken back")
            batch.delete_address(changes[-1], index, *_split(interface.ip4_address))


class _Settings:
    """IPv4 settings of a new namespace, some of which it inherits from the machine: say all that matter.

    What is inherited is read in the first namespace, and only what differs is written in the others: with
    every namespace the kernel takes longer to find such a file.
    """

    def __init__(self):
        self._inherited: dict[str, str] | None = None

    def apply(self, vnode: VnodePlan) -> None:
        """In the node's own new namespace."""
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


def _write(path: str, text: str) -> None:
    """Have the file say this; a new file is written plainly, as replacing one waits for the disk."""
    try:
        with open(path, "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        with open(path, encoding="utf-8", errors="replace") as stream:
            if stream.read() == text:
                return
        write_atomically(path, text, 0o644)


def _split(prefix: str) -> tuple[str, int]:
    address, length = prefix.split("/")
    return address, int(length)


def _broadcast(address: str, prefix: int) -> str:
    if prefix > 30:
        return ""
    number = int.from_bytes(socket.inet_aton(address), "big") | ((1 << (32 - prefix)) - 1)
    return socket.inet_ntoa(number.to_bytes(4, "big"))
