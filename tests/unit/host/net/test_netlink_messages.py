# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The netlink codec: what is written is read again, and what the kernel says is read as iproute2 reads it."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink_messages as nl
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

VETH = [("IFLA_IFNAME", "bva0"), ("IFLA_MTU", 1500), ("IFLA_GROUP", 7), ("IFLA_LINKINFO", [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", [
    ("VETH_INFO_PEER", [("IFLA_IFNAME", "inf000"), ("IFLA_ADDRESS", "02:00:00:00:00:01"), ("IFLA_NET_NS_FD", 9)])])])]
ROUTE = [("RTA_DST", "10.0.0.0"), ("RTA_GATEWAY", "10.0.0.254"), ("RTA_OIF", 3), ("RTA_PREFSRC", "2001:db8::1")]


def plain(value):
    """Lists of (name, value) as they are read: as {name: value}."""
    return {name: plain(inner) for name, inner in value} if isinstance(value, list) else value


@pytest.mark.parametrize(("kind", "structure", "fields", "attributes"), [
    (nl.RTM_NEWLINK, nl.IFINFOMSG, {"ifi_index": 4, "ifi_flags": nl.IFF_UP, "ifi_change": nl.IFF_UP}, VETH),
    (nl.RTM_NEWLINK, nl.IFINFOMSG, {}, [("IFLA_AF_SPEC", [("AF_INET6", [("IFLA_INET6_ADDR_GEN_MODE", 1)])])]),
    (nl.RTM_NEWADDR, nl.IFADDRMSG, {"ifa_family": 2, "ifa_prefixlen": 24, "ifa_index": 3}, [("IFA_LOCAL", "10.0.0.1"), ("IFA_LABEL", "eth0:x")]),
    (nl.RTM_NEWROUTE, nl.RTMSG, {"rtm_family": 2, "rtm_dst_len": 16, "rtm_table": nl.RT_TABLE_MAIN, "rtm_scope": nl.RT_SCOPE_LINK}, ROUTE),
    (nl.RTM_NEWNEIGH, nl.NDMSG, {"ndm_family": 7, "ndm_ifindex": 5, "ndm_state": 0xC0}, [("NDA_LLADDR", "00:00:00:00:00:00"), ("NDA_DST", "192.0.2.2")]),
])
def test_what_is_written_is_read_again_by_the_same_names(kind, structure, fields, attributes):
    body = structure.encode(**fields) + nl.encode(attributes)
    head, found = nl.decode(kind, body)
    assert {name: value for name, value in head.items() if value} == fields
    assert found == plain(attributes)
    assert structure.encode(**head) + nl.encode_raw(nl.decode_raw(kind, body)[1]) == body, "nothing is lost where values are only handed on"


def test_messages_of_a_datagram_are_told_apart_whatever_their_lengths():
    sent = [(nl.RTM_NEWLINK, 1, b"a"), (nl.RTM_DELLINK, 2, b""), (nl.RTM_NEWADDR, 3, b"abcd")]
    datagram = b"".join(nl.message(kind, 0, sequence, body) for kind, sequence, body in sent)
    assert list(nl.messages(datagram)) == sent
    assert list(nl.messages(datagram[:20])) == sent[:1] and list(nl.messages(bytes(16))) == []


def test_attributes_without_a_name_and_cut_off_ones_do_no_harm():
    unknown = bytes([8, 0, 0xFE, 0x3F, 1, 2, 3, 4])
    body = nl.IFINFOMSG.encode() + unknown + nl.encode([("IFLA_MTU", 1400)]) + b"\x03\x00\x04\x00"
    assert nl.decode(nl.RTM_NEWLINK, body)[1] == {"IFLA_MTU": 1400}
    assert nl.decode_raw(nl.RTM_NEWLINK, body)[1] == {0x3FFE: bytes([1, 2, 3, 4]), "IFLA_MTU": (1400).to_bytes(4, "little")}


def test_what_is_only_read_cannot_be_written():
    with pytest.raises(NotImplementedError, match="only decoded"):
        nl.encode([("RTA_MULTIPATH", [3])])


@sandboxed
def test_live_devices_are_read_as_iproute2_reads_them():
    subprocess.run(["ip", "-batch", "-"], check=True, text=True, input="""\
link set lo up
link add br0 mtu 1400 address 02:00:00:00:00:01 group 5 type bridge stp_state 1 forward_delay 200 mcast_snooping 0
link set br0 alias it's-a-bridge
link add v0 type veth peer name v1
link set v0 master br0 up
link add vx0 type vxlan id 42 dstport 4789 local 192.0.2.1 group 239.1.1.1 dev v0
tuntap add t0 mode tap
address add 192.0.2.1/24 dev v0
address add 192.0.2.2/32 dev v0
route add 10.0.0.0/8 via 192.0.2.9
route add default via 192.0.2.8
""")
    found = netlink.links()
    for entry in netlink.ip_json("-details", "link", "show"):
        link, info = found[entry["ifname"]], entry.get("linkinfo", {})
        assert (link.index, link.up, link.mtu, link.alias) == (entry["ifindex"], "UP" in entry["flags"], entry["mtu"], entry.get("ifalias", ""))
        assert (link.mac_address, link.master, link.peer) == (entry["address"], entry.get("master", ""), entry.get("link") or "")
        assert (link.kind, str(link.group)) == (info.get("info_kind", ""), entry["group"].replace("default", "0"))
    assert (found["br0"].data["IFLA_BR_STP_STATE"], found["br0"].data["IFLA_BR_FORWARD_DELAY"], found["br0"].data["IFLA_BR_MCAST_SNOOPING"]) == (1, 200, 0)
    assert [found["vx0"].data[f"IFLA_VXLAN_{name}"] for name in ("ID", "PORT", "LOCAL", "GROUP")] == [42, 4789, "192.0.2.1", "239.1.1.1"]
    index = found["v0"].index
    assert netlink.ipv4_addresses() == {(1, "127.0.0.1/8"), (index, "192.0.2.1/24"), (index, "192.0.2.2/32")}
    assert netlink.ipv4_gateway_routes() == {("10.0.0.0/8", "192.0.2.9"), ("0.0.0.0/0", "192.0.2.8")}
