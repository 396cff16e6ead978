# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks at the end of the file, as ``$ns run`` does them (ns.md §2, §5, §8)."""

from __future__ import annotations

import re
from ipaddress import IPv4Network

from ..scope import shown
from .network import Attachment, Medium, Node
from .reading import Reading

_NAME = re.compile(r"[A-Za-z0-9-]+")
_NAME_RULE = "letters, digits and '-'"
_LONGEST_NAME = 32
_MOST_PORTS = 99
_MOST_MEMBERS = 4099


def conclude(reading: Reading) -> None:
    """Report all errors of the network as a whole."""
    for node in reading.network.nodes:
        _check_node(reading, node)
    for medium in reading.network.media:
        _check_medium(reading, medium)
    for node in reading.network.nodes:
        _check_routes(reading, node)
    _check_addresses(reading)
    command = reading.network.first_testbed_command
    if command and not reading.network.compatible:
        location, name = command
        if reading.profile.strict:
            reading.found.error(location, name, "is not known before tb_compat.tcl is read", "source tb_compat.tcl")
        else:
            reading.found.once("tb_compat.tcl", location, name, "an Emulab site would not know it", "source tb_compat.tcl")


def _check_name(reading: Reading, kind: str, thing: Node | Medium) -> None:
    name = thing.name
    element = f"{kind} {shown(name)}"
    if not _NAME.fullmatch(name):
        wrong = " and ".join(dict.fromkeys(shown(character) for character in name if not _NAME.fullmatch(character))) or "nothing"
        reading.found.error(thing.location, element, f"the name has {wrong} in it", _NAME_RULE)
    elif len(name) > _LONGEST_NAME:
        reading.found.error(thing.location, element, f"the name has {len(name)} characters", f"at most {_LONGEST_NAME}")
    elif name.startswith("-"):
        reading.found.error(thing.location, element, "the name begins with '-'", "a letter first")
    elif not name[0].isalpha() or name.endswith("-"):
        reading.found.warn("names", thing.location, element, "not every program takes this for a host name", "a letter first, no '-' at the end")


def _check_node(reading: Reading, node: Node) -> None:
    _check_name(reading, "node", node)
    found, element = reading.found, f"node {node.name}"
    if node.name.lower() == "ops":
        found.error(node.location, element, "this name is reserved", "another name")
    if node.bridge:
        found.error(node.location, element, "a bridge cannot be deployed", "a node")
    if not reading.profile.strict:
        return
    if node.start_command is not None and len(node.name) + len("_startcmd") > _LONGEST_NAME:
        found.error(node.location, element, "its name is too long for a node with a start command", f"at most {_LONGEST_NAME - len('_startcmd')} characters")
    if len(node.attachments) > _MOST_PORTS:
        found.error(node.location, element, f"is on {len(node.attachments)} links and LANs", f"at most {_MOST_PORTS}")


def _check_medium(reading: Reading, medium: Medium) -> None:
    _check_name(reading, "LAN" if medium.kind == "lan" else "link", medium)
    element = f"{'LAN' if medium.kind == 'lan' else 'link'} {medium.name}"
    if len(medium.members) < 2:
        number = "one member" if medium.members else "no member"
        if not (medium.kind == "link" and reading.found.has_errors):
            reading.found.error(medium.location, element, f"has {number}", "at least two")
    if reading.profile.strict and len(medium.members) > _MOST_MEMBERS:
        reading.found.error(medium.location, element, f"has {len(medium.members):,} members", f"at most {_MOST_MEMBERS:,}")


# --- routes ------------------------------------------------------------------------------------


def _check_routes(reading: Reading, node: Node) -> None:
    seen = set()
    for destination, hop, location in node.routes:
        who = f"{node.name} add-route"
        if id(destination) in seen:
            reading.found.error(location, who, f"there is a route to {destination.name} already")
        seen.add(id(destination))
        if isinstance(destination, Node) and len(destination.attachments) != 1:
            number = len(destination.attachments) or "no"
            reading.found.error(location, who, f"{destination.name} has {number} interfaces", "a node with one interface, or a link: [$ns link a b]")
        if hop is node or reading.network.between(node, hop) is None:
            reading.found.error(location, who, f"the next hop {hop.name} is on no link or LAN of {node.name}")


# --- addresses ---------------------------------------------------------------------------------


def _check_addresses(reading: Reading) -> None:
    """Report impossible addresses as errors, and as warnings those that Emulab accepts but no network would work with.

    Planning reports what the subnets of an experiment mean, for all formats.
    """
    owners: dict[str, str] = {}
    for medium in reading.network.media:
        for member in medium.members:
            if member.ip is None:
                continue
            _check_host_part(reading, member, IPv4Network(f"{member.ip}/{medium.netmask}", strict=False))
            if member.ip in owners:
                place = member.ip_place or medium.location
                reading.found.warn("addresses given twice", place, member.node.name, f"{member.ip} is the address of {owners[member.ip]}, too")
            owners.setdefault(member.ip, member.node.name)


def _check_host_part(reading: Reading, member: Attachment, network: IPv4Network) -> None:
    if network.prefixlen < 31 and member.ip in (str(network.network_address), str(network.broadcast_address)):
        bits = "zeros" if member.ip == str(network.network_address) else "ones"
        reading.found.error(member.ip_place or member.medium.location, member.node.name, f"{member.ip} has only {bits} in its host part",
                            f"an address within {network}")
