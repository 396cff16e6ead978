# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binding: the plan of every vhost, from a partitioned topology and the machines lent for it.

Pure: the same topology, allocation and settings give the same plans, byte for byte.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections import defaultdict
from collections.abc import Iterable

from ...errors import BenitoError, HostError, Problem
from ...hostplan import ControlPlan, ControlReach, HostPlan, InterfacePlan, SubstratePlan, Tunnel, UplinkPlan, VnodePlan
from ...names import CONTROL
from ...topology.model import Topology
from ..addressing.subnets import dotted
from ..kinds import KINDS, QEMU
from ..node_view import NodeView, read_nodes
from ..placement.allocation import Allocation, PoolHost
from ..placement.machines import Machine, Nested, machines
from ..placement.provisioning import Provisioning, Resources
from ..routing.network import Attachment, Network, read_network
from ..routing.routes import Routes
from ..settings import EmbeddingSettings
from .environment import environment_of
from .hosts import Aliases, hosts_entries
from .identifiers import BRIDGE, PORT, TUNNEL, Identifiers, mac_addresses
from .sysctls import vhost_sysctls

MTU = 1500
NOTHING = Provisioning()
VXLAN_OVERHEAD = 50
_LEAST_MTU = 576
_LINK_LOCAL = int(ipaddress.IPv4Address("169.254.1.1"))
_PROBE_ADDRESSES = 254 * 254


def bind(pid: str, eid: str, partitioned: Topology, allocation: Allocation, settings: EmbeddingSettings,
         provisioning: Provisioning = NOTHING, salt: str = "", reach: ControlReach | None = None) -> dict[str, HostPlan]:
    """Return {vhost: its plan}: every machine of the partitioned topology (``embed.embed``) in order, then every nested vhost.

    salt   the experiment's secret, of which the VXLAN identifiers are made
    reach  what nodes may reach by the control network; None for everything

    Raises HostError when a lent machine cannot carry the tunnels. Raises BenitoError when a machine, an image or a control address is
    missing.
    """
    binding = _Binding(pid, eid, partitioned, allocation, settings, provisioning, salt, reach)
    plans = {machine.vhost: binding.plan(machine) for machine in binding.machines}
    return {**plans, **{nested.vhost: binding.nested_plan(nested) for machine in binding.machines for nested in machine.nested}}


def mtu_notes(plans: dict[str, HostPlan]) -> tuple[Problem, ...]:
    """Return one Problem for each substrate whose members have an MTU below 1500 bytes, because the underlay carries less than 1550."""
    small = {substrate.name: substrate.mtu for plan in plans.values() for substrate in plan.substrates if substrate.mtu < MTU}
    hint = f"an underlay of {MTU + VXLAN_OVERHEAD} or more bytes gives {MTU}"
    return tuple(Problem(f"its members see an MTU of {mtu}", element=f"substrate {name}", hint=hint) for name, mtu in small.items())


