# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract between the two halves: the plan of a vhost, and its JSON.

The controller writes one HostPlan for each vhost. ``benito-host`` brings the vhost into the state that it describes.
Both halves read and write it through this file alone. docs/hostplan.md documents it for people.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Optional

from .errors import HostError
from .names import CONTROL

_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can hold a lone surrogate, a file cannot
PLAN_VERSION = 3
VXLAN_PORT = 4789
EXPERIMENT, PROJECT, EVERYTHING = CONTROL_SCOPES = ("experiment", "project", "all")
"""How far nodes reach by the control network, see ControlReach."""
HOST_KEY = "ssh_host_ed25519_key"
HOST_KEY_FILES = (HOST_KEY, f"{HOST_KEY}.pub")
"""The private and the public half of a node's SSH host key: its secrets, and files of its /etc/ssh."""
QEMU_MB = 160
"""What a QEMU takes beside its guest's memory, MiB. Under TCG, whose translation buffer has 64 (host/qemu/command.py), a QEMU 7.2
takes 122 to 132 (PSS, guests of 256 and 512 MiB, one and two processors); the rest is for network cards and the tables of large disks."""


@dataclass(frozen=True)
class Tunnel:
    """The tunnel of a substrate to its members on other vhosts, one VXLAN device.

    mode     ``unicast`` (a flood entry for each remote) or ``multicast`` (one group)
    vni      24-bit network identifier, 1..16777215
    device   kernel name of the VXLAN device
    local    underlay address of this vhost
    remotes  underlay addresses of the other vhosts of this substrate, sorted
    group    multicast group for mode multicast, else ""
    """

    mode: str
    vni: int
    device: str
    local: str
    remotes: tuple[str, ...]
    group: str = ""
    port: int = VXLAN_PORT


@dataclass(frozen=True)
class SubstratePlan:
    """One substrate on this vhost: a bridge, and a tunnel if the substrate has members on other vhosts.

    mtu           bytes of IP packet that every member may send
    probe_address link-local IPv4 of this vhost on this substrate while tunnels are probed, "" if it is not probed
    probe_peers   the same of the substrate's other vhosts, as {vhost: address}; no two (substrate, vhost) have the same
    uplink        on a vhost that is a vnode itself: MAC address of its network card that joins the bridge, "" elsewhere
    """

    name: str
    bridge: str
    mtu: int
    tunnel: Optional[Tunnel] = None
    probe_address: str = ""
    probe_peers: dict[str, str] = field(default_factory=dict)
    uplink: str = ""


@dataclass(frozen=True)
class InterfacePlan:
    """An attachment: ``name`` inside the node, ``port`` the device on the vhost's side.

    ip4_address  "10.0.0.1/24", or "" for an interface without an address
    """

    name: str
    port: str
    substrate: str
    mac_address: str
    ip4_address: str = ""


@dataclass(frozen=True)
class RoutePlan:
    """A route. ``to`` is a prefix, ``via`` a neighbour's address on one of the node's own subnets."""

    to: str
    via: str


@dataclass(frozen=True)
class ControlPlan:
    """A node's interface to the control network.

    port         device on the vhost's side, on the bridge ``control0``
    ip4_address  "172.29.228.70/22"
    gateway      "" for none
    interface    its name inside the node; another one in a pnode, which has a bridge called ``control0`` when it is a vhost
    """

    port: str
    mac_address: str
    ip4_address: str
    gateway: str = ""
    interface: str = CONTROL


@dataclass(frozen=True)
class UplinkPlan:
    """A network card of a virtual machine that carries processes. It joins the substrate's bridge inside to the bridge on the vhost."""

    port: str
    substrate: str
    mac_address: str


