# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare our netlink codec with pyroute2's: processor seconds to encode the requests that make 1,000 process nodes, and to decode what the kernel
lists of 1,000 links and their addresses.

pyroute2's messages and marshal are used without its sockets. Each codec decodes what the other has encoded, and both results are compared.
Exit with status 1 if the two codecs do not agree, or if ours takes longer.

    netlink.py [--nodes N] [--rounds N]
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyroute2 import __version__ as pyroute2_version
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl
from pyroute2.netlink.rtnl.rtmsg import rtmsg

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ansible" / "collections"))

from ansible_collections.deter.benito.plugins.module_utils.host.base import syscalls  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink_messages as nl  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.host.net.marks import NO_IPV6_ADDRESS  # noqa: E402

NODES, ROUNDS = 1000, 5
CREATE, REPLACE = nl.NLM_F_CREATE | nl.NLM_F_EXCL, nl.NLM_F_CREATE | nl.NLM_F_REPLACE
UP = {"ifi_flags": nl.IFF_UP, "ifi_change": nl.IFF_UP}
STRUCTURES = {"ifi": nl.IFINFOMSG, "ifa": nl.IFADDRMSG, "rtm": nl.RTMSG}
CLASSES = {"ifi": ifinfmsg, "ifa": ifaddrmsg, "rtm": rtmsg}
THEIR_FIELDS = {"rtm_protocol": "proto"}  # where theirs is not the kernel's name without its prefix

Request = tuple[int, int, dict[str, int], list[tuple[str, Any]]]  # type, flags, fields of the structure, attributes


