# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attack hosts and nodes from inside a node, as its root. Sent into the node after tests/unit/host/net/frames.py, whose functions it uses.

The argument is JSON, and knows more than an attacker can:

    node      "mac", "address" of this node on the LAN; "control_mac", "control" of it on the control network
    vhost     "lan_mac": of its bridge on this vhost; "mac", "address" on the control network; "underlay"
    peer      "mac", "address", "underlay" of the other vhost
    victim    "lan_mac", "address" on its LAN; "control_mac", "control", "vni": of its LAN; "name"
    gateway   address on the control network
    tunnel    UDP port of tunnels

Every frame that must not arrive holds ``HOSTILE:NAME:``. Print JSON {"answered": {attack: what came back}}.
"""

# its names come from frames.py
# ruff: noqa: F821
# pylint: disable=undefined-variable
import json
import select
import socket
import struct
import subprocess
import sys
import time

GIVEN = json.loads(sys.argv[1])
LAN, CONTROL, SERVICE = "inf000", "control0", 7777
NODE, VHOST, PEER, VICTIM = (GIVEN[name] for name in ("node", "vhost", "peer", "victim"))
MINE, MY_CONTROL, BRIDGE = mac(NODE["mac"]), mac(NODE["control_mac"]), mac(VHOST["lan_mac"])
VICTIM_MAC = mac(VICTIM["control_mac"])
HOSTS = [VHOST["address"], VHOST["underlay"], PEER["address"], PEER["underlay"]]
SPECIAL = ["127.0.0.1", "169.254.169.254", "224.0.0.1", "224.0.0.251", "255.255.255.255"]
answered = {}


def open_socket(device):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((device, 0))
    return sock


lan, control = open_socket(LAN), open_socket(CONTROL)


def marked(name):
    return b"HOSTILE:" + name.encode() + b":"


def send(sock, name, *frames):
    for frame in frames:
        if isinstance(frame, bytes):
            sock.send(frame + marked(name))


def drain(sock):
    while select.select([sock], [], [], 0)[0]:
        sock.recv(65536)


def listen(name, sock, wanted, limit_s=1.0):
    """Note the frames that come back within the time and that ``wanted`` accepts."""
    deadline = time.monotonic() + limit_s
    while (left := deadline - time.monotonic()) > 0:
        if select.select([sock], [], [], left)[0]:
            frame = sock.recv(65536)
            if wanted(frame):
                answered.setdefault(name, []).append(frame[:60].hex())


def to_service(source, to, sender, target, name, **more):
    text = marked(name)
    return ipv4(source, to, sender, target, udp(SERVICE, text), **more)


def on_the_lan():
    """Attack by the experiment network."""
    drain(lan)
    for target in HOSTS + SPECIAL:
        lan.send(arp(MINE, NODE["address"], target))
        lan.send(arp(MINE, NODE["address"], target, to=BRIDGE))
    subnet = NODE["address"].rpartition(".")[0]
    for number in range(1, 255):
        lan.send(arp(MINE, NODE["address"], f"{subnet}.{number}"))
    listen("ARP sweep of the LAN", lan, lambda frame: frame[12:14] == ARP and frame[20:22] == b"\0\2" and frame[6:12].hex(":") not in NODE["peers"], 2)
    for to in (None, BRIDGE, ALL):
        lan.send(echo6(MINE, to))
    listen("IPv6 sweep of the LAN", lan, lambda frame: frame[12:14] == IPV6 and frame[6:12] != MINE and frame[6:12].hex(":") not in NODE["peers"], 2)
    for to in (None, BRIDGE):
        send(lan, "router advertisement on the LAN", router_advertisement(MINE, to))
    solicitation = router_advertisement(MINE, bytes.fromhex("333300000001"))
    send(lan, "router solicitation", solicitation[:54] + b"\x85" + solicitation[55:])
    for to in (BRIDGE, ALL, bytes.fromhex("01005e0000fb")):
        for target in HOSTS + SPECIAL:
            lan.send(to_service(MINE, to, NODE["address"], target, "packet to the host by its bridge"))
            lan.send(ipv4(MINE, to, NODE["address"], target, tcp(22, SYN, ends=(NODE["address"], target)), TCP))
            lan.send(ipv4(MINE, to, PEER["underlay"], target, vxlan(GIVEN["tunnel"], VICTIM["vni"], inner("tunnel packet by the LAN"))))
    listen("SSH by the LAN", lan, lambda frame: frame[12:14] == IPV4 and frame[23] == TCP and frame[:6] == MINE)
    for kind, to in ((b"\x88\xcc", "0180c200000e"), (b"\x88\x8e", "0180c2000003"), (b"\x88\x08", "0180c2000001"), (b"\x88\x09", "0180c2000002")):
        lan.send(bytes.fromhex(to) + MINE + kind + bytes(50))
    lan.send(bytes.fromhex("0180c2000000") + MINE + b"\x00\x26\x42\x42\x03" + bytes(35))
    for number in range(20000):
        lan.send(ALL[:5] + b"\xfe" + b"\x02\x66" + struct.pack("!I", number) + b"\x88\xb5" + bytes(46))


def inner(name):
    """Return a frame for the victim's LAN, to be put into a tunnel."""
    return mac(VICTIM["lan_mac"]) + MINE + b"\x88\xb5" + marked(name)