@dataclass(frozen=True)
class VnodePlan:
    """A node carried here.

    kind            ``process``, ``openvz``, ``qemu`` or ``embedded_pnode`` (then this vhost is the node itself)
    forwarding      whether it forwards IPv4: it has two or more interfaces
    aliases         bare names that mean another address here than in ``HostPlan.hosts``, {name: address}
    start_command   text for ``/bin/sh -c``, "" for none
    environment     variables of the start command beside those benito-host always sets
    control         openvz and qemu: its interface to the control network
    uplinks         qemu: further network cards, for the processes that it carries
    image           openvz and qemu: the ``digest`` of one of ``HostPlan.images``
    memory_mb       openvz and qemu: most memory, MiB; 0 for no limit
    cpus            openvz and qemu: processors; 0 for no limit
    disk_mb         openvz and qemu: size of its disk, MiB; 0 for that of the image
    cpu_model       qemu: QEMU's name of its processor; "" or "max" for the widest
    ghost           planned and reserved, never started
    """

    name: str
    kind: str
    hostname: str
    interfaces: tuple[InterfacePlan, ...] = ()
    routes: tuple[RoutePlan, ...] = ()
    forwarding: bool = False
    aliases: dict[str, str] = field(default_factory=dict)
    start_command: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    control: Optional[ControlPlan] = None
    uplinks: tuple[UplinkPlan, ...] = ()
    image: str = ""
    memory_mb: int = 0
    cpus: int = 0
    disk_mb: int = 0
    cpu_model: str = ""
    ghost: bool = False


def ports_of(vnode: VnodePlan) -> list[str]:
    """Return every device of a node on the vhost's side."""
    ports = [interface.port for interface in vnode.interfaces] + [uplink.port for uplink in vnode.uplinks]
    return [*ports, vnode.control.port] if vnode.control else ports


@dataclass(frozen=True)
class ImagePlan:
    """An image of virtual machines or containers, kept on the vhost as ``/var/cache/benito/images/<digest>/``.

    digest        hexadecimal, of the content or of the recipe
    name          its name in the catalogue, for people
    form          ``root``: a directory tree ``root.tar.zst`` (openvz); ``disk``: a disk image ``disk`` (qemu)
    disk_format   ``qcow2`` or ``raw``, of form ``disk``
    architecture  as QEMU names it: x86_64, i386, aarch64
    kernel        QEMU boots the files ``kernel`` and ``initrd`` beside the disk, instead of a kernel on the disk
    cloud_init    the node gets its identity by cloud-init NoCloud; else by the unit of our own images
    """

    digest: str
    name: str
    form: str
    disk_format: str = ""
    architecture: str = "x86_64"
    kernel: bool = False
    cloud_init: bool = False


@dataclass(frozen=True)
class UserPlan:
    """An account on openvz and qemu nodes. It may run everything by sudo."""

    name: str
    authorized_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServicePlan:
    """A service of the vhost that its nodes may use by the control network. ``protocol`` is ``tcp`` or ``udp``."""

    protocol: str
    port: int


@dataclass(frozen=True)
class ControlReach:
    """What the nodes of this vhost may reach by the control network.

    scope     one of CONTROL_SCOPES, as the setting ``control_reach``
    peers     IPv4 addresses and prefixes within the control network that they may reach, beside the gateway and the resolvers
    barred    IPv4 addresses outside of it that they may not reach: those of the pool's machines on the experiment network
    services  of the vhost itself
    """

    scope: str
    peers: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    services: tuple[ServicePlan, ...] = ()


@dataclass(frozen=True)
class HostsEntry:
    """A line of the hosts file: the address and its names. The bare node name is the last of them, if it means this address."""

    address: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class HostPlan:
    """The plan of one vhost for one experiment.

    underlay_mtu  bytes, of the device that carries the tunnels; 0 when there is no tunnel
    sysctls       values this experiment needs at least, {name: integer}: the machine keeps the larger
    images        every image that a node here is made of
    users         accounts on openvz and qemu nodes; the first one runs start commands there
    root_keys     SSH public keys that may log in as root on openvz and qemu nodes
    acceleration  of QEMU: ``auto`` (chosen by a probe), ``kvm`` or ``tcg``
    boot_limit_s  seconds that a virtual machine or container may take to boot before that is an error
    qemu_start    ``auto`` (a clone of a warm template if possible), ``warm`` (or an error) or ``cold``
    template_cache_mb  MiB that the warm templates of a vhost may take
    control_reach  of its openvz and qemu nodes; None where nothing filters them
    """

    pid: str
    eid: str
    vhost: str
    substrates: tuple[SubstratePlan, ...] = ()
    vnodes: tuple[VnodePlan, ...] = ()
    hosts: tuple[HostsEntry, ...] = ()
    underlay_mtu: int = 0
    sysctls: dict[str, int] = field(default_factory=dict)
    images: tuple[ImagePlan, ...] = ()
    users: tuple[UserPlan, ...] = ()
    root_keys: tuple[str, ...] = ()
    acceleration: str = "auto"
    boot_limit_s: int = 600
    qemu_start: str = "auto"
    template_cache_mb: int = 4096
    control_reach: Optional[ControlReach] = None
    version: int = PLAN_VERSION

    @property
    def experiment(self) -> str:
        """Return ``pid.eid``, the experiment's name in paths, units and marks."""
        return f"{self.pid}.{self.eid}"


