# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why the kernel refused a netlink request: what is in the way, whose it is, and which setting helps.

The kernel answers with an error number, and often with a sentence. The request itself says what it was about.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator

from ..base.os_errors import general_reason, holders_of_socket
from . import netlink_messages as nl
from .netlink_messages import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from .link import Link

    Listing = Callable[[], dict[str, Link]]
    Dump = Callable[[int, bytes], Iterator[bytes]]

_OURS = "benito:"
_MOST_PORTS = 1023  # of a bridge, BR_MAX_PORTS of the kernel but one


def explained(request: bytes, number: int, said: str, links: Listing, dump: Dump) -> str:
    """Return the error as text: its name, what the kernel said, and what was found out about it.

    request  the message that was refused
    said     the sentence of the kernel, or ""
    links    lists the devices of the current network namespace
    dump     lists addresses and routes, see netlink.py
    """
    kind, _sequence, body = next(nl.messages(request))
    try:
        if kind in (nl.RTM_NEWLINK, nl.RTM_SETLINK):
            more = _about_link(body, number, links())
        elif kind == nl.RTM_NEWADDR and number in (errno.EEXIST, errno.EADDRINUSE):
            more = _about_address(body, links(), dump)
        elif kind == nl.RTM_NEWROUTE and number == errno.EEXIST:
            more = _about_route(body, links(), dump)
        else:
            more = ""
    except (KeyError, ValueError, OSError):  # what is in the way may go while it is looked at
        more = ""
    return ": ".join(part for part in (os.strerror(number), said.rstrip("."), more or general_reason(number)) if part)


def _about_link(body: bytes, number: int, live: dict[str, Link]) -> str:
    head, attributes = nl.decode(nl.RTM_NEWLINK, body)
    name = attributes.get("IFLA_IFNAME") or next((link.name for link in live.values() if link.index == head["ifi_index"]), "")
    info = attributes.get("IFLA_LINKINFO", {})
    kind, data, link = info.get("IFLA_INFO_KIND", ""), info.get("IFLA_INFO_DATA", {}), live.get(name)
    if number == errno.EADDRINUSE:
        port = data.get("IFLA_VXLAN_PORT") or (link.data.get("IFLA_VXLAN_PORT") if link else 0)
        return _about_port(port, name, live) if port else ""
    if number == errno.EEXIST and kind:
        return _about_name(name, data, live)
    if number == errno.EXFULL:
        return f"a bridge has at most {_MOST_PORTS} members: give the substrate fewer nodes on this host"
    if number in (errno.EBUSY, errno.EINVAL) and link and attributes.get("IFLA_MASTER"):
        return _about_user(link, live)
    if number == errno.EOPNOTSUPP and kind:
        return f"this kernel makes no devices of the kind {kind}: it needs its module ({kind}), or a kernel that has it"
    if number == errno.ENODEV and not kind:
        return f"{name or 'the device'} is gone: another program or a person has removed it. Apply again"
    return ""


def _about_port(port: int, name: str, live: dict[str, Link]) -> str:
    """Return who has the UDP port of a tunnel. Devices that take every identifier share it with no other device."""
    remedy = ("stop that, or set another vxlan_port in the experiment's site.yml (for a new experiment: containerize -e vxlan_port=NUMBER) "
              "and swap in again")
    others = [link for link in live.values() if link.data.get("IFLA_VXLAN_PORT") == port and link.name != name and not link.alias.startswith(_OURS)]
    taking = [link for link in others if link.data.get("IFLA_VXLAN_COLLECT_METADATA")] or others
    if taking:
        every = taking[0].data.get("IFLA_VXLAN_COLLECT_METADATA")
        return f"UDP port {port} belongs to {_whose(taking[0])}, {'for every identifier' if every else 'with other options'}: {remedy}"
    processes = holders_of_socket("udp", port)
    if processes:
        return f"UDP port {port} belongs to {processes}: {remedy}"
    return (f"UDP port {port} belongs to the kernel, for a tunnel whose device is in another network namespace (as Docker Swarm's are) "
            f"or of another kind: {remedy}")