def on_the_control_network():
    """Attack by the control network, with the node's own addresses and with those of others."""
    me, address = MY_CONTROL, NODE["control"]
    for claimed in (GIVEN["gateway"], VHOST["address"], PEER["address"], VICTIM["control"]):
        for to in (ALL, VICTIM_MAC, mac(VHOST["mac"]), mac(PEER["mac"])):
            send(control, "ARP spoofing", arp(me, claimed, VICTIM["control"], 2, to), arp(me, claimed, claimed, 1, to))
    for to in (None, VICTIM_MAC, mac(VHOST["mac"]), mac(PEER["mac"])):
        send(control, "router advertisement on the control network", router_advertisement(me, to))
    for to in (VICTIM_MAC, mac(VHOST["mac"]), mac(PEER["mac"]), ALL, bytes.fromhex("01005e0000fb")):
        for target in HOSTS + SPECIAL + [VICTIM["control"]]:
            for sender in (address, GIVEN["gateway"], PEER["underlay"], VICTIM["control"], "127.0.0.1"):
                control.send(to_service(me, to, sender, target, "packet on the control network"))
                control.send(ipv4(me, to, sender, target, vxlan(GIVEN["tunnel"], VICTIM["vni"], inner("tunnel packet by the control network"))))
        send(control, "spoofed MAC address", ipv4(VICTIM_MAC, to, VICTIM["control"], VHOST["address"], udp(9)))
    whole = vxlan(GIVEN["tunnel"], VICTIM["vni"], inner("tunnel packet in fragments"))
    for sender in (address, PEER["underlay"]):
        for target, to in ((VHOST["underlay"], VHOST["mac"]), (PEER["underlay"], PEER["mac"]), (PEER["address"], PEER["mac"])):
            control.send(ipv4(me, mac(to), sender, target, whole[:8], fragment=0x2000))
            control.send(ipv4(me, mac(to), sender, target, whole[8:], fragment=1))
            twice = vxlan(GIVEN["tunnel"], VICTIM["vni"], ipv4(MINE, mac(VICTIM["lan_mac"]), NODE["address"], VICTIM["address"], whole))
            control.send(ipv4(me, mac(to), sender, target, twice))
    for to in (ALL, VICTIM_MAC):
        send(control, "DHCP offer", ipv4(me, to, address, "255.255.255.255", udp(68, bytes(240), 67)))
        send(control, "DHCP request", ipv4(me, to, "0.0.0.0", "255.255.255.255", udp(67, bytes(240), 68)))
        send(control, "redirect", ipv4(me, to, GIVEN["gateway"], VICTIM["control"], b"\x05\x01" + bytes(6), ICMP))
        for tags in (b"\x81\x00\x00\x05", b"\x88\xa8\x00\x05\x81\x00\x00\x05"):
            frame = ipv4(me, to, address, VICTIM["control"], udp(9))
            send(control, "VLAN tags", frame[:12] + tags + frame[12:])
        for kind in (b"\x88\xb5", b"\x88\x64", b"\x88\x47", b"\x80\x35", b"\x00\x10\xaa\xaa\x03"):
            send(control, "other protocols", to + me + kind + bytes(46))
    for kind, to in ((b"\x88\xcc", "0180c200000e"), (b"\x00\x26\x42\x42\x03", "0180c2000000"), (b"\x88\x8e", "0180c2000003"), (b"\x20\x00", "01000ccccccc")):
        send(control, "STP, LLDP and CDP", bytes.fromhex(to) + me + kind + bytes(46))
    drain(control)
    for target in (VHOST["address"], PEER["address"], VICTIM["control"]):
        control.send(ipv4(me, mac(VHOST["mac"]), address, target, tcp(22, SYN, ends=(address, target))[:8], TCP, fragment=0x2000, more=0))
        control.send(ipv4(me, mac(VHOST["mac"]), address, target, tcp(22, SYN, ends=(address, target))[8:], TCP, fragment=1))
        control.send(arp(me, address, VICTIM["control"]))
    listen("raw packets on the control network", control, lambda frame: frame[:6] == me and frame[12:14] == IPV4 and frame[23] == TCP
           and socket.inet_ntoa(frame[26:30]) != GIVEN["controller"])


def connections():
    """Attack by ordinary programs of the node, with neighbours and routes that lead around its resolvers' and routers' tables."""
    for target, to in ((VHOST["address"], VHOST["mac"]), (PEER["address"], PEER["mac"]), (VICTIM["control"], VICTIM["control_mac"]),
                       (VHOST["underlay"], VHOST["mac"]), (PEER["underlay"], PEER["mac"]), ("169.254.169.254", VHOST["mac"])):
        subprocess.run(["ip", "neighbour", "replace", target, "lladdr", to, "dev", CONTROL], check=False)
        subprocess.run(["ip", "route", "replace", f"{target}/32", "dev", CONTROL], check=False)
        try:
            socket.create_connection((target, 22), 1.5).close()
            answered[f"connection to {target}"] = "accepted"
        except ConnectionRefusedError:
            answered[f"connection to {target}"] = "refused"
        except OSError:
            pass
        subprocess.run(["ip", "route", "delete", f"{target}/32", "dev", CONTROL], check=False)
        subprocess.run(["ip", "neighbour", "delete", target, "dev", CONTROL], check=False)


on_the_lan()
on_the_control_network()
connections()
print(json.dumps({"answered": answered}))
