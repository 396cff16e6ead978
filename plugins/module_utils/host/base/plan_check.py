# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checking a plan before it is applied: its names become paths, devices and rules here, so each is checked."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

from ...errors import HostError
from ...hostplan import CONTROL_SCOPES, ControlReach, HostPlan, ImagePlan, SubstratePlan, UserPlan, VnodePlan, ports_of
from ...names import CONTROL, is_interface_name, is_node_name, is_project_name

_DEVICE = re.compile(r"b[bvx][a-z0-9]{1,13}")
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
_HOST_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_SYSCTL = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CPU_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,=+-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\0\n\r]*)?")
_ARCHITECTURE = re.compile(r"[a-z0-9_]{1,16}")
_KINDS = ("process", "openvz", "qemu", "embedded_pnode")
_SHOWN = 5


def check_plan(plan: HostPlan, source: str) -> None:
    """Check a plan. Raises HostError that lists the first few faults."""
    wrong = list(_wrong(plan))
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise HostError(f"{source}: {'; '.join(wrong[:_SHOWN])}{more}")


def _wrong(plan: HostPlan) -> Iterator[str]:
    for what, name in (("pid", plan.pid), ("eid", plan.eid)):
        if not is_project_name(name):
            yield f"{what} {name!r} is not a valid name"
    yield from (f"sysctl {name!r} is not a valid name" for name in plan.sysctls if not _SYSCTL.fullmatch(name))
    for entry in plan.hosts:
        if not _is_address(entry.address) or not all(map(_HOST_NAME.fullmatch, entry.names)):
            yield f"hosts entry {entry.address!r} {' '.join(entry.names)!r} is not a valid line of a hosts file"
    for substrate in plan.substrates:
        yield from (f"substrate {substrate.name!r}: {what}" for what in _wrong_substrate(substrate))
    for image in plan.images:
        yield from (f"image {image.name!r}: {what}" for what in _wrong_image(image))
    for user in plan.users:
        yield from (f"user {user.name!r}: {what}" for what in _wrong_user(user))
    yield from (f"root key {key!r} is not a public key" for key in plan.root_keys if not _KEY.fullmatch(key))
    if plan.acceleration not in ("auto", "kvm", "tcg"):
        yield f"acceleration {plan.acceleration!r} is neither auto, kvm nor tcg"
    if plan.qemu_start not in ("auto", "warm", "cold"):
        yield f"qemu_start {plan.qemu_start!r} is neither auto, warm nor cold"
    if plan.control_reach:
        yield from (f"control_reach: {what}" for what in _wrong_reach(plan.control_reach))
    known, addresses = {substrate.name for substrate in plan.substrates}, {entry.address for entry in plan.hosts}
    images = {image.digest for image in plan.images}
    for vnode in plan.vnodes:
        yield from (f"node {vnode.name!r}: {what}" for what in (*_wrong_vnode(vnode, known, addresses), *_wrong_machine(vnode, known, images)))
    if len(plan.vnodes) > 1:
        yield from (f"node {vnode.name!r}: is this machine itself, so no other node can be on it" for vnode in plan.vnodes if vnode.kind == "embedded_pnode")
    yield from _twice("substrate", [substrate.name for substrate in plan.substrates])
    yield from _twice("node", [vnode.name for vnode in plan.vnodes])
    tunnels = [substrate.tunnel.device for substrate in plan.substrates if substrate.tunnel]
    ports = [port for vnode in plan.vnodes for port in ports_of(vnode)]
    yield from _twice("device", [*(substrate.bridge for substrate in plan.substrates), *tunnels, *ports])


def _wrong_substrate(substrate: SubstratePlan) -> Iterator[str]:
    if not is_node_name(substrate.name):
        yield "its name is not valid"
    if not _DEVICE.fullmatch(substrate.bridge):
        yield f"bridge {substrate.bridge!r} is not a valid device name"
    if not 68 <= substrate.mtu <= 65535:
        yield f"MTU {substrate.mtu} is not valid"
    if substrate.uplink and not _MAC.fullmatch(substrate.uplink):
        yield f"uplink {substrate.uplink!r} is not a MAC address"
    probed = [substrate.probe_address, *substrate.probe_peers.values()]
    yield from (f"probe address {address!r} is not an IPv4 address" for address in probed if address and not _is_address(address))
    tunnel = substrate.tunnel
    if tunnel is None:
        return
    if tunnel.mode not in ("unicast", "multicast"):
        yield f"tunnel mode {tunnel.mode!r} is neither unicast nor multicast"
    if not _DEVICE.fullmatch(tunnel.device):
        yield f"tunnel {tunnel.device!r} is not a valid device name"
    if not 0 < tunnel.vni < 1 << 24 or not 0 < tunnel.port < 1 << 16:
        yield f"network identifier {tunnel.vni} or port {tunnel.port} is not valid"
    ends = [tunnel.local, *tunnel.remotes] + ([tunnel.group] if tunnel.mode == "multicast" else [])
    yield from (f"tunnel end {address!r} is not an IPv4 address" for address in ends if not _is_address(address))


