# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that a full-size packet crosses every tunnel, before any node uses it.

While a substrate is probed, a small namespace on each vhost has a link-local address on the bridge. Each
vhost sends do-not-fragment echo requests as large as a node's packet to every other vhost of each
substrate: the trap is a path on which ping works and TCP hangs.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time

from ...errors import HostError
from ...hostplan import HostPlan
from ..base import syscalls
from ..base.namespaces import home
from ..base.paths import ExperimentPaths
from ..base.syscalls import CLONE_NEWNET, MS_BIND
from . import netlink
from .netlink import IFF_UP, Batch
from .substrates import port_attributes

_IP_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 3
_SMALL = 64


def make_endpoints(plan: HostPlan, paths: ExperimentPaths) -> None:
    """Make this vhost answer on every substrate that has a tunnel. Raises HostError."""
    substrates = [substrate for substrate in plan.substrates if substrate.tunnel and substrate.probe_address]
    close_endpoints(paths)
    if not substrates:
        return
    with home() as origin:
        masters = [socket.if_nametoindex(substrate.bridge) for substrate in substrates]
        syscalls.unshare(CLONE_NEWNET)
        network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with open("/proc/sys/net/ipv4/icmp_ratelimit", "w", encoding="ascii") as stream:
                stream.write("0")
            os.close(os.open(_pin(paths), os.O_CREAT | os.O_CLOEXEC, 0o600))
            syscalls.mount("/proc/self/ns/net", _pin(paths), None, MS_BIND)
            origin.enter("net")
            _make_wires(paths, substrates, masters, network)
            syscalls.setns(network, CLONE_NEWNET)
            _make_addresses(substrates)
        finally:
            os.close(network)


def answering(paths: ExperimentPaths) -> bool:
    """Whether this vhost answers probes."""
    return os.path.exists(_pin(paths))


def close_endpoints(paths: ExperimentPaths) -> None:
    """Stop answering; the wires go with their namespace."""
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
                    for name, (index, _up, _mtu) in netlink.devices().items():
                        if name != "lo":
                            batch.delete_link(f"removing the probe's {name}", index)
                    batch.send()
        while syscalls.is_mount_point(_pin(paths)):
            syscalls.umount(_pin(paths))
        os.unlink(_pin(paths))


def probe(plan: HostPlan, paths: ExperimentPaths, limit_s: float = 10.0) -> dict:
    """Send to every peer of every substrate until it answered or ``limit_s`` seconds have passed.

    Returns {"changed": False, "probed": number of (substrate, vhost) pairs}. Raises HostError that names all
    pairs that full-size packets do not cross, and says whether small ones do.
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


def _verdict(plan: HostPlan, substrate, vhost: str, small_passes: bool) -> str:
    path = f"substrate {substrate.name}: {vhost} ({', '.join(substrate.tunnel.remotes)}) from {substrate.tunnel.local}"
    if small_passes:
        return (f"{path}: small packets pass, packets of {substrate.mtu} bytes do not: the experiment network carries less than "
                f"the {substrate.mtu + 50} bytes that this host's interface (MTU {plan.underlay_mtu}) promises")
    return f"{path}: nothing passes; is UDP port {substrate.tunnel.port} open between them on the experiment network?"


def _pin(paths: ExperimentPaths) -> str:
    return f"{paths.run}/probe"


def _wire(bridge: str) -> str:
    return "bp" + bridge[2:]


def _mac(address: str) -> str:
    """Always the same for an address: the other vhosts remember it, and would send to the end that was there before."""
    return "02:62:" + ":".join(f"{byte:02x}" for byte in socket.inet_aton(address))


def _make_wires(paths, substrates, masters, network) -> None:
    batch = Batch()
    for number, (substrate, master) in enumerate(zip(substrates, masters)):
        name, what = _wire(substrate.bridge), f"probe of substrate {substrate.name}"
        peer = [("IFLA_IFNAME", f"p{number}"), ("IFLA_ADDRESS", _mac(substrate.probe_address)), ("IFLA_MTU", substrate.mtu), ("IFLA_NET_NS_FD", network)]
        info = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", [("VETH_INFO_PEER", peer)])]
        batch.link(what, attrs=[("IFLA_IFNAME", name), ("IFLA_MTU", substrate.mtu), ("IFLA_GROUP", paths.group), ("IFLA_LINKINFO", info)], create=True)
        batch.link(what, attrs=[("IFLA_IFNAME", name), *port_attributes(f"{paths.mark}probe:{substrate.name}", master)])
        batch.link(what, {"flags": IFF_UP, "change": IFF_UP}, [("IFLA_IFNAME", name)])
    batch.send()


def _make_addresses(substrates) -> None:
    batch = Batch()
    for number, substrate in enumerate(substrates):
        index = socket.if_nametoindex(f"p{number}")
        # a /32 and one host route for each peer: many substrates, each with peers of its own, share this namespace
        batch.address(f"probe address on {substrate.name}", index, substrate.probe_address, 32)
        batch.link(f"probe of {substrate.name}", {"index": index, "flags": IFF_UP, "change": IFF_UP})
        for address in substrate.probe_peers.values():
            batch.device_route(f"probe route on {substrate.name}", address, index)
    batch.send()


def _exchange(sock, targets: dict, limit_s: float) -> set:
    """Echo requests to {key: (address, IP packet size)} until all answered; returns the keys that did not."""
    identifier = os.getpid() & 0xFFFF
    keys = dict(enumerate(targets))
    waiting, deadline, next_round = set(keys), time.monotonic() + limit_s, 0.0
    while waiting and time.monotonic() < deadline:
        if time.monotonic() >= next_round:
            for number in sorted(waiting):
                address, size = targets[keys[number]]
                _send(sock, address, _echo(identifier, number, size - 20))
            next_round = time.monotonic() + 0.25
        if select.select([sock], [], [], max(0.0, next_round - time.monotonic()))[0]:
            packet, (sender, _port) = sock.recvfrom(65536)
            head = (packet[0] & 15) * 4
            kind, _code, _sum, found, number = struct.unpack_from("!BBHHH", packet, head)
            if kind == 0 and found == identifier and number in waiting and sender == targets[keys[number]][0]:
                waiting.discard(number)
    return {keys[number] for number in waiting}


def _send(sock, address: str, message: bytes) -> None:
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
