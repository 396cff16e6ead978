# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel refuses is explained, in a kernel of its own: what is in the way, whose it is, which setting helps."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink, refusals
from ansible_collections.deter.benito.plugins.module_utils.host.net.link import Link
from ansible_collections.deter.benito.plugins.module_utils.host.net.netlink import Batch
from ansible_collections.deter.benito.plugins.module_utils.host.net.substrates import apply_network
from ansible_collections.deter.benito.plugins.module_utils.host.net.tap import make_tap, open_tap
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, TUNNEL, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

PATHS = ExperimentPaths("Proj.exp")
TAKEN = f"tunnel {TUNNEL.device} of substrate lan1: Address already in use: UDP port 4789 belongs to "
REMEDY = "stop that, or set another vxlan_port in the experiment's site.yml (for a new experiment: containerize -e vxlan_port=NUMBER) and swap in again"


def ip(*commands):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)


def refused(action, *arguments):
    with pytest.raises(HostError) as caught:
        action(*arguments)
    return str(caught.value)


def sent(add):
    """Return the message of the batch that ``add`` fills."""
    batch = Batch()
    add(batch)
    return refused(batch.send)


def underlay():
    ip("link set lo up", "link add eth1 mtu 1600 type veth peer name far1", "link set eth1 up", "link set far1 up", f"address add {LOCAL}/24 dev eth1")