def to_json(plan: HostPlan) -> str:
    """Return the plan as JSON: one line per vnode, keys in field order with hosts and vnodes last, without empty fields and defaults."""
    head = _plain(dataclasses.replace(plan, vnodes=(), hosts=()))
    head = {"version": head.pop("version", PLAN_VERSION), **head}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    if plan.hosts:
        lines.append(f' "hosts": {_hosts_json(plan.hosts)}')
    vnodes = ",\n  ".join(json.dumps(_plain(vnode)) for vnode in plan.vnodes)
    lines.append(f' "vnodes": [{vnodes}]' if len(plan.vnodes) < 2 else f' "vnodes": [\n  {vnodes}]')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def from_json(text: str, source: str = "host plan") -> HostPlan:
    """Read the JSON of ``to_json``.

    Raises HostError when it is not JSON, has another version, or has wrong or missing fields.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise HostError(f"{source}: not a host plan: {exc}") from exc
    found = data.get("version") if isinstance(data, dict) else None
    if found != PLAN_VERSION:
        raise HostError(f"{source}: host plan of version {found}, but this benito-host reads version {PLAN_VERSION}: swap in again")
    return _build(HostPlan, data, source)


@lru_cache(maxsize=1)
def _hosts_json(hosts: tuple[HostsEntry, ...]) -> str:
    """Return the JSON of a plan's hosts. It is cached, because all plans of an experiment have the same hosts."""
    return json.dumps(_plain(hosts))


@cache
def _defaults(kind: type) -> dict[str, typing.Any]:
    """Return {field: default}. Required fields and those with a factory have MISSING, which equals no value."""
    return {f.name: f.default for f in dataclasses.fields(kind)}


def _plain(value: typing.Any) -> typing.Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((name, getattr(value, name), default) for name, default in _defaults(type(value)).items())
        return {name: _plain(item) for name, item, default in pairs if item not in ("", (), None, default) and item != {}}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


_HINTS: dict[type, dict] = {}
_Plan = typing.TypeVar("_Plan")


def _build(kind: type[_Plan], data: object, source: str) -> _Plan:
    if not isinstance(data, dict):
        raise HostError(f"{source}: expected an object for {kind.__name__}, found {type(data).__name__}")
    if kind not in _HINTS:
        _HINTS[kind] = typing.get_type_hints(kind)
    hints = _HINTS[kind]
    unknown = sorted(set(data) - set(hints))
    if unknown:
        raise HostError(f"{source}: {kind.__name__} has no field {', '.join(unknown)}")
    try:
        return kind(**{name: _value(hints[name], item, f"{source}: {name}") for name, item in data.items()})
    except TypeError as exc:
        raise HostError(f"{source}: {kind.__name__}: {exc}") from exc


def _value(hint: typing.Any, item: typing.Any, source: str) -> typing.Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(item, list):
            raise HostError(f"{source}: expected a list")
        return tuple(_value(args[0], part, source) for part in item)
    if origin is dict:
        if not isinstance(item, dict):
            raise HostError(f"{source}: expected an object of {args[1].__name__}")
        return {_value(args[0], key, source): _value(args[1], part, source) for key, part in item.items()}
    if args:  # Optional, in the form for Python 3.9
        return None if item is None else _value(args[0], item, source)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _build(hint, item, source)
    if not isinstance(item, hint) or (hint is int and isinstance(item, bool)):
        raise HostError(f"{source}: expected {hint.__name__}, found {item!r}")
    if hint is str and not item.isascii() and _SURROGATE.search(item):
        raise HostError(f"{source}: {item!r} is not text")
    return item
