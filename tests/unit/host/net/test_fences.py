# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile node can do to the vhost by its LANs, on a kernel's own bridges, tunnels and packet filter: nothing."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base import syscalls
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.net import firewall, netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net.firewall import apply_firewall
from ansible_collections.deter.benito.plugins.module_utils.host.net.ports import Peer, Port, Ports, media
from ansible_collections.deter.benito.plugins.module_utils.host.net.substrates import apply_network
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, REMOTE, TUNNEL, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

PLACE = ExperimentPaths("Proj.exp")
ATTACKER, VICTIM, HOST, ALL = (bytes.fromhex(text) for text in ("020000000a01", "020000000a02", "020000000aff", "ffffffffffff"))
CONTROL = "172.31.0.1"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Lan:
    """A vhost with an address of its own, and two nodes on lan1, whose ends are in the namespaces ``a`` and ``v``."""

    def __init__(self):
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        for name in ("a", "v"):
            run("ip", "netns", "add", name)
        subprocess.run(["ip", "-batch", "-"], check=True, text=True, input=f"""\
link set lo up
link add eth1 address {HOST.hex(':')} mtu 1600 type veth peer name far
link set eth1 up
link set far up
address add {LOCAL}/24 dev eth1
address add {CONTROL}/24 dev eth1
""")
        os.makedirs(PLACE.run)
        apply_network(plan(), PLACE)
        on = media(plan(), netlink.links())["lan1"]
        ports = [Port(f"bv{name}", name, "inf0", on, Peer(f"n{name}", mac.hex(":"))) for name, mac in (("a", ATTACKER), ("v", VICTIM))]
        Ports(PLACE, ports).apply()
        for name in ("a", "v"):
            run("ip", "link", "set", f"n{name}", "netns", name)
            run("ip", "-n", name, "link", "set", f"n{name}", "up", "addrgenmode", "eui64")
            run("ip", "-n", name, "address", "add", f"10.0.1.{1 if name == 'a' else 2}/24", "dev", f"n{name}")
        apply_firewall(plan(), PLACE)

    @property
    def bridge_mac(self):
        return bytes.fromhex(netlink.links()["bblan10000000"].mac_address.replace(":", ""))


def packet_socket(namespace, device):
    """A socket for whole frames on a device of a namespace."""
    with open("/proc/self/ns/net", "rb") as own, open(f"/run/netns/{namespace}", "rb") as other:
        syscalls.setns(other.fileno(), syscalls.CLONE_NEWNET)
        try:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            sock.bind((device, 0))
        finally:
            syscalls.setns(own.fileno(), syscalls.CLONE_NEWNET)
    return sock


def arp_request(for_address, sender="10.0.1.1"):
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, ATTACKER, socket.inet_aton(sender), bytes(6), socket.inet_aton(for_address))
    return ALL + ATTACKER + b"\x08\x06" + body


def ipv4(target, destination, payload, protocol=17, source="10.0.1.1"):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(destination))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
    return target + ATTACKER + b"\x08\x00" + head + payload


def udp(port, payload):
    return struct.pack("!HHHH", 40000, port, 8 + len(payload), 0) + payload


def answers(sock, wanted, limit_s=0.6):
    """The frames that arrive within the time and that ``wanted`` accepts."""
    found, deadline = [], time.monotonic() + limit_s
    while (left := deadline - time.monotonic()) > 0:
        if select.select([sock], [], [], left)[0]:
            frame = sock.recv(65536)
            if wanted(frame):
                found.append(frame)
    return found


def to_attacker(frame):
    return frame[:6] == ATTACKER


@sandboxed
def test_only_nodes_answer_arp_requests_for_any_address():
    lan = Lan()
    sock = packet_socket("a", "na")
    for address in ("10.0.1.2", LOCAL, CONTROL, "127.0.0.1"):
        sock.send(arp_request(address))
    found = answers(sock, to_attacker)
    assert [socket.inet_ntoa(frame[28:32]) for frame in found] == ["10.0.1.2"], "the victim's answer shows that requests are delivered"
    assert {frame[6:12] for frame in found} == {VICTIM} and lan.bridge_mac not in {frame[6:12] for frame in found}


@pytest.mark.parametrize("loaded", [True, False])
@sandboxed
def test_a_router_advertisement_gives_the_vhost_no_address_and_no_route(loaded):
    lan = Lan()
    if not loaded:
        run("nft", "flush", "ruleset")
    before = run("ip", "-6", "route", "show", "table", "all"), run("ip", "-6", "address")
    source, target = socket.inet_pton(socket.AF_INET6, "fe80::a"), socket.inet_pton(socket.AF_INET6, "ff02::1")
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8::")
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
    total = sum(struct.unpack(f"!{(36 + 4 + len(body)) // 2}H", source + target + struct.pack("!IHBB", len(body), 0, 0, 58) + body))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
    sock = packet_socket("a", "na")
    for mac in (bytes.fromhex("333300000001"), lan.bridge_mac):
        sock.send(mac + ATTACKER + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + target + body)
    deadline = time.monotonic() + 5
    while "2001:db8:" not in (seen := run("ip", "-n", "v", "-6", "address")):
        assert time.monotonic() < deadline, f"the victim, which accepts it, shows that it is a valid one; it has {seen}"
        time.sleep(0.05)
    assert (run("ip", "-6", "route", "show", "table", "all"), run("ip", "-6", "address")) == before