def requests_of(number: int) -> list[Request]:
    """Return the requests that make one process node: its veth pair, then what is inside."""
    queues, size, inside = [("IFLA_NUM_TX_QUEUES", 1), ("IFLA_NUM_RX_QUEUES", 1)], ("IFLA_MTU", 1500), 2
    port, alias, address = f"bv{number:013x}", f"benito:Bench.lan:port:n-{number}:inf000", f"10.{number >> 8}.{number & 255}.1"
    peer = [("IFLA_IFNAME", "inf000"), ("IFLA_ADDRESS", f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"), size, *queues, ("IFLA_NET_NS_FD", 7)]
    info = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", [("VETH_INFO_PEER", peer)])]
    ipv4 = {"ifa_family": socket.AF_INET, "ifa_prefixlen": 24, "ifa_index": inside}
    route = {"rtm_family": socket.AF_INET, "rtm_dst_len": 8, "rtm_table": nl.RT_TABLE_MAIN, "rtm_protocol": nl.RTPROT_STATIC, "rtm_type": nl.RTN_UNICAST}
    return [
        (nl.RTM_NEWLINK, CREATE, {"ifi_index": 0}, [("IFLA_IFNAME", port), size, ("IFLA_GROUP", 1 << 30), *queues, ("IFLA_LINKINFO", info)]),
        (nl.RTM_SETLINK, 0, UP, [("IFLA_IFNAME", port), size, ("IFLA_IFALIAS", alias), NO_IPV6_ADDRESS, ("IFLA_MASTER", 3)]),
        (nl.RTM_SETLINK, 0, {"ifi_index": 1, **UP}, []),
        (nl.RTM_SETLINK, 0, {"ifi_index": inside}, [NO_IPV6_ADDRESS]),
        (nl.RTM_NEWADDR, REPLACE, ipv4, [("IFA_LOCAL", address), ("IFA_ADDRESS", address), ("IFA_BROADCAST", address[:-1] + "255")]),
        (nl.RTM_SETLINK, 0, {"ifi_index": inside, **UP}, []),
        (nl.RTM_NEWROUTE, REPLACE, route, [("RTA_DST", "10.0.0.0"), ("RTA_GATEWAY", address[:-1] + "254")]),
    ]


def encode_ours(requests: list[Request]) -> list[bytes]:
    return [nl.message(kind, nl.NLM_F_ACK | flags, sequence, STRUCTURES[next(iter(fields))[:3]].encode(**fields) + nl.encode(attributes))
            for sequence, (kind, flags, fields, attributes) in enumerate(requests)]


def encode_theirs(requests: list[tuple[type, dict]]) -> list[bytes]:
    found = []
    for kind, content in requests:
        message = kind()
        message.update(content)
        message.encode()
        found.append(bytes(message.data))
    return found


def in_their_form(requests: list[Request]) -> list[tuple[type, dict]]:
    """Return the same requests in pyroute2's form. This is not measured."""
    found = []
    for sequence, (kind, flags, fields, attributes) in enumerate(requests):
        names = {THEIR_FIELDS.get(name, name[4:]): value for name, value in fields.items()}
        head = {"type": kind, "flags": nl.NLM_F_REQUEST | nl.NLM_F_ACK | flags, "sequence_number": sequence}
        found.append((CLASSES[next(iter(fields))[:3]], {**names, "header": head, "attrs": nested(attributes)}))
    return found


def nested(attributes: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, {"attrs": nested(value)} if isinstance(value, list) else value) for name, value in attributes]


def plain(attributes: Any) -> Any:
    """Return attributes of either codec as {name: value}, without the fields of nested structures."""
    if isinstance(attributes, list):
        return {name: plain(value) for name, value in attributes}
    if isinstance(attributes, dict) and "attrs" in attributes:
        return plain([(item[0], item[1]) for item in attributes["attrs"]])
    return attributes


def agree_on_requests(requests: list[Request], ours: list[bytes], theirs: list[bytes]) -> bool:
    """Return whether each codec decodes from the other's bytes what was encoded."""
    for (kind, _flags, fields, attributes), mine, other in zip(requests, ours, theirs, strict=True):
        (read_kind, _sequence, body), = nl.messages(other)
        head, found = nl.decode(kind, body)
        if (read_kind, {**head, **fields}, found) != (kind, head, plain(attributes)):
            return False
        message = CLASSES[next(iter(fields))[:3]](mine)  # a marshal reads answers only, of which RTM_SETLINK is none
        message.decode()
        if {name: message[THEIR_FIELDS.get(name, name[4:])] for name in fields} != fields or plain(message) != plain(attributes):
            return False
    return True


def kernel_lists(count: int) -> tuple[list[bytes], list[bytes]]:
    """Return the datagrams of links and those of addresses that the kernel lists for ``count`` links with an address each, in a new namespace."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    lines = [f"link add bv{n} group 7 type veth peer name bw{n}\nlink set bv{n} alias benito:Bench.lan:port:n-{n}:inf000\n"
             f"address add 10.{n >> 8}.{n & 255}.1/24 dev bv{n}\naddress add 10.{n >> 8}.{n & 255}.2/24 dev bw{n}\n" for n in range(count // 2)]
    subprocess.run(["ip", "-batch", "-"], input="".join(lines), text=True, check=True)
    links = nl.IFINFOMSG.encode() + nl.encode([("IFLA_EXT_MASK", nl.RTEXT_FILTER_SKIP_STATS)])
    return datagrams(nl.RTM_GETLINK, links), datagrams(nl.RTM_GETADDR, nl.IFADDRMSG.encode(ifa_family=socket.AF_INET))


def datagrams(kind: int, request: bytes) -> list[bytes]:
    found: list[bytes] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.send(nl.message(kind, nl.NLM_F_DUMP, 1, request))
        while not found or not any(part == nl.NLMSG_DONE for part, _sequence, _body in nl.messages(found[-1])):
            found.append(sock.recv(1 << 18))
    return found


def decode_ours(links: list[bytes], addresses: list[bytes]) -> dict[str, Any]:
    listed = [nl.decode(nl.RTM_NEWLINK, body) for data in links for kind, _sequence, body in nl.messages(data) if kind == nl.RTM_NEWLINK]
    given = [nl.decode(nl.RTM_NEWADDR, body) for data in addresses for kind, _sequence, body in nl.messages(data) if kind == nl.RTM_NEWADDR]
    found: dict[str, Any] = {}
    for head, got in listed:
        found[got["IFLA_IFNAME"]] = (head["ifi_index"], head["ifi_flags"], got["IFLA_MTU"], got["IFLA_ADDRESS"], got["IFLA_GROUP"],
                                     got.get("IFLA_IFALIAS"), got.get("IFLA_LINK"), got.get("IFLA_LINKINFO", {}).get("IFLA_INFO_KIND"))
    found[""] = {(head["ifa_index"], got["IFA_LOCAL"], head["ifa_prefixlen"]) for head, got in given}
    return found


def decode_theirs(links: list[bytes], addresses: list[bytes]) -> dict[str, Any]:
    marshal = MarshalRtnl()
    found: dict[str, Any] = {}
    for message in (message for data in links for message in marshal.parse(data)):
        if message["header"]["type"] == nl.RTM_NEWLINK:
            got, info = message.get_attr, message.get_attr("IFLA_LINKINFO")
            found[got("IFLA_IFNAME")] = (message["index"], message["flags"], got("IFLA_MTU"), got("IFLA_ADDRESS"), got("IFLA_GROUP"), got("IFLA_IFALIAS"),
                                         got("IFLA_LINK"), info.get_attr("IFLA_INFO_KIND") if info else None)
    found[""] = {(message["index"], message.get_attr("IFA_LOCAL"), message["prefixlen"]) for data in addresses for message in marshal.parse(data)
                 if message["header"]["type"] == nl.RTM_NEWADDR}
    return found


def fastest(rounds: int, *pair: Callable[[], Any]) -> list[float]:
    """Return the best processor time of each. They run in turns, so that other work on the machine slows both."""
    seconds: list[list[float]] = [[] for _one in pair]
    for _round in range(rounds):
        for place, run in enumerate(pair):
            started = time.process_time()
            run()
            seconds[place].append(time.process_time() - started)
    return [min(one) for one in seconds]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--nodes", type=int, default=NODES, help="number of nodes, and of links")
    arguments.add_argument("--rounds", type=int, default=ROUNDS, help="number of rounds, of which the best counts")
    given = arguments.parse_args()
    requests = [request for number in range(given.nodes) for request in requests_of(number)]
    other = in_their_form(requests)
    lists = kernel_lists(given.nodes)
    good = {"encode": agree_on_requests(requests, encode_ours(requests), encode_theirs(other)), "decode": decode_ours(*lists) == decode_theirs(*lists),
            "links()": set(netlink.links()) == set(decode_ours(*lists)) - {""}}
    times = {"encode": fastest(given.rounds, lambda: encode_ours(requests), lambda: encode_theirs(other)),
             "decode": fastest(given.rounds, lambda: decode_ours(*lists), lambda: decode_theirs(*lists))}
    print(f"{len(requests):,} requests of {given.nodes:,} nodes; {given.nodes:,} links and their addresses, {sum(map(len, lists[0] + lists[1])):,} bytes\n")
    print(f"processor seconds {'deter.benito':>13} {'pyroute2 ' + pyroute2_version:>16} {'ratio':>7}")
    for name, (ours, theirs) in times.items():
        print(f"{name:17} {ours:13.3f} {theirs:16.3f} {theirs / ours:7.1f}")
    slower = [name for name, (ours, theirs) in times.items() if ours >= theirs]
    different = [name for name, same in good.items() if not same]
    print(f"\n{'MISSED' if different else 'ok    '} both agree{': not in ' + ', '.join(different) if different else ''}")
    print(f"{'MISSED' if slower else 'ok    '} ours takes less{': not in ' + ', '.join(slower) if slower else ''}")
    return int(bool(slower or different))


if __name__ == "__main__":
    sys.exit(main())
