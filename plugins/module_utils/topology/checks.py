# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks whether a topology can be deployed: TopDL allows more than a running experiment supports.

A topology that was read is valid TopDL. These checks cover names (usable as names of hosts, devices and
files), kinds of elements (deployable ones), and attributes (valid addresses and traffic shaping).
They also apply to topologies that were built by a program and never read.
"""

from __future__ import annotations

import re
from collections.abc import Container
from ipaddress import IPv4Address

from ..errors import InputError, Problem
from ..names import INTERFACE_RULE, NODE_RULE, is_interface_name, is_node_name
from .attribute_names import name_warnings
from .attributes import IP4_ADDRESS, IP4_NETMASK, LOSS, LOSS_MODEL, PREFIX, RX_LATENCY, RX_LOSS, RX_RATE, STARTUP, containers_attribute
from .model import Computer, Element, Interface, OtherElement, Topology
from .scope import named, shown

# Names with a fixed meaning for resolvers or for Ansible.
RESERVED_NODES = frozenset(("localhost", "loghost", "all", "ungrouped"))
PNODE = re.compile(r"pnode-[0-9]{4,}", re.IGNORECASE)
# Directories of /proc/sys/net/ipv4/conf that are not devices: the kernel refuses these names. Also the control network's device.
RESERVED_INTERFACES = frozenset(("lo", "all", "default", "control0"))
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LARGEST_NUMBER = 1e15


class _Findings:
    """The errors and warnings about one topology, with the name of its file."""

    def __init__(self, source: str):
        self.source = source
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []

    def error(self, element: Element, label: str, message: str, hint: str = "") -> None:
        self.errors.append(Problem(message, self.source, element.line, label, hint))

    def warn(self, element: Element, label: str, message: str, hint: str = "") -> None:
        self.warnings.append(Problem(message, self.source, element.line, label, hint))


def check_deployable(topology: Topology) -> tuple[Problem, ...]:
    """Check that ``topology`` can be deployed and return warnings about it.

    Raises InputError with all errors that prevent its deployment.
    """
    found = _Findings(topology.source)
    _check_sorts(topology, found)
    _check_substrates(topology, found)
    _check_computers(topology, found)
    substrates = {substrate.name for substrate in topology.substrates}
    for computer in topology.computers:
        label = named("computer", computer.name)
        _check_interface_names(computer, label, found)
        for interface in computer.interfaces:
            inner = f"{label}, {named('interface', interface.name)}"
            _check_attachment(interface, inner, substrates, found)
            _check_address(interface, inner, found)
            _check_traffic(interface, inner, found)
    if found.errors:
        raise InputError(sorted(found.errors, key=lambda problem: problem.line))
    return (*found.warnings, *name_warnings(topology))


def _check_sorts(topology: Topology, found: _Findings) -> None:
    for element in topology.elements:
        if isinstance(element, OtherElement):
            found.error(element, named(element.kind, element.name), f"a {element.kind} cannot be deployed", "only computers can")
    for fragment in topology.fragments:
        found.warn(fragment, named("fragment", fragment.name), "fragments have no effect: regions are not expanded")


def _check_substrates(topology: Topology, found: _Findings) -> None:
    first_lines: dict[str, int] = {}
    for substrate in topology.substrates:
        label = named("substrate", substrate.name)
        if not is_node_name(substrate.name):
            found.error(substrate, label, f"{shown(substrate.name)} is no name for a substrate", NODE_RULE)
        if substrate.name in first_lines:
            found.error(substrate, label, "this name is taken", _first(first_lines[substrate.name]))
        first_lines.setdefault(substrate.name, substrate.line)
        _check_traffic(substrate, label, found)


def _check_computers(topology: Topology, found: _Findings) -> None:
    """Check the names of computers, which become DNS host names and so are case-insensitive."""
    first: dict[str, tuple[str, int]] = {}
    for computer in topology.computers:
        name, label = computer.name, named("computer", computer.name)
        if not is_node_name(name):
            found.error(computer, label, f"{shown(name)} is no name for a computer", NODE_RULE)
        elif name.lower() in RESERVED_NODES:
            found.error(computer, label, "this name already means something else on every host", "another name")
        elif PNODE.fullmatch(name):
            found.error(computer, label, "names like this are those of the physical machines", "another name")
        if name.lower() in first:
            other, line = first[name.lower()]
            same = "this name is taken" if other == name else f"in DNS this is the same name as {shown(other)}"
            found.error(computer, label, same, _first(line))
        first.setdefault(name.lower(), (name, computer.line))
        if "\0" in (computer.attribute(STARTUP) or ""):
            found.error(computer, label, "the start command holds a NUL character")


def _first(line: int) -> str:
    return f"the first to have it is in line {line}" if line else "another name"


def _check_interface_names(computer: Computer, label: str, found: _Findings) -> None:
    seen = set()
    for interface in computer.interfaces:
        inner = f"{label}, {named('interface', interface.name)}"
        if not is_interface_name(interface.name) or interface.name in RESERVED_INTERFACES:
            message = f"{shown(interface.name)} cannot be the name of a network device"
            found.error(interface, inner, message, f"{INTERFACE_RULE}; not {', '.join(sorted(RESERVED_INTERFACES))}")
        if interface.name in seen:
            found.error(interface, inner, "this name is taken on this computer")
        seen.add(interface.name)


def _check_attachment(interface: Interface, label: str, substrates: Container[str], found: _Findings) -> None:
    if len(interface.substrates) != 1:
        number = "several substrates" if interface.substrates else "no substrate"
        found.error(interface, label, f"is attached to {number}", "one interface for each substrate")
    for name in interface.substrates:
        if name not in substrates:
            found.error(interface, label, f"there is no substrate {shown(name)}")


def _check_address(interface: Interface, label: str, found: _Findings) -> None:
    """Check the fixed address, which is optional, and its netmask, by default 255.255.255.0 (spec/semantics.md §1)."""
    address = interface.attribute(IP4_ADDRESS)
    netmask = interface.attribute(IP4_NETMASK)
    if address is None:
        if netmask is not None:
            found.error(interface, label, f"{IP4_NETMASK} is given without {IP4_ADDRESS}", "give both or neither")
        return
    ip = _ipv4(address)
    if ip is None:
        found.error(interface, label, f"{IP4_ADDRESS} is {shown(address)}, not an IPv4 address", "four numbers from 0 to 255, such as 10.0.0.1")
    elif ip.is_loopback or ip.is_multicast or ip.is_link_local or ip.is_reserved or int(ip) >> 24 == 0:
        found.error(interface, label, f"{IP4_ADDRESS} {address} is not the address of a host", "an address such as 10.0.0.1")
        ip = None
    prefix = 24 if netmask is None else _prefix_length(netmask)
    if prefix is None:
        found.error(interface, label, f"{IP4_NETMASK} is {shown(netmask or '')}, not a netmask", "such as 255.255.255.0")
    elif ip is not None:
        _check_host_part(interface, label, ip, prefix, found)


def _check_host_part(interface: Interface, label: str, ip: IPv4Address, prefix: int, found: _Findings) -> None:
    """Refuse a network's own address and its broadcast address; /31 has neither (RFC 3021)."""
    hosts = 2 ** (32 - prefix)
    part = int(ip) % hosts
    if prefix == 32:
        found.error(interface, label, "a netmask of 255.255.255.255 leaves no room for a second member", "such as 255.255.255.0")
    elif prefix < 8:
        found.error(interface, label, "the netmask is too short", "255.0.0.0 or longer")
    elif prefix < 31 and part in (0, hosts - 1):
        what = "broadcast" if part else "network"
        found.error(interface, label, f"{IP4_ADDRESS} {ip} is the {what} address of its subnet", "another host number")