@sandboxed
def test_a_packet_to_the_bridge_reaches_no_service_of_the_vhost():
    lan = Lan()
    sock = packet_socket("a", "na")
    service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    service.bind(("", 7777))
    service.settimeout(0.5)
    targets = [(mac, address) for mac in (lan.bridge_mac, ALL) for address in (LOCAL, CONTROL, "255.255.255.255", "127.0.0.1", "224.0.0.1")]
    for mac, address in targets:
        sock.send(ipv4(mac, address, udp(7777, b"attack")))
    with pytest.raises(TimeoutError):
        service.recv(100)
    run("nft", "flush", "ruleset")
    sock.send(ipv4(lan.bridge_mac, LOCAL, udp(7777, b"attack")))
    assert service.recv(100) == b"attack", "without the filter it is delivered"


@sandboxed
def test_the_vhost_routes_nothing_for_a_node():
    lan = Lan()
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as stream:
        stream.write("1")
    far = packet_socket_here("far")
    sock = packet_socket("a", "na")
    run("ip", "neighbour", "add", "192.0.2.77", "lladdr", VICTIM.hex(":"), "dev", "eth1")
    frame = ipv4(lan.bridge_mac, "192.0.2.77", udp(9, b"attack"))
    sock.send(frame)
    assert answers(far, lambda found: b"attack" in found) == []
    run("nft", "flush", "ruleset")
    sock.send(frame)
    assert answers(far, lambda found: b"attack" in found), "without the filter it is forwarded"


def packet_socket_here(device):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((device, 0))
    return sock


def in_tunnel(vni, frame):
    return udp(TUNNEL.port, struct.pack("!II", 0x08000000, vni << 8) + frame)


@sandboxed
def test_a_tunnels_packet_is_taken_from_a_planned_peer_by_the_underlay_only():
    lan = Lan()
    victim, far = packet_socket("v", "nv"), packet_socket_here("far")
    inner = VICTIM + ATTACKER + b"\x88\xb5" + b"injected"
    outer = in_tunnel(TUNNEL.vni, inner)

    def delivered(sock, frame):
        sock.send(frame)
        return bool(answers(victim, lambda found: b"injected" in found and found[:6] == VICTIM, 0.3))

    assert delivered(far, ipv4(HOST, LOCAL, outer, source=REMOTE)), "a planned peer's, by the underlay"
    assert not delivered(far, ipv4(HOST, LOCAL, outer, source="192.0.2.99")), "a stranger's, by the underlay"
    assert not delivered(packet_socket("a", "na"), ipv4(lan.bridge_mac, LOCAL, outer, source=REMOTE)), "a node's, by its LAN"
    run("ip", "link", "add", "eth2", "address", "02:00:00:00:0a:fe", "type", "veth", "peer", "name", "far2")
    for device in ("eth2", "far2"):
        run("ip", "link", "set", device, "up")
    for setting in ("all/rp_filter", "eth2/rp_filter"):
        with open(f"/proc/sys/net/ipv4/conf/{setting}", "w", encoding="ascii") as stream:
            stream.write("0")
    other = ipv4(bytes.fromhex("020000000afe"), LOCAL, outer, source=REMOTE)
    assert not delivered(packet_socket_here("far2"), other), "with a peer's address, by another network"
    run("nft", "flush", "ruleset")
    assert delivered(packet_socket_here("far2"), other), "without the filter it is delivered"


@pytest.mark.parametrize("kernel_bounds", [True, False])
@sandboxed
def test_a_flood_of_addresses_is_bounded_and_the_lan_still_works(monkeypatch, kernel_bounds):
    if not kernel_bounds:
        monkeypatch.setattr(firewall, "_bounded", lambda _plan, _live: False)
        monkeypatch.setattr(firewall, "MOST_ADDRESSES", 1000)
    Lan()
    if not kernel_bounds:
        run("ip", "link", "set", "bblan10000000", "type", "bridge", "ageing_time", "30000")
    sock = packet_socket("a", "na")
    sock.send(VICTIM + ATTACKER + b"\x88\xb5" + bytes(46))
    packet_socket("v", "nv").send(ATTACKER + VICTIM + b"\x88\xb5" + bytes(46))
    for number in range(20000):
        sock.send(VICTIM + b"\x02\x77" + struct.pack("!I", number) + b"\x88\xb5" + bytes(46))
    learned = len([line for line in run("bridge", "fdb", "show", "br", "bblan10000000").splitlines() if line.startswith("02:77")])
    most = 16384 if kernel_bounds else 1000
    assert most // 2 < learned <= most
    assert run("ip", "netns", "exec", "v", "ping", "-c1", "-W2", "10.0.1.1")