class _Binding:
    """The values that all plans of one experiment share."""

    def __init__(self, pid: str, eid: str, topology: Topology, allocation: Allocation, settings: EmbeddingSettings, provisioning: Provisioning,
                 salt: str, reach: ControlReach | None):
        self.pid, self.eid, self.settings, self.provisioning, self.control, self.reach = pid, eid, settings, provisioning, allocation.control, reach
        self.identifiers = Identifiers(pid, eid, salt)
        self.nodes = read_nodes(topology)
        self.machines = machines(self.nodes)
        self.lent = _lent(self.machines, allocation)
        self.environment = environment_of(topology)
        self.network = read_network(topology)
        self.routes = Routes(self.network, settings.address_base, settings.control_networks)
        self.hosts, _warnings = hosts_entries(self.network)
        self.aliases = Aliases(self.network, self.hosts) if settings.hosts_mode == "neighbour" else None
        self.macs = mac_addresses(self.identifiers, topology)
        self.taken_macs = set(self.macs.values())
        self.uplinks = {
            (nested.vhost, name): self.identifiers.mac_address(nested.vhost, f"uplink {name}", self.taken_macs)
            for machine in self.machines for nested in machine.nested for name in self._substrates(nested.nodes)
        }
        self.carriers = _carriers(self.machines, self.network)
        self.vnis = self._vnis()
        self.probes = self._probe_addresses()

    def plan(self, machine: Machine) -> HostPlan:
        taken = set(self.lent[machine.vhost].links)
        substrates = tuple(self._substrate(name, machine.vhost, taken) for name in self._substrates(machine.all_nodes))
        nested = {nested.vhost: nested for nested in machine.nested}
        vnodes = tuple(self._vnode(self.nodes[node], machine.vhost, taken, nested.get(node)) for node in machine.nodes)
        vnodes += tuple(self._hidden(nested[name], machine.vhost, taken) for name in machine.hidden)
        tunnels = any(substrate.tunnel for substrate in substrates)
        images = {vnode.image: self.provisioning.image(vnode.name) for vnode in vnodes if vnode.image}
        with_system = bool(images)
        return HostPlan(
            pid=self.pid,
            eid=self.eid,
            vhost=machine.vhost,
            substrates=substrates,
            vnodes=vnodes,
            hosts=self.hosts,
            underlay_mtu=self.lent[machine.vhost].underlay_mtu if tunnels else 0,
            sysctls=self._sysctls(machine, vnodes),
            images=tuple(images.values()),
            users=self.provisioning.users if with_system else (),
            root_keys=self.provisioning.root_keys if with_system else (),
            acceleration=self.settings.acceleration,
            boot_limit_s=self.settings.boot_limit_s,
            qemu_start=self.settings.qemu_start,
            template_cache_mb=self.settings.template_cache_mb,
            control_reach=self.reach if any(vnode.control for vnode in vnodes) else None,
        )

    def nested_plan(self, nested: Nested) -> HostPlan:
        """Return the plan of a virtual machine for the processes inside it. A network card joins each of its bridges to the pnode's."""
        taken: set[str] = set()
        substrates = tuple(
            SubstratePlan(name, self.identifiers.device(BRIDGE, (name,), taken), self._mtu_of(name), uplink=self.uplinks[nested.vhost, name])
            for name in self._substrates(nested.nodes)
        )
        vnodes = tuple(self._vnode(self.nodes[node], nested.vhost, taken) for node in nested.nodes)
        ports = [attachment for node in nested.nodes for attachment in self.network.nodes[node]]
        neighbours = sum(len(self.network.substrates[port.substrate]) - 1 for port in ports)
        sysctls = vhost_sysctls(len(nested.nodes), len(ports), neighbours)
        return HostPlan(pid=self.pid, eid=self.eid, vhost=nested.vhost, substrates=substrates, vnodes=vnodes, hosts=self.hosts, sysctls=sysctls)

    def _substrates(self, nodes: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(attachment.substrate for node in nodes for attachment in self.network.nodes[node]))

    def _substrate(self, name: str, vhost: str, taken: set[str]) -> SubstratePlan:
        bridge = self.identifiers.device(BRIDGE, (name,), taken)
        peers = [peer for peer in self.carriers[name] if peer != vhost]
        if not peers:
            return SubstratePlan(name, bridge, MTU)
        tunnel = Tunnel(
            mode=self.settings.vxlan_mode,
            vni=self.vnis[name],
            device=self.identifiers.device(TUNNEL, (name,), taken),
            local=self.lent[vhost].underlay_address,
            remotes=tuple(sorted((self.lent[peer].underlay_address for peer in peers), key=ipaddress.IPv4Address)),
            group=self._group(name) if self.settings.vxlan_mode == "multicast" else "",
            port=self.settings.vxlan_port,
        )
        address = self.probes.get((name, vhost), "")
        probes = {peer: self.probes[name, peer] for peer in peers if address and (name, peer) in self.probes}
        return SubstratePlan(name, bridge, self._mtu(name), tunnel, address, probes)

    def _vnode(self, node: NodeView, vhost: str, taken: set[str], nested: Nested | None = None) -> VnodePlan:
        attachments = self.network.nodes[node.name]
        return VnodePlan(
            name=node.name,
            kind=node.kind,
            hostname=node.name,
            interfaces=tuple(self._interface(attachment, taken) for attachment in attachments),
            routes=self.routes.of(node.name),
            forwarding=len(attachments) > 1,
            aliases=self.aliases.of(node.name) if self.aliases else {},
            start_command=node.start_command,
            environment=dict(self.environment),
            ghost=node.ghost,
            **(self._system(node.name, vhost, taken, nested) if KINDS[node.kind].login else {}),
        )

    def _hidden(self, nested: Nested, vhost: str, taken: set[str]) -> VnodePlan:
        return VnodePlan(nested.vhost, QEMU, nested.vhost, **self._system(nested.vhost, vhost, taken, nested))

    def _system(self, node: str, vhost: str, taken: set[str], nested: Nested | None) -> dict:
        """Return the VnodePlan fields that only a node with a system of its own has."""
        resources = self.provisioning.resources.get(node, Resources())
        uplinks = tuple(
            UplinkPlan(self.identifiers.device(PORT, (node, f"uplink {name}"), taken), name, self.uplinks[node, name])
            for name in (self._substrates(nested.nodes) if nested else ())
        )
        return {
            "control": self._control(node, vhost, taken), "uplinks": uplinks, "image": self.provisioning.image(node).digest,
            "memory_mb": resources.memory_mb, "cpus": resources.cpus, "disk_mb": resources.disk_mb, "cpu_model": resources.cpu_model,
        }

    def _control(self, node: str, vhost: str, taken: set[str]) -> ControlPlan:
        if node not in self.control:
            raise BenitoError(f"node {node} has no address on the control network")
        port = self.identifiers.device(PORT, (node, CONTROL), taken)
        mac_address = self.identifiers.mac_address(node, CONTROL, self.taken_macs)
        return ControlPlan(port, mac_address, self.control[node], self.lent[vhost].control_gateway)

    def _mtu_of(self, substrate: str) -> int:
        return self._mtu(substrate) if len(self.carriers[substrate]) > 1 else MTU

    def _interface(self, attachment: Attachment, taken: set[str]) -> InterfacePlan:
        key = (attachment.node, attachment.interface)
        address = "" if attachment.address is None else f"{dotted(attachment.address)}/{attachment.prefix_length}"
        return InterfacePlan(attachment.interface, self.identifiers.device(PORT, key, taken), attachment.substrate, self.macs[key], address)

    def _mtu(self, substrate: str) -> int:
        """Return the MTU of a substrate's members in bytes, the same for all of them (design §5.5). It is 1500 if every underlay permits that.

        Otherwise it is what the smallest underlay permits. Raises HostError when that is too small, or an underlay address is unknown.
        """
        unknown = sorted({self.lent[vhost].name for vhost in self.carriers[substrate] if not self.lent[vhost].underlay_address})
        if unknown:
            raise HostError(f"substrate {substrate} has members on several machines, but the pool does not say where {' and '.join(unknown)} "
                            "can be reached on the experiment network: set benito_experiment_address or benito_experiment_interface for each")
        least = min(self.carriers[substrate], key=lambda vhost: self.lent[vhost].underlay_mtu)
        mtu = min(MTU, self.lent[least].underlay_mtu - VXLAN_OVERHEAD)
        if mtu < _LEAST_MTU:
            host = self.lent[least]
            needed = _LEAST_MTU + VXLAN_OVERHEAD
            raise HostError(f"{host.name}: the MTU {host.underlay_mtu} of {host.underlay_device} is too small for tunnels, which need {needed}")
        return mtu

    def _probe_addresses(self) -> dict[tuple[str, str], str]:
        """Return {(substrate, vhost): address} of the substrates with tunnels.

        All addresses differ, because a vhost probes all its substrates from one namespace. When no address is left, the remaining pairs are
        not probed.
        """
        tunnelled = (name for name in self.network.substrates if len(self.carriers.get(name, ())) > 1)
        pairs = ((name, vhost) for name in tunnelled for vhost in self.carriers[name])
        return {pair: _probe_address(number) for number, pair in enumerate(itertools.islice(pairs, _PROBE_ADDRESSES))}

    def _vnis(self) -> dict[str, int]:
        taken = {vni for host in self.lent.values() for vni in host.vnis}
        return {name: self.identifiers.vni(name, taken) for name, vhosts in self.carriers.items() if len(vhosts) > 1}

    def _group(self, substrate: str) -> str:
        base = int(ipaddress.IPv4Address(self.settings.multicast_group_base))
        return dotted(base + self.vnis[substrate] % (1 << 16))

    def _sysctls(self, machine: Machine, vnodes: Iterable[VnodePlan]) -> dict[str, int]:
        ports = [attachment for node in machine.all_nodes for attachment in self.network.nodes[node]]
        neighbours = sum(len(self.network.substrates[port.substrate]) - 1 for port in ports)
        containers = [vnode for vnode in vnodes if vnode.kind == "openvz"]
        return vhost_sysctls(len(machine.nodes), len(ports), neighbours, len(containers))


def _lent(carrying: tuple[Machine, ...], allocation: Allocation) -> dict[str, PoolHost]:
    missing = [machine.vhost for machine in carrying if machine.vhost not in allocation.hosts]
    if missing:
        raise BenitoError(f"no machine is allocated for {', '.join(missing)}")
    return {machine.vhost: allocation.hosts[machine.vhost] for machine in carrying}


def _carriers(carrying: tuple[Machine, ...], network: Network) -> dict[str, list[str]]:
    """Return {substrate: the vhosts that have members of it, in order}."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for machine in carrying:
        for node in machine.all_nodes:
            for attachment in network.nodes[node]:
                found[attachment.substrate][machine.vhost] = None
    return {name: list(vhosts) for name, vhosts in found.items()}


def _probe_address(number: int) -> str:
    """Return the link-local address with index ``number``, from 169.254.1.1 to 169.254.254.254. No last octet is 0 or 255."""
    high, low = divmod(number, 254)
    return dotted(_LINK_LOCAL + (high << 8) + low)
