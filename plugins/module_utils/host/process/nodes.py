# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process nodes: a network stack, a host name, a /var/benito and an /etc/hosts of their own. The rest is the host's.

Nothing runs for a node here: its namespaces are made and pinned. What is live is compared with what is planned, so building, running again,
repairing and coming back after a reboot are the same code.
"""

from __future__ import annotations

import os
import socket

from ...hostplan import HostPlan, InterfacePlan, VnodePlan, ports_of
from ..base import cgroups, syscalls
from ..base.child import in_a_child
from ..base.namespaces import Home, Registry, home
from ..base.paths import ExperimentPaths, read_json
from ..base.syscalls import CLONE_NEWNET, CLONE_NEWUTS
from ..net import netlink
from ..net.netlink import Batch
from ..net.ports import Medium, Peer, Port, Ports, media, remove_ports
from ..start_commands.start_command import forget
from .files import NodeFiles, make_file_systems, open_template, rebind_hosts
from .network import Repair, Settings, configure

_AT_A_TIME = 250  # nodes; bounds the open descriptors


def apply_processes(plan: HostPlan, paths: ExperimentPaths, before: HostPlan | None, dry_run: bool = False) -> list[str]:
    """Make this host's process nodes as planned; remove those that are not planned any more.

    before  the plan that was applied last, so that its addresses and routes can be taken back
    Return what was (or with ``dry_run`` would be) changed, as text. Raises HostError.
    """
    wanted = {vnode.name: vnode for vnode in plan.vnodes if vnode.kind == "process" and not vnode.ghost}
    earlier = {vnode.name: vnode for vnode in before.vnodes} if before else {}
    with home() as origin:
        registry = Registry(paths)
        if not registry.open(origin, create=bool(wanted) and not dry_run):
            return [f"process node {name}: made" for name in wanted]
        try:
            return _Builder(plan, paths, origin, registry, dry_run).run(wanted, earlier)
        finally:
            registry.close()


class _Builder:
    """One application of a plan to the nodes of one registry."""

    def __init__(self, plan: HostPlan, paths: ExperimentPaths, origin: Home, registry: Registry, dry_run: bool):
        self._plan, self._paths, self._origin, self._registry, self._dry_run = plan, paths, origin, registry, dry_run
        self._files, self._settings = NodeFiles(plan, paths), Settings()
        self._live = netlink.links()

    def run(self, wanted: dict[str, VnodePlan], earlier: dict[str, VnodePlan]) -> list[str]:
        present = self._registry.nodes()
        changes = self._remove(sorted((present | self._registry.partial()) - (set(wanted) & present)))
        planned = {port for vnode in self._plan.vnodes for port in ports_of(vnode)}  # of whatever kind the node is
        changes += remove_ports(self._paths, but=planned, dry_run=self._dry_run, live=self._live)
        on = media(self._plan, self._live)
        self._ports_of = {name: ports_by_interface(vnode, on) for name, vnode in wanted.items()}
        self._ports = Ports(self._paths, [port for ports in self._ports_of.values() for port in ports.values()], self._live)
        missing = [vnode for name, vnode in wanted.items() if name not in present]
        changes += [f"process node {vnode.name}: made" for vnode in missing]
        if not self._dry_run:
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

    def _make_all(self, vnodes: list[VnodePlan]) -> None:
        """Make nodes. A child process writes their files meanwhile: the disk and the kernel's network do not wait for each other."""
        with in_a_child(lambda: self._write_all_files(vnodes)) as files_written:
            for start in range(0, len(vnodes), _AT_A_TIME):
                networks: dict[str, int] = {}
                some = vnodes[start:start + _AT_A_TIME]
                try:
                    self._make_networks(some, networks)
                    files_written()
                    self._make_insides(some, networks)
                finally:
                    self._origin.enter("net", "uts")
                    for fd in networks.values():
                        os.close(fd)

    def _write_all_files(self, vnodes: list[VnodePlan]) -> None:
        for vnode in vnodes:
            self._files.write(vnode)
            forget(self._paths, vnode.name)

    def _make_networks(self, vnodes: list[VnodePlan], networks: dict[str, int]) -> None:
        for vnode in vnodes:
            networks[vnode.name] = self._new_network(vnode)
        self._origin.enter("net", "uts")
        batch = Batch()
        for vnode in vnodes:
            for port in self._ports_of[vnode.name].values():
                self._ports.make(batch, port, networks[vnode.name])
        batch.send()

    def _new_network(self, vnode: VnodePlan) -> int:
        syscalls.unshare(CLONE_NEWNET | CLONE_NEWUTS)
        socket.sethostname(vnode.hostname)
        self._settings.apply(vnode)
        for kind in ("net", "uts"):
            self._registry.pin(vnode.name, kind, f"/proc/self/ns/{kind}")
        return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def _make_insides(self, vnodes: list[VnodePlan], networks: dict[str, int]) -> None:
        template = open_template(self._paths, self._origin, self._registry)
        for vnode in vnodes:
            syscalls.setns(networks[vnode.name], CLONE_NEWNET)
            configure(vnode)
            make_file_systems(self._paths, self._registry, vnode, template)
        os.close(template)

    def _repair(self, vnode: VnodePlan, earlier: VnodePlan | None) -> list[str]:
        changes = self._repair_network(vnode, earlier)
        if not os.path.exists(self._paths.node_hosts(vnode.name)) or (earlier is not None and earlier.aliases != vnode.aliases):
            changes.append(f"{vnode.name}: hosts file written")
            if not self._dry_run:
                self._files.write(vnode)
        return changes + rebind_hosts(self._registry, vnode.name, self._dry_run)

    def _repair_network(self, vnode: VnodePlan, earlier: VnodePlan | None) -> list[str]:
        with self._registry.network(vnode.name):
            repair = Repair(vnode)
        gone = {interface.name for interface in repair.gone}
        changes = [f"{vnode.name}: interface {interface.name} made" for interface in repair.gone]
        resized = {interface.name: mtu for interface, mtu in self._resized(vnode) if interface.name not in gone}
        changes += self._repair_ports(vnode, gone)
        if gone:
            with self._registry.network(vnode.name):
                repair.look_again()
        batch = Batch()
        changes += repair.queue(batch, earlier, gone, resized)
        if len(batch) and not self._dry_run:
            with self._registry.network(vnode.name):
                batch.send()
        return changes

    def _resized(self, vnode: VnodePlan) -> list[tuple[InterfacePlan, int]]:
        """Return the interfaces whose ports do not have the planned MTU, with that MTU."""
        found = []
        for interface in vnode.interfaces:
            port = self._ports_of[vnode.name][interface.name]
            link = self._ports.live(port)
            if not link or link.mtu != port.medium.mtu:
                found.append((interface, port.medium.mtu))
        return found

    def _repair_ports(self, vnode: VnodePlan, gone: set[str]) -> list[str]:
        """Make the ports of interfaces that are gone, and repair the others."""
        batch, ports = Batch(), self._ports_of[vnode.name]
        repaired = self._ports.repair(batch, [port for name, port in ports.items() if name not in gone], self._dry_run)
        if self._dry_run or not (gone or len(batch)):
            return [change for changes in repaired.values() for change in changes]
        descriptors = self._registry.descriptors(vnode.name)
        try:
            for name in sorted(gone):
                self._ports.make(batch, ports[name], descriptors["net"])
            self._origin.enter("net")
            batch.send()
        finally:
            for number in descriptors.values():
                os.close(number)
        return [change for changes in repaired.values() for change in changes]


def ports_by_interface(vnode: VnodePlan, on: dict[str, Medium]) -> dict[str, Port]:
    """Return {interface: port} of a node.

    on  {name: medium} of this host
    """
    return {interface.name: Port(interface.port, vnode.name, interface.name, on[interface.substrate], Peer(interface.name, interface.mac_address))
            for interface in vnode.interfaces}
