# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes can send to the control network, on a kernel's own bridge and packet filter."""

from __future__ import annotations

import dataclasses
import os
import select
import socket
import subprocess
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base import syscalls
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.net import firewall, netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net.firewall import apply_firewall
from ansible_collections.deter.benito.plugins.module_utils.host.net.foreign_filters import pass_foreign_filters
from ansible_collections.deter.benito.plugins.module_utils.host.net.ports import Peer, Port, Ports, media
from ansible_collections.deter.benito.plugins.module_utils.host.net.substrates import apply_network
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan, ControlReach, ServicePlan, VnodePlan
from ansible_collections.deter.benito.tests.unit.host.net import frames
from ansible_collections.deter.benito.tests.unit.host.net.frames import ACK, ALL, ICMP, RST, SYN, TCP, UDP, tcp
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

PLACE = ExperimentPaths("Proj.exp")
NET = "172.31.0"
VHOST, GATEWAY, CONTROLLER, RESOLVER, SAME, OTHER = (f"{NET}.{number}" for number in (1, 254, 200, 53, 12, 99))
NODE = f"{NET}.11"
NODE_MAC, HOST_MAC, FAR_MAC = (bytes.fromhex(text) for text in ("020000000b01", "020000000bff", "020000000bfe"))

needs_br_netfilter = pytest.mark.skipif(not os.path.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"), reason="needs a kernel with br_netfilter")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def made_plan(reach):
    control = ControlPlan("bvcontrol", NODE_MAC.hex(":"), f"{NODE}/24", GATEWAY)
    return plan(vnodes=(VnodePlan("a", "openvz", "a", control=control, image="1234567890"),), control_reach=reach)


REACH = ControlReach("experiment", (CONTROLLER, SAME), (LOCAL, "192.0.2.2"))


class Control:
    """A vhost with control0, a node on it in the namespace ``a``, and all the rest of the control network behind ``uplink``."""

    def __init__(self, monkeypatch, reach=REACH):
        monkeypatch.setattr(firewall, "resolv_conf", lambda: f"nameserver {RESOLVER}\n")
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        run("ip", "netns", "add", "a")
        subprocess.run(["ip", "-batch", "-"], check=True, text=True, input=f"""\
link set lo up
link add eth1 mtu 1600 type veth peer name far1
link set eth1 up
address add {LOCAL}/24 dev eth1
link add control0 address {HOST_MAC.hex(':')} type bridge stp_state 0 forward_delay 0
address add {VHOST}/24 dev control0
link set control0 up
link add uplink type veth peer name far address {FAR_MAC.hex(':')}
link set uplink master control0
link set uplink up
link set far up
""")
        os.makedirs(PLACE.run)
        made = made_plan(reach)
        apply_network(made, PLACE)
        on = media(made, netlink.links())["control0"]
        Ports(PLACE, [Port("bvcontrol", "a", "control0", on, Peer("na", NODE_MAC.hex(":")))]).apply()
        run("ip", "link", "set", "na", "netns", "a")
        run("ip", "-n", "a", "link", "set", "na", "up")
        apply_firewall(made, PLACE)
        self.node, self.far = in_namespace("a", lambda: device_socket("na")), device_socket("far")

    def passes(self, frame):
        """Whether a frame that the node sends leaves the vhost by its uplink."""
        return sent(self.node, frame, self.far)

    def reaches_vhost(self, frame):
        """Whether the vhost takes a frame that the node sends."""
        with device_socket("control0") as taken:
            return sent(self.node, frame, taken)


def in_namespace(name, body):
    with open("/proc/self/ns/net", "rb") as own, open(f"/run/netns/{name}", "rb") as other:
        syscalls.setns(other.fileno(), syscalls.CLONE_NEWNET)
        try:
            return body()
        finally:
            syscalls.setns(own.fileno(), syscalls.CLONE_NEWNET)


def device_socket(device):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((device, 0))
    return sock


COUNT, MARK = [0], len(b"number 00000000")


def sent(sender, frame, receiver, limit_s=0.15):
    COUNT[0] += 1
    mark = b"number %08d" % COUNT[0]
    sender.send(frame + mark)
    deadline = time.monotonic() + limit_s
    while (left := deadline - time.monotonic()) > 0:
        if select.select([receiver], [], [], left)[0] and mark in receiver.recv(65536):
            return True
    return False


def arp(target, sender=NODE, mac=NODE_MAC, **more):
    return frames.arp(NODE_MAC, sender, target, claimed=mac, **more)


def ipv4(target, payload, protocol=UDP, source=NODE, to=FAR_MAC, mac=NODE_MAC, **more):
    return frames.ipv4(mac, to, source, target, payload, protocol, more=MARK, **more)


def udp(port, source=40000):
    return frames.udp(port, source=source, more=MARK)


@pytest.mark.parametrize("scope", ["experiment", "all"])
@sandboxed
def test_a_node_sends_from_its_planned_addresses_only(monkeypatch, scope):
    net = Control(monkeypatch, dataclasses.replace(REACH, scope=scope))
    assert net.passes(ipv4(SAME, udp(9))) and net.passes(arp(SAME)) and net.passes(arp(NODE, "0.0.0.0"))
    for name, frame in {
        "another MAC address": ipv4(SAME, udp(9), mac=FAR_MAC), "another IPv4 address": ipv4(SAME, udp(9), source=OTHER),
        "the vhost's address": ipv4(SAME, udp(9), source=VHOST), "ARP for another's address": arp(SAME, VHOST),
        "ARP with another's MAC address": arp(SAME, mac=FAR_MAC), "an ARP answer with another's address": arp(SAME, GATEWAY, operation=2),
        "RARP": NODE_MAC + NODE_MAC + b"\x80\x35" + arp(SAME)[14:], "an ARP operation of no use": arp(SAME, operation=8),
        "a router advertisement": frames.router_advertisement(NODE_MAC),
        "a VLAN tag": ipv4(SAME, udp(9))[:12] + b"\x81\x00\x00\x05" + ipv4(SAME, udp(9))[12:],
        "two VLAN tags": ipv4(SAME, udp(9))[:12] + b"\x88\xa8\x00\x05\x81\x00\x00\x05" + ipv4(SAME, udp(9))[12:],
        "STP": bytes.fromhex("0180c2000000") + NODE_MAC + b"\x00\x26\x42\x42\x03" + bytes(35),
        "LLDP": bytes.fromhex("0180c200000e") + NODE_MAC + b"\x88\xcc" + bytes(46), "a DHCP server's offer": ipv4(SAME, udp(68, 67)),
        "a packet for the tunnel port": ipv4(SAME, udp(4789)), "fragments of one": ipv4(SAME, udp(4789), fragment=0x2000),
    }.items():
        assert not net.passes(frame), name
        assert not net.reaches_vhost(HOST_MAC + frame[6:]), f"{name}, to the vhost"


@sandboxed
def test_a_node_reaches_its_experiment_the_controller_the_resolver_and_what_is_behind_the_gateway(monkeypatch):
    net = Control(monkeypatch)
    for address in (SAME, CONTROLLER, RESOLVER, GATEWAY, "198.51.100.7"):
        assert net.passes(ipv4(address, tcp(22, SYN), TCP)), address
    for address in (SAME, CONTROLLER, RESOLVER, GATEWAY):
        assert net.passes(arp(address)), address
    assert net.reaches_vhost(arp(VHOST))
    for address in (OTHER, f"{NET}.255", f"{NET}.0", "255.255.255.255", "127.0.0.1", "169.254.169.254", "224.0.0.251", "0.0.0.0", LOCAL, "192.0.2.2"):
        assert not net.passes(ipv4(address, tcp(22, SYN), TCP)), address
        assert not net.reaches_vhost(ipv4(address, tcp(22, SYN), TCP, to=HOST_MAC)), address
    assert not net.passes(arp(OTHER)), "not even who else is there"
    for to in (ALL, bytes.fromhex("01005e0000fb")):
        assert not net.passes(ipv4(SAME, udp(5353), to=to)), "a frame to many"


@pytest.mark.parametrize("family", ["bridge", pytest.param("ip", marks=needs_br_netfilter)])
@sandboxed
def test_what_crosses_the_control_bridge_passes_other_packet_filters_and_what_strangers_have_routed_does_not(monkeypatch, family):
    net = Control(monkeypatch)
    there, back = ipv4(SAME, udp(9)), ipv4(NODE, udp(9), source=SAME, to=NODE_MAC, mac=FAR_MAC)
    subprocess.run(["ip", "neighbour", "add", CONTROLLER, "lladdr", FAR_MAC.hex(":"), "dev", "control0"], check=True)
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as stream:
        stream.write("1")
    routed = ipv4(CONTROLLER, udp(9), source=SAME, to=HOST_MAC, mac=FAR_MAC)
    assert net.passes(there) and sent(net.far, back, net.node)
    subprocess.run(["nft", "-f", "-"], check=True, text=True, input=f"""table {family} foreign {{
  chain forward {{ type filter hook forward priority 0; policy drop; ip daddr {CONTROLLER} counter; }}
}}""")
    assert not net.passes(there) and not sent(net.far, back, net.node)
    assert pass_foreign_filters(made_plan(REACH), PLACE) == [f"packet filter {family} foreign forward (hook forward): passes experiments"]
    assert net.passes(there) and sent(net.far, back, net.node)
    if family == "ip":
        sent(net.far, routed, net.node)
        deadline = time.monotonic() + 5
        while f"{CONTROLLER} counter packets 1 " not in (rules := run("nft", "list", "chain", "ip", "foreign", "forward")):
            assert time.monotonic() < deadline, f"the rule after ours does not see it: {rules}"
            time.sleep(0.05)


@sandboxed
def test_the_vhost_gets_answers_from_its_nodes_and_nothing_else(monkeypatch):
    net = Control(monkeypatch, dataclasses.replace(REACH, services=(ServicePlan("tcp", 2049), ServicePlan("udp", 53))))

    def reaches(payload, protocol, **more):
        return net.reaches_vhost(ipv4(VHOST, payload, protocol, to=HOST_MAC, **more))

    assert reaches(tcp(40000, SYN | ACK), TCP) and reaches(tcp(40000, ACK), TCP) and reaches(tcp(40000, RST), TCP) and reaches(bytes(8), ICMP)
    assert reaches(tcp(2049, SYN), TCP) and reaches(udp(53), UDP), "the services that the plan names"
    assert not reaches(tcp(22, SYN), TCP) and not reaches(tcp(53, SYN), TCP) and not reaches(udp(2049), UDP) and not reaches(b"\x08" + bytes(7), ICMP)
    assert not reaches(b"\x05" + bytes(7), ICMP), "a redirect"
    assert not reaches(tcp(22, SYN)[:8], TCP, fragment=0x2000) and not reaches(tcp(22, SYN)[8:], TCP, fragment=1), "flags in a second fragment"
    assert not net.reaches_vhost(ipv4("198.51.100.7", tcp(22, SYN), TCP, to=HOST_MAC)), "the vhost routes for nobody"


@sandboxed
def test_with_reach_all_every_machine_of_the_control_network_is_reached(monkeypatch):
    net = Control(monkeypatch, dataclasses.replace(REACH, scope="all"))
    assert net.passes(ipv4(OTHER, tcp(22, SYN), TCP)) and net.passes(arp(OTHER))
    assert net.reaches_vhost(ipv4(VHOST, tcp(22, SYN), TCP, to=HOST_MAC))


@sandboxed
def test_a_node_of_an_experiment_without_tunnels_sends_nothing_to_those_of_others(monkeypatch):
    lan0 = plan().substrates[0]
    made = made_plan(dataclasses.replace(REACH, scope="all"))
    net = Control(monkeypatch)
    apply_firewall(dataclasses.replace(made, substrates=(lan0,)), PLACE)
    assert net.passes(ipv4(OTHER, udp(9))) and not net.passes(ipv4(OTHER, udp(4789)))


@sandboxed
def test_what_others_send_to_a_node_arrives(monkeypatch):
    net = Control(monkeypatch)
    for source in (OTHER, CONTROLLER):
        assert sent(net.far, ipv4(NODE, tcp(22, SYN), TCP, source=source, to=NODE_MAC, mac=FAR_MAC), net.node), source
