# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove that a full-size packet crosses every tunnel, before any node uses it.

While substrates are probed, a namespace on each vhost has a link-local address on each of them. The vhost sends echo requests
of the size of a node's packet, which must not be fragmented, to every other vhost of each substrate. So a path on which ping
works and TCP hangs is found here.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time

from ...errors import HostError
from ...hostplan import HostPlan, SubstratePlan
from ..base import syscalls
from ..base.namespaces import home
from ..base.paths import ExperimentPaths
from ..base.syscalls import CLONE_NEWNET, MS_BIND
from . import netlink
from .foreign_filters import tunnel_droppers
from .netlink import Batch
from .ports import Peer, Port, Ports, media

_IP_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 3
_SMALL = 64
_HEADERS = 20  # bytes of an IPv4 header

Pair = tuple[int, str]  # number of the substrate, other vhost


def make_endpoints(plan: HostPlan, paths: ExperimentPaths) -> None:
    """Make this vhost answer probes on every substrate that has a tunnel. Raises HostError."""
    substrates = [substrate for substrate in plan.substrates if substrate.tunnel and substrate.probe_address]
    close_endpoints(paths)
    if not substrates:
        return
    with home() as origin:
        ports = _ports(plan, substrates, paths)
        syscalls.unshare(CLONE_NEWNET)
        network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with open("/proc/sys/net/ipv4/icmp_ratelimit", "w", encoding="ascii") as stream:
                stream.write("0")
            os.close(os.open(_pin(paths), os.O_CREAT | os.O_CLOEXEC, 0o600))
            syscalls.mount("/proc/self/ns/net", _pin(paths), None, MS_BIND)
            origin.enter("net")
            batch = Batch()
            for port in ports.planned.values():
                ports.make(batch, port, network)
            batch.send()
            syscalls.setns(network, CLONE_NEWNET)
            _make_addresses(substrates)
        finally:
            os.close(network)


def answering(paths: ExperimentPaths) -> bool:
    """Return whether this vhost answers probes."""
    return os.path.exists(_pin(paths))


def close_endpoints(paths: ExperimentPaths) -> None:
    """Stop answering. The ports go with the namespace of their other ends."""
    if os.path.exists(_pin(paths)):
        with home():
            with open(_pin(paths), "rb") as pin:
                try:
                    syscalls.setns(pin.fileno(), CLONE_NEWNET)
                except OSError as exc:
                    if exc.errno != errno.EINVAL:
                        raise
                else:
                    batch = Batch()
                    for link in netlink.links().values():
                        if link.name != "lo":
                            batch.delete_link(f"removing the probe's {link.name}", link.index)
                    batch.send()
        while syscalls.is_mount_point(_pin(paths)):
            syscalls.umount(_pin(paths))
        os.unlink(_pin(paths))


def probe(plan: HostPlan, paths: ExperimentPaths, limit_s: float = 10.0) -> dict:
    """Send to every peer of every substrate until it has answered or ``limit_s`` seconds have passed.

    Returns {"changed": False, "probed": number of (substrate, vhost) pairs}. Raises HostError that names every pair
    that full-size packets do not cross, and says whether small packets do.
    """
    targets = {(number, vhost): (substrate, address) for number, substrate in enumerate(plan.substrates)
               for vhost, address in substrate.probe_peers.items()}
    if not targets or not os.path.exists(_pin(paths)):
        return {"changed": False, "probed": 0}
    with home():
        with open(_pin(paths), "rb") as pin:
            syscalls.setns(pin.fileno(), CLONE_NEWNET)
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
            silent = _exchange(sock, {key: (address, substrate.mtu) for key, (substrate, address) in targets.items()}, limit_s)
            small = _exchange(sock, {key: (targets[key][1], _SMALL) for key in silent}, 2.0) if silent else set()
    if silent:
        raise HostError("; ".join(_verdict(plan, targets[key][0], key[1], key not in small) for key in sorted(silent)))
    return {"changed": False, "probed": len(targets)}