def _ipv4(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def _prefix_length(netmask: str) -> int | None:
    """Return the prefix length of a dotted netmask; None unless its ones come before its zeros."""
    mask = _ipv4(netmask)
    if mask is None:
        return None
    ones = f"{int(mask):032b}".rstrip("0")
    return len(ones) if "0" not in ones else None


def _check_traffic(element: Element, label: str, found: _Findings) -> None:
    """Check that loss is a fraction and that rates and times are numbers (spec/topdl.md "Latency meaning")."""
    loss = [(LOSS, element.attribute(LOSS)), (PREFIX + RX_LOSS, containers_attribute(element, RX_LOSS))]
    for name, text in loss:
        if text is not None and not (_is_number(text) and float(text) <= 1):
            found.error(element, label, f"attribute {name} is {shown(text)}", "a fraction from 0 to 1")
    for name, unit in ((RX_RATE, "kb/s"), (RX_LATENCY, "milliseconds")):
        text = containers_attribute(element, name)
        if text is not None and not _is_number(text):
            found.error(element, label, f"attribute {PREFIX}{name} is {shown(text)}", f"a number of {unit}, 0 or more")
    model = containers_attribute(element, LOSS_MODEL)
    if model not in (None, "hop", "path"):
        found.error(element, label, f"attribute {PREFIX}{LOSS_MODEL} is {shown(model)}", "'hop' or 'path'")


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and float(text) <= _LARGEST_NUMBER