def new_link(name, kind, *attributes, data=()):
    return lambda batch: batch.add_link(name, [("IFLA_IFNAME", name), *attributes, ("IFLA_LINKINFO", [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", data)])])


@sandboxed
def test_a_tunnel_port_that_a_device_has_for_every_identifier_is_named_with_the_device_and_the_setting():
    underlay()
    ip("link add vx0 type vxlan external dstport 4789", "link set vx0 up")
    assert refused(apply_network, plan(), PATHS) == f"{TAKEN}vx0 (vxlan of another program), for every identifier: {REMEDY}"
    ip("link delete vx0")
    apply_network(plan(), PATHS)
    assert netlink.links()[TUNNEL.device].up


@sandboxed
def test_a_tunnel_port_that_a_program_has_is_named_with_the_process():
    underlay()
    program = "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 4789)); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with open(f"/proc/{holder.pid}/comm", encoding="utf-8") as stream:
            name = stream.read().strip()
        assert refused(apply_network, plan(), PATHS) == f"{TAKEN}process {holder.pid} ({name}): {REMEDY}"
        holder.stdin.close()
    apply_network(plan(), PATHS)


@sandboxed
def test_a_tunnel_port_whose_device_is_in_another_namespace_is_the_kernels():
    underlay()
    with subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE) as other:
        while os.readlink(f"/proc/{other.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            pass
        ip("link add vx0 type vxlan external dstport 4789", f"link set vx0 netns {other.pid}")
        subprocess.run(["nsenter", f"--net=/proc/{other.pid}/ns/net", "ip", "link", "set", "vx0", "up"], check=True)
        message = refused(apply_network, plan(), PATHS)
        assert message.startswith(f"{TAKEN}the kernel, for a tunnel whose device is in another network namespace (as Docker Swarm's are) or of another kind: ")
        other.stdin.close()


@sandboxed
def test_an_identifier_that_another_tunnel_has_is_named_with_that_tunnel():
    underlay()
    ip(f"link add vx1 type vxlan id {TUNNEL.vni} dstport 4789 local {LOCAL} learning", "link set vx1 alias benito:Other.exp:tunnel:lan")
    message = refused(apply_network, plan(), PATHS)
    assert message.endswith(f"the identifier {TUNNEL.vni} on UDP port 4789 belongs to vx1 (vxlan of Other.exp): swap in again")
    assert "File exists: A VXLAN device with the specified VNI already exists: " in message, "what the kernel says itself is told, too"


@sandboxed
def test_a_name_that_exists_is_named_with_its_owner():
    ip("link add bbx type bridge", "link add other0 type bridge", "link property add dev other0 altname another-name")
    assert sent(new_link("bbx", "bridge")) == "bbx: File exists: the name bbx belongs to bbx (bridge of another program)"
    assert sent(new_link("another-name", "bridge")).endswith("another-name is another name of other0 (bridge of another program)")
    peer = [("VETH_INFO_PEER", [("IFLA_IFNAME", "bbx")])]
    assert sent(new_link("bvnew", "veth", data=peer)).endswith("the name bbx of the other end belongs to bbx (bridge of another program)")


@sandboxed
def test_a_route_that_exists_is_named_with_its_device():
    underlay()
    ip("route add 10.9.0.0/16 via 192.0.2.7")
    message = sent(lambda batch: batch.route("route to 10.9.0.0/16", "10.9.0.0/16", "192.0.2.8", replace=False))
    assert message == ("route to 10.9.0.0/16: File exists: there is a route to 10.9.0.0/16 via 192.0.2.7 dev eth1 already: "
                       "remove it, or give the topology other addresses")


@sandboxed
def test_an_address_that_exists_is_named_with_its_device():
    underlay()
    body = netlink._ipv4_address(socket.if_nametoindex("eth1"), 24) + netlink.nl.encode([("IFA_LOCAL", LOCAL), ("IFA_ADDRESS", LOCAL)])
    message = sent(lambda batch: batch.request("address", netlink.nl.RTM_NEWADDR, netlink.nl.NLM_F_CREATE | netlink.nl.NLM_F_EXCL, body))
    assert message.endswith(f"{LOCAL} is an address of eth1 (veth of another program)") and message.startswith("address: File exists")


@sandboxed
def test_a_device_that_carries_another_cannot_join_a_bridge_and_the_other_is_named():
    underlay()
    ip("link add mv0 link eth1 type macvlan", "link add bbx type bridge")
    message = sent(lambda batch: batch.set_link("uplink eth1", [("IFLA_IFNAME", "eth1"), ("IFLA_MASTER", socket.if_nametoindex("bbx"))]))
    assert "busy" in message and message.endswith("eth1 carries mv0 (macvlan of another program): remove that, or take another interface")


@sandboxed
def test_a_kind_of_device_that_the_kernel_lacks_is_named():
    message = sent(new_link("odd0", "nosuchkind"))
    assert message.startswith("odd0: Operation not supported: Unknown device type: this kernel makes no devices of the kind nosuchkind")


@sandboxed
def test_a_device_that_is_gone_is_told_so():
    message = sent(lambda batch: batch.set_link("port bvgone", [("IFLA_IFNAME", "bvgone")], up=True))
    assert message == "port bvgone: No such device: bvgone is gone: another program or a person has removed it. Apply again"


@sandboxed
def test_a_tap_that_a_program_has_open_is_named_with_the_process():
    make_tap("bvtap")
    holder = open_tap("bvtap")
    with open("/proc/self/comm", encoding="utf-8") as stream:
        mine = f"process {os.getpid()} ({stream.read().strip()})"
    assert refused(open_tap, "bvtap") == f"tap bvtap: Device or resource busy: it is in use by {mine}"
    os.close(holder)
    os.close(open_tap("bvtap"))


@sandboxed
def test_a_bridge_that_is_full_is_told_so():
    ip("link add bbx type bridge", *(f"link add d{number} master bbx type veth peer name e{number}" for number in range(1023)), "link add last type bridge",
       "link add d9999 type veth peer name e9999")
    message = sent(lambda batch: batch.set_link("port d9999", [("IFLA_IFNAME", "d9999"), ("IFLA_MASTER", socket.if_nametoindex("bbx"))]))
    assert message.endswith("a bridge has at most 1023 members: give the substrate fewer nodes on this host")


def test_every_error_has_the_kernels_words_first():
    request = netlink.nl.message(netlink.nl.RTM_DELLINK, 0, 1, netlink.nl.IFINFOMSG.encode(ifi_index=1))
    assert refusals.explained(request, 22, "some text.", dict, lambda _kind, _body: iter(())) == "Invalid argument: some text"
    assert re.match("No buffer space available: the kernel has no buffer", refusals.explained(request, 105, "", dict, lambda _kind, _body: iter(())))


def test_a_network_card_of_the_name_is_no_other_programs():
    body = netlink.nl.IFINFOMSG.encode() + netlink.nl.encode([("IFLA_IFNAME", "inf000"), ("IFLA_LINKINFO", [("IFLA_INFO_KIND", "veth")])])
    request = netlink.nl.message(netlink.nl.RTM_NEWLINK, 0, 1, body)
    card = Link("inf000", 3, True, 1500, "52:54:00:00:00:01", "", 0, "", "", "", {})
    text = refusals.explained(request, 17, "", lambda: {"inf000": card}, lambda _kind, _body: iter(()))
    assert text == "File exists: the name inf000 belongs to inf000 (network card)"
