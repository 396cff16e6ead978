# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove that bridges of this vhost pass frames, by sending one across each of them.

For a moment two further ports are on each bridge. Their other ends are in a network namespace of its own, in which this process sends a full-size
UDP packet into one port and waits for it at the other. Packet filters of other programs drop it just as they drop the packets of nodes.
No node sees it: the bridge is told which port the destination is at. The ports go with the namespace, also when this process is killed.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...hostplan import SubstratePlan
from ..base import syscalls
from ..base.locks import frame_check_lock
from ..base.namespaces import home
from ..base.paths import ExperimentPaths
from ..base.syscalls import CLONE_NEWNET
from .device_settings import write_setting
from .marks import NO_IPV6_ADDRESS
from .netlink import Batch
from .ports import Medium, Peer, Port, Ports
from .substrates import master_of

_AT_A_TIME = 100  # bridges; each needs four devices
_AT_ONCE = 16  # packets that are sent before answers are read
_LIMIT_S = 1.5  # for a packet to arrive
_AGAIN_S = 0.2
_GROUP = 1  # of the ends in the namespace, by which they are removed
_IPV4, _UDP, _DISCARD, _OUTGOING = 0x0800, 17, 9, 4
_FROM, _TO = "169.254.255.1", "169.254.255.2"


@dataclass(frozen=True)
class _Wire:
    """The two ends of one bridge in the namespace, by their names and MAC addresses, and the frame from one to the other."""

    sender: Port
    receiver: Port
    frame: bytes


def substrates_that_drop(substrates: Sequence[SubstratePlan], paths: ExperimentPaths) -> list[str]:
    """Return the names of the substrates whose bridge passes no frame. All bridges must be there and up. Raises HostError."""
    dropped: set[str] = set()
    for start in range(0, len(substrates), _AT_A_TIME):
        with frame_check_lock(paths):
            dropped |= _send_across(substrates[start:start + _AT_A_TIME], paths)
    return [substrate.name for substrate in substrates if substrate.name in dropped]


def _send_across(substrates: Sequence[SubstratePlan], paths: ExperimentPaths) -> set[str]:
    """Return the names of the substrates across which a frame did not arrive."""
    wires = {substrate.name: _wire(substrate, number) for number, substrate in enumerate(substrates)}
    with _namespace(wires, paths), socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(_IPV4)) as sock:
        return _exchange(sock, wires)


def _wire(substrate: SubstratePlan, number: int) -> _Wire:
    medium = Medium(substrate.name, master_of(substrate), substrate.mtu)
    token = os.urandom(8)
    sender, receiver = (b"\x02\x62" + end + token[:2] + bytes([number]) for end in (b"\0", b"\1"))
    return _Wire(_port(medium, "s", f"s{number}", sender), _port(medium, "r", f"r{number}", receiver), _frame(sender, receiver, token, substrate.mtu))


def _port(medium: Medium, end: str, inside: str, mac_address: bytes) -> Port:
    return Port(f"bp{end}{medium.master[3:]}", medium.name, "", medium, Peer(inside, mac_address.hex(":")), use="probe")


def _frame(sender: bytes, receiver: bytes, token: bytes, mtu: int) -> bytes:
    """Return a frame with an IPv4 packet of ``mtu`` bytes."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, mtu, 0, 0, 64, _UDP, 0, socket.inet_aton(_FROM), socket.inet_aton(_TO))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
    udp = struct.pack("!HHHH", _DISCARD, _DISCARD, mtu - len(head), 0)
    return receiver + sender + struct.pack("!H", _IPV4) + (head + udp + token).ljust(mtu, b"\0")


@contextmanager
def _namespace(wires: dict[str, _Wire], paths: ExperimentPaths) -> Iterator[None]:
    """Make the ports, and be in the namespace of their other ends. The ports are removed at the end."""
    planned = [port for wire in wires.values() for port in (wire.sender, wire.receiver)]
    with home() as origin:
        ports = Ports(paths, planned)
        syscalls.unshare(CLONE_NEWNET)
        network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _disable_ipv6()
            origin.enter("net")
            batch = Batch()
            for port in planned:
                ports.make(batch, port, network)
            batch.send()
            _pin_addresses(planned)
            syscalls.setns(network, CLONE_NEWNET)
            batch = Batch()
            for port in planned:
                batch.set_link(str(port), [("IFLA_IFNAME", _inside(port)), ("IFLA_GROUP", _GROUP), NO_IPV6_ADDRESS], up=True)
            batch.send()
            yield
            batch = Batch()
            batch.delete_group("removing the ports that frames were sent by", _GROUP)
            batch.send()
        finally:
            os.close(network)


def _inside(port: Port) -> str:
    return port.peer.name if port.peer else ""


def _disable_ipv6() -> None:
    """Keep the ends silent: a device that comes up would tell its IPv6 neighbours."""
    try:
        write_setting("default", "ipv6/disable_ipv6", "1")
    except FileNotFoundError:
        pass  # a kernel without IPv6


def _pin_addresses(ports: Sequence[Port]) -> None:
    """Tell the bridges which port each end is at, so that they do not send the frame to every port."""
    batch = Batch()
    for port in ports:
        if port.peer:
            batch.forwarding_entry(str(port), socket.if_nametoindex(port.name), port.peer.mac_address)
    batch.send()


def _exchange(sock: socket.socket, wires: dict[str, _Wire]) -> set[str]:
    """Send until every frame has arrived, or for a while. Return the names of the substrates whose frame has not."""
    waiting, deadline, next_round = set(wires), time.monotonic() + _LIMIT_S, 0.0
    expected = {(_inside(wire.receiver), wire.frame): name for name, wire in wires.items()}
    while waiting and time.monotonic() < deadline:
        if time.monotonic() >= next_round:
            for number, name in enumerate(sorted(waiting)):
                _send(sock, _inside(wires[name].sender), wires[name].frame)
                if number % _AT_ONCE == _AT_ONCE - 1:
                    waiting -= _arrived(sock, expected, 0)
            next_round = time.monotonic() + _AGAIN_S
        waiting -= _arrived(sock, expected, max(0.0, next_round - time.monotonic()))
    return waiting


def _send(sock: socket.socket, device: str, frame: bytes) -> None:
    try:
        sock.sendto(frame, (device, _IPV4))
    except OSError:
        pass  # the device is not up yet, or its bridge is being removed: it did not arrive


def _arrived(sock: socket.socket, expected: dict[tuple[str, bytes], str], limit_s: float) -> set[str]:
    """Return the names whose frame is among the packets that are there, or the first to come within the limit."""
    found: set[str] = set()
    while select.select([sock], [], [], limit_s)[0]:
        frame, (device, _protocol, direction, *_rest) = sock.recvfrom(65535)
        if direction != _OUTGOING and (device, frame) in expected:
            found.add(expected[device, frame])
        limit_s = 0
    return found