def _wrong_reach(reach: ControlReach) -> Iterator[str]:
    if reach.scope not in CONTROL_SCOPES:
        yield f"scope {reach.scope!r} is neither experiment, project nor all"
    yield from (f"peer {peer!r} is not an IPv4 address or prefix" for peer in reach.peers if not _is_address(peer) and not _is_prefix(peer))
    yield from (f"barred address {address!r} is not an IPv4 address" for address in reach.barred if not _is_address(address))
    for service in reach.services:
        if service.protocol not in ("tcp", "udp") or not 0 < service.port < 1 << 16:
            yield f"{service.protocol} port {service.port} is not a service"


def _wrong_image(image: ImagePlan) -> Iterator[str]:
    if not _DIGEST.fullmatch(image.digest) or not _ARCHITECTURE.fullmatch(image.architecture):
        yield f"its digest {image.digest!r} or its architecture {image.architecture!r} is not valid"
    if (image.form, image.disk_format) not in (("root", ""), ("disk", "raw"), ("disk", "qcow2")):
        yield f"its form {image.form!r} {image.disk_format!r} is neither root, disk raw nor disk qcow2"


def _wrong_user(user: UserPlan) -> Iterator[str]:
    if not _USER.fullmatch(user.name) or user.name == "root":
        yield "its name is not valid: use small letters, digits, '_' and '-'; not root"
    yield from (f"key {key!r} is not a public key" for key in user.authorized_keys if not _KEY.fullmatch(key))


def _wrong_machine(vnode: VnodePlan, substrates: set[str], images: set[str]) -> Iterator[str]:
    """Yield the faults of the fields of nodes that have a system of their own."""
    if vnode.kind not in _KINDS:
        yield f"kind {vnode.kind!r} is unknown to this benito-host"
    if vnode.kind in ("openvz", "qemu") and vnode.image not in images:
        yield f"there is no image {vnode.image!r}"
    if min(vnode.memory_mb, vnode.cpus, vnode.disk_mb) < 0:
        yield "its memory, processors or disk are negative"
    if vnode.cpu_model and not _CPU_MODEL.fullmatch(vnode.cpu_model):
        yield f"its processor model {vnode.cpu_model!r} is not valid"
    for uplink in vnode.uplinks:
        if uplink.substrate not in substrates or not _DEVICE.fullmatch(uplink.port) or not _MAC.fullmatch(uplink.mac_address):
            yield f"its uplink {uplink.port!r} to {uplink.substrate!r} with MAC address {uplink.mac_address!r} is not valid"
    control = vnode.control
    if control is None:
        return
    if not _DEVICE.fullmatch(control.port) or not _MAC.fullmatch(control.mac_address) or not _is_prefix(control.ip4_address):
        yield f"its control interface {control.port!r} with {control.mac_address!r} and {control.ip4_address!r} is not valid"
    if control.interface != CONTROL and not is_interface_name(control.interface):
        yield f"the name of its control interface, {control.interface!r}, is not valid"
    if control.gateway and not _is_address(control.gateway):
        yield f"its gateway {control.gateway!r} is not an IPv4 address"


def _wrong_vnode(vnode: VnodePlan, substrates: set[str], addresses: set[str]) -> Iterator[str]:
    if not is_node_name(vnode.name) or not is_node_name(vnode.hostname):
        yield f"its name or its host name {vnode.hostname!r} is not valid"
    for interface in vnode.interfaces:
        if not is_interface_name(interface.name) or not _DEVICE.fullmatch(interface.port) or not _MAC.fullmatch(interface.mac_address):
            yield f"interface {interface.name!r}: its name, its port {interface.port!r} or its MAC address {interface.mac_address!r} is not valid"
        if interface.substrate not in substrates:
            yield f"interface {interface.name!r}: there is no substrate {interface.substrate!r}"
        if interface.ip4_address and not _is_prefix(interface.ip4_address):
            yield f"interface {interface.name!r}: {interface.ip4_address!r} is not an IPv4 address with a prefix length"
    yield from _twice("interface", [interface.name for interface in vnode.interfaces])
    for route in vnode.routes:
        if not _is_prefix(route.to) or not _is_address(route.via):
            yield f"the route to {route.to!r} via {route.via!r} is invalid"
    yield from (f"alias {name!r}: no host has the address {address!r}" for name, address in vnode.aliases.items()
                if address not in addresses or not _HOST_NAME.fullmatch(name))
    if "\0" in vnode.start_command:
        yield "its start command contains a null byte"
    yield from (f"variable {name!r} is not valid" for name, value in vnode.environment.items() if not _VARIABLE.fullmatch(name) or "\0" in value)


def _twice(what: str, names: list[str]) -> Iterator[str]:
    if len(set(names)) < len(names):
        yield from (f"{what} {name!r} occurs twice" for name in sorted({name for name in names if names.count(name) > 1}))


def _is_address(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET, text)
        return True
    except (OSError, ValueError):
        return False


def _is_prefix(text: str) -> bool:
    address, slash, length = text.partition("/")
    return bool(slash) and _is_address(address) and length.isascii() and length.isdigit() and len(length) < 3 and int(length) <= 32