def _about_name(name: str, data: dict[str, Any], live: dict[str, Link]) -> str:
    """Return what exists already: a device of that name, a tunnel with that identifier, or another end of the wire."""
    if name in live:
        return f"the name {name} belongs to {_whose(live[name])}"
    try:
        index = socket.if_nametoindex(name)
    except OSError:
        index = 0
    owner = next((link for link in live.values() if link.index == index), None)
    if owner:
        return f"{name} is another name of {_whose(owner)}"
    vni, port = data.get("IFLA_VXLAN_ID"), data.get("IFLA_VXLAN_PORT")
    same = [link for link in live.values() if (link.data.get("IFLA_VXLAN_ID"), link.data.get("IFLA_VXLAN_PORT")) == (vni, port)] if vni else []
    if same:
        return f"the identifier {vni} on UDP port {port} belongs to {_whose(same[0])}: swap in again"
    peer = data.get("VETH_INFO_PEER", {}).get("IFLA_IFNAME", "")
    if peer:
        whose = f" belongs to {_whose(live[peer])}" if peer in live else " exists in the node's network"
        return f"the name {peer} of the other end{whose}"
    return ""


def _about_user(link: Link, live: dict[str, Link]) -> str:
    """Return who uses a device that cannot become a member of a bridge."""
    above = [other for other in live.values() if other.peer == link.name and other.kind not in ("veth", "vlan", "")]
    if above:
        return f"{link.name} carries {_whose(above[0])}: remove that, or take another interface"
    if link.master:
        return f"{link.name} is a member of {_whose(live[link.master])}" if link.master in live else f"{link.name} is a member of {link.master}"
    return ""


def _about_address(body: bytes, live: dict[str, Link], dump: Dump) -> str:
    wanted = nl.decode(nl.RTM_NEWADDR, body)[1].get("IFA_LOCAL")
    names = {link.index: link for link in live.values()}
    for found in dump(nl.RTM_GETADDR, nl.IFADDRMSG.encode()):
        head, attributes = nl.decode(nl.RTM_NEWADDR, found)
        if attributes.get("IFA_LOCAL", attributes.get("IFA_ADDRESS")) == wanted and head["ifa_index"] in names:
            return f"{wanted} is an address of {_whose(names[head['ifa_index']])}"
    return ""


def _about_route(body: bytes, live: dict[str, Link], dump: Dump) -> str:
    head, wanted = nl.decode(nl.RTM_NEWROUTE, body)
    names = {link.index: link.name for link in live.values()}
    for found in dump(nl.RTM_GETROUTE, nl.RTMSG.encode(rtm_family=head["rtm_family"])):
        other, attributes = nl.decode(nl.RTM_NEWROUTE, found)
        if (other["rtm_dst_len"], other["rtm_table"], attributes.get("RTA_DST")) == (head["rtm_dst_len"], head["rtm_table"], wanted.get("RTA_DST")):
            way = [f"via {attributes['RTA_GATEWAY']}"] if "RTA_GATEWAY" in attributes else []
            way += [f"dev {names.get(attributes['RTA_OIF'], attributes['RTA_OIF'])}"] if "RTA_OIF" in attributes else []
            to = f"{wanted.get('RTA_DST', '0.0.0.0')}/{head['rtm_dst_len']}"
            return f"there is a route to {to} {' '.join(way)} already: remove it, or give the topology other addresses"
    return ""


def _whose(link: Link) -> str:
    """Return a device as text: its name, its kind, and its owner as far as its alias tells."""
    kind = link.kind or "network card"
    if link.alias.startswith(_OURS):
        return f"{link.name} ({kind} of {link.alias.split(':')[1]})"
    return f"{link.name} ({kind} of another program)" if link.kind else f"{link.name} ({kind})"
