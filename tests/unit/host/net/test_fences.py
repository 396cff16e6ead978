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
from ansible_collections.deter.benito.tests.unit.host.net.frames import ALL, IPV6, arp, echo6, ipv4, router_advertisement, udp, vxlan
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, REMOTE, TUNNEL, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

PLACE = ExperimentPaths("Proj.exp")
ATTACKER, VICTIM, HOST = (bytes.fromhex(text) for text in ("020000000a01", "020000000a02", "020000000aff"))
NODE, CONTROL = "10.0.1.1", "172.31.0.1"


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
        sock.send(arp(ATTACKER, NODE, address))
    found = answers(sock, to_attacker)
    assert [socket.inet_ntoa(frame[28:32]) for frame in found] == ["10.0.1.2"], "the victim's answer shows that requests are delivered"
    assert {frame[6:12] for frame in found} == {VICTIM} and lan.bridge_mac not in {frame[6:12] for frame in found}


@pytest.mark.parametrize("loaded", [True, False])
@sandboxed
def test_only_nodes_answer_an_ipv6_request_to_all(loaded):
    lan = Lan()
    if not loaded:
        run("nft", "flush", "ruleset")
    sock = packet_socket("a", "na")
    for target in (None, lan.bridge_mac, ALL):
        sock.send(echo6(ATTACKER, target))
    assert {frame[6:12] for frame in answers(sock, lambda frame: frame[12:14] == IPV6 and frame[6:12] != ATTACKER, 1)} == {VICTIM}


@pytest.mark.parametrize("loaded", [True, False])
@sandboxed
def test_a_router_advertisement_gives_the_vhost_no_address_and_no_route(loaded):
    lan = Lan()
    if not loaded:
        run("nft", "flush", "ruleset")
    before = run("ip", "-6", "route", "show", "table", "all"), run("ip", "-6", "address")
    sock = packet_socket("a", "na")
    for target in (None, lan.bridge_mac):
        sock.send(router_advertisement(ATTACKER, target))
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
        sock.send(ipv4(ATTACKER, mac, NODE, address, udp(7777, b"attack")))
    with pytest.raises(TimeoutError):
        service.recv(100)
    run("nft", "flush", "ruleset")
    sock.send(ipv4(ATTACKER, lan.bridge_mac, NODE, LOCAL, udp(7777, b"attack")))
    assert service.recv(100) == b"attack", "without the filter it is delivered"


@sandboxed
def test_the_vhost_routes_nothing_for_a_node():
    lan = Lan()
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as stream:
        stream.write("1")
    far = packet_socket_here("far")
    sock = packet_socket("a", "na")
    run("ip", "neighbour", "add", "192.0.2.77", "lladdr", VICTIM.hex(":"), "dev", "eth1")
    frame = ipv4(ATTACKER, lan.bridge_mac, NODE, "192.0.2.77", udp(9, b"attack"))
    sock.send(frame)
    assert answers(far, lambda found: b"attack" in found) == []
    run("nft", "flush", "ruleset")
    sock.send(frame)
    assert answers(far, lambda found: b"attack" in found), "without the filter it is forwarded"


def packet_socket_here(device):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((device, 0))
    return sock


@sandboxed
def test_a_tunnels_packet_is_taken_from_a_planned_peer_by_the_underlay_only():
    lan = Lan()
    victim, far = packet_socket("v", "nv"), packet_socket_here("far")
    inner = VICTIM + ATTACKER + b"\x88\xb5" + b"injected"
    outer = vxlan(TUNNEL.port, TUNNEL.vni, inner)

    def delivered(sock, frame):
        sock.send(frame)
        return bool(answers(victim, lambda found: b"injected" in found and found[:6] == VICTIM, 0.3))

    assert delivered(far, ipv4(ATTACKER, HOST, REMOTE, LOCAL, outer)), "a planned peer's, by the underlay"
    assert not delivered(far, ipv4(ATTACKER, HOST, "192.0.2.99", LOCAL, outer)), "a stranger's, by the underlay"
    assert not delivered(packet_socket("a", "na"), ipv4(ATTACKER, lan.bridge_mac, REMOTE, LOCAL, outer)), "a node's, by its LAN"
    run("ip", "link", "add", "eth2", "address", "02:00:00:00:0a:fe", "type", "veth", "peer", "name", "far2")
    for device in ("eth2", "far2"):
        run("ip", "link", "set", device, "up")
    for setting in ("all/rp_filter", "eth2/rp_filter"):
        with open(f"/proc/sys/net/ipv4/conf/{setting}", "w", encoding="ascii") as stream:
            stream.write("0")
    other = ipv4(ATTACKER, bytes.fromhex("020000000afe"), REMOTE, LOCAL, outer)
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