def _verdict(plan: HostPlan, substrate: SubstratePlan, vhost: str, small_passes: bool) -> str:
    tunnel = substrate.tunnel
    path = f"substrate {substrate.name}: {vhost}"
    if not tunnel:
        return f"{path}: nothing passes, and this vhost has no tunnel to it"
    path += f" ({', '.join(tunnel.remotes)}) from {tunnel.local}"
    if small_passes:
        return (f"{path}: small packets pass, packets of {substrate.mtu} bytes do not: the experiment network carries less than "
                f"the {substrate.mtu + 50} bytes that this host's interface (MTU {plan.underlay_mtu}) promises")
    droppers = tunnel_droppers(plan)
    cause = f" On this host, a packet filter of another program may drop it: {droppers}" if droppers else ""
    return f"{path}: nothing passes; is UDP port {tunnel.port} open between them on the experiment network?{cause}"


def _pin(paths: ExperimentPaths) -> str:
    return f"{paths.run}/probe"


def _ports(plan: HostPlan, substrates: list[SubstratePlan], paths: ExperimentPaths) -> Ports:
    live = netlink.links()
    on = media(plan, live)
    planned = (Port(f"bp{substrate.bridge[2:]}", substrate.name, "", on[substrate.name], Peer(f"p{number}", _mac(substrate.probe_address)), use="probe")
               for number, substrate in enumerate(substrates))
    return Ports(paths, planned, live)


def _mac(address: str) -> str:
    """Return the MAC address for an address. It never changes, because other vhosts remember it from an earlier probe."""
    return "02:62:" + ":".join(f"{byte:02x}" for byte in socket.inet_aton(address))


def _make_addresses(substrates: list[SubstratePlan]) -> None:
    batch = Batch()
    for number, substrate in enumerate(substrates):
        index = socket.if_nametoindex(f"p{number}")
        # a /32 and one host route for each peer, because many substrates share this namespace, each with peers of its own
        batch.address(f"probe address on {substrate.name}", index, f"{substrate.probe_address}/32")
        batch.set_link(f"probe of {substrate.name}", index=index, up=True)
        for address in substrate.probe_peers.values():
            batch.device_route(f"probe route on {substrate.name}", address, index)
    batch.send()


def _exchange(sock: socket.socket, targets: dict[Pair, tuple[str, int]], limit_s: float) -> set[Pair]:
    """Send echo requests to {pair: (address, size of the IP packet)} until all have answered. Returns the pairs that have not."""
    identifier = os.getpid() & 0xFFFF
    keys = dict(enumerate(targets))
    waiting, deadline, next_round = set(keys), time.monotonic() + limit_s, 0.0
    while waiting and time.monotonic() < deadline:
        if time.monotonic() >= next_round:
            for number in sorted(waiting):
                address, size = targets[keys[number]]
                _send(sock, address, _echo(identifier, number, size - _HEADERS))
            next_round = time.monotonic() + 0.25
        if select.select([sock], [], [], max(0.0, next_round - time.monotonic()))[0]:
            packet, (sender, _port) = sock.recvfrom(65536)
            head = (packet[0] & 15) * 4
            kind, _code, _sum, found, number = struct.unpack_from("!BBHHH", packet, head)
            if kind == 0 and found == identifier and number in waiting and sender == targets[keys[number]][0]:
                waiting.discard(number)
    return {keys[number] for number in waiting}


def _send(sock: socket.socket, address: str, message: bytes) -> None:
    try:
        sock.sendto(message, (address, 0))
    except OSError as exc:
        if exc.errno not in (errno.EMSGSIZE, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENOBUFS):
            raise


def _echo(identifier: int, number: int, length: int) -> bytes:
    message = struct.pack("!BBHHH", 8, 0, 0, identifier, number) + bytes(length - 8)
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~(total + (total >> 16)) & 0xFFFF
    return message[:2] + struct.pack("!H", total) + message[4:]
