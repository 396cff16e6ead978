# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer of GraphML for NetworkX and for this package's reader. It preserves nodes, links, LANs, addresses and shaping.

A link is an edge. A LAN is a node of type ``lan`` with an edge to each interface, and so is a substrate that an edge cannot hold: with one member
or none, or with two interfaces of one node. If any link or hop is asymmetric, the graph is directed, with one edge for each direction.
Each kind of content that GraphML cannot hold is one warning.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Interface
from xml.sax.saxutils import escape, quoteattr

from ...errors import Problem
from ..attributes import IMAGE, IP4_ADDRESS, IP4_NETMASK, LATENCY_MODEL, LOSS, LOSS_MODEL, NODE_TYPE, RX_LATENCY, RX_LOSS, RX_RATE, STARTUP, containers_name
from ..checks import check_deployable
from ..imports.draft import LABEL, plain_number
from ..imports.names import Names, as_interface_name, as_name
from ..losses import BLANKS, Losses, add_common_losses, first_attributes
from ..model import Attribute, Computer, Interface, Substrate, Topology
from ..ns.hops import ADDS_UP, Port, adds_up, alike, ports_of, way_between
from ..ns.network import HopProfile
from ..problem_log import ProblemLog
from ..scope import shown
from .keys import KIND, KINDS, LANS, SOURCE, TARGET, role_of

_NUMBERS = ("bandwidth", "delay", "loss")
_OF_INTERFACES = (IP4_ADDRESS, IP4_NETMASK, LOSS)
_SHAPING = (RX_RATE, RX_LATENCY, RX_LOSS)
_HEAD = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
_OTHER_MEANING = "left out, as its name means something else in a GraphML file"


def write_graphml(topology: Topology) -> tuple[str, tuple[Problem, ...]]:
    """Return (the GraphML file's text, warnings about content it cannot express). Raises InputError if the topology is not deployable."""
    check_deployable(topology)
    writer = _Writer(topology)
    writer.write()
    return writer.text(), writer.losses.warnings()


class _Writer:
    """A GraphML file being written. Keys are declared in the order of their first use."""

    def __init__(self, topology: Topology):
        self.topology = topology
        self.losses = Losses(topology.source, "a GraphML file")
        self.lines: list[str] = []
        self.keys: dict[tuple[str, str], str] = {}
        self.names = Names(ProblemLog(""))  # those that a reader will give
        attached = topology.attachments()
        self.ports = {one.name: ports_of(one, attached[one.name], topology.latency_model) for one in topology.substrates}
        self.lans = {name for name, ports in self.ports.items() if len(ports) != 2 or ports[0].computer.name == ports[1].computer.name}
        self.directed = any(not alike(*hops) for name in self.ports for hops in self._ways(name))
        for substrate in topology.substrates:
            if adds_up(substrate, attached[substrate.name], topology.latency_model):
                self.losses.add("link or LAN", substrate.name, ADDS_UP, substrate.line)

    def text(self) -> str:
        declared = [
            f"  <key id={quoteattr(key)} for={quoteattr(domain)} attr.name={quoteattr(name)} attr.type={quoteattr(_type(domain, name))}/>"
            for (domain, name), key in self.keys.items()
        ]
        graph = f'  <graph edgedefault="{"directed" if self.directed else "undirected"}">'
        return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', _HEAD, *declared, graph, *self.lines, "  </graph>", "</graphml>", ""])

    def write(self) -> None:
        for name, value in self._pairs("the experiment", self.topology.attributes):
            if containers_name(name) != LATENCY_MODEL:
                self.lines.append(f"    {self._data('graph', name, value)}")
        for computer in self.topology.computers:
            self._computer(computer)
        ids = self._lan_ids()
        for substrate in self.topology.substrates:
            if substrate.name in ids:
                self._lan(substrate, ids[substrate.name])
        for substrate in self.topology.substrates:
            self._edges_of(substrate, ids.get(substrate.name))
        self._lose_order()
        add_common_losses(self.losses, self.topology)

    def _lan_ids(self) -> dict[str, str]:
        """Return {LAN: the id of its node}; the id is its name, unless a computer has that."""
        computers = {computer.name for computer in self.topology.computers}
        return {one.name: f"lan:{one.name}" if one.name in computers else one.name for one in self.topology.substrates if one.name in self.lans}

    def _name(self, what: str, kind: str, wanted: str, name: str, line: int) -> None:
        """Add a loss if a reader will not give a thing of the file the name ``name``."""
        given = self.names.give(kind, wanted, line)
        if given != name:
            message = "another name when the file is read, where nodes and links share one set of names, regardless of case"
            self.losses.add(what, f"{name} ({given})", message, line)

    def _pairs(self, owner: str, attributes: Iterable[Attribute]) -> list[tuple[str, str]]:
        """Return the attributes that data can hold, each once and with a value."""
        pairs = []
        for attribute in first_attributes(self.losses, owner, attributes):
            name, value = attribute.name, attribute.value
            if not value.strip():
                self.losses.add("attribute", f"{shown(name)} of {owner}", "left out, as a GraphML file has none without a value")
            elif name.strip() != name or not name:
                self.losses.add("attribute", f"{shown(name)} of {owner}", "left out, as its name begins or ends with a blank")
            else:
                if value.strip() != value:
                    self.losses.no_place("attribute", f"{shown(name)} of {owner}", BLANKS)
                pairs.append((name, value))
        return pairs

    # --- nodes ---------------------------------------------------------------------------------

    def _computer(self, computer: Computer) -> None:
        pairs: dict[str, str] = {}
        wanted = computer.name
        for name, value in self._pairs(computer.name, computer.attributes):
            known = containers_name(name)
            if name == LABEL and value != computer.name and as_name(value) == computer.name:
                pairs[name] = wanted = value
            elif known in (NODE_TYPE, IMAGE) and value.lower() not in LANS:
                pairs.setdefault(known, value)
            elif known and known != NODE_TYPE or name == STARTUP or not role_of(name, "node") or _is_other_kind(name, value):
                pairs.setdefault(name, value)
            else:
                self.losses.add("attribute", f"{shown(name)} of {computer.name}", _OTHER_MEANING, computer.line)
        for system in computer.operating_systems[:1]:
            pairs.setdefault("os", system.attribute("osid") or system.name)
        if computer.software:
            self.losses.no_place("node", computer.name, "<software>", computer.line)
        self._name("node", "node", wanted, computer.name, computer.line)
        self._element("node", f"id={quoteattr(computer.name)}", pairs.items())

    # --- links and LANs ------------------------------------------------------------------------

    def _ways(self, name: str) -> list[tuple[HopProfile, HopProfile]]:
        """Return the profiles (forward, backward) of each edge: one pair for a link, one per member for a LAN."""
        ports = self.ports[name]
        return [(port.out, port.into) for port in ports] if name in self.lans else [(way_between(*ports), way_between(*ports[::-1]))]

    def _lan(self, substrate: Substrate, node: str) -> None:
        if not self.ports[substrate.name] and (substrate.capacity or substrate.latency or substrate.attribute(LOSS)):
            self.losses.no_place("link or LAN", substrate.name, "capacity, latency and loss without members", substrate.line)
        pairs = [("node_type", LANS[0]), *self._of_substrate(substrate, "node")]
        self._name("link or LAN", "LAN", substrate.name, substrate.name, substrate.line)
        self._element("node", f"id={quoteattr(node)}", [*pairs, *([(LABEL, substrate.name)] if node != substrate.name else [])])

    def _edges_of(self, substrate: Substrate, lan: str | None) -> None:
        ports, ways = self.ports[substrate.name], self._ways(substrate.name)
        if lan is not None:
            for port, hops in zip(ports, ways, strict=True):
                self._edges(port.computer.name, lan, hops, _end(port, SOURCE), _end(port, TARGET), self._of_interface(port, SOURCE))
            return
        first, second = ports
        there = {**_end(first, SOURCE), **_end(second, TARGET)}
        back = {**_end(second, SOURCE), **_end(first, TARGET)}
        more = [(LABEL, substrate.name), *self._of_substrate(substrate, "edge"), *self._of_interface(first, SOURCE), *self._of_interface(second, TARGET)]
        self._name("link or LAN", "link", substrate.name, substrate.name, substrate.line)
        self._edges(first.computer.name, second.computer.name, ways[0], there, back, more)

    def _edges(self, source: str, target: str, hops: tuple[HopProfile, HopProfile], there: dict, back: dict, more: list) -> None:
        self._element("edge", f"source={quoteattr(source)} target={quoteattr(target)}", [*more, *_of_hop(hops[0]), *there.items()])
        if self.directed:
            self._element("edge", f"source={quoteattr(target)} target={quoteattr(source)}", [*_of_hop(hops[1]), *back.items()])

    def _of_substrate(self, substrate: Substrate, domain: str) -> list[tuple[str, str]]:
        pairs = []
        for name, value in self._pairs(substrate.name, substrate.attributes):
            known = containers_name(name)
            if name == LOSS or known == LOSS_MODEL:
                continue
            if role_of(name, domain) and (not known or known == NODE_TYPE) or domain == "edge" and name.startswith((SOURCE, TARGET)):
                self.losses.add("attribute", f"{shown(name)} of {substrate.name}", _OTHER_MEANING, substrate.line)
            else:
                pairs.append((name, value))
        return pairs

    def _of_interface(self, port: Port, side: str) -> list[tuple[str, str]]:
        """Return the attributes of an interface as data of its edge."""
        interface = port.interface
        written = [one for one in interface.attributes if one.name not in _OF_INTERFACES and containers_name(one.name) not in _SHAPING]
        if _label(interface):
            written = [one for one in written if one.name != LABEL]
        return [(side + name, value) for name, value in self._pairs(f"{port.computer.name}, interface {interface.name}", written)]

    def _lose_order(self) -> None:
        """Add nodes whose interfaces will be in another order: a reader numbers them in the order of the edges."""
        order = {substrate.name: number for number, substrate in enumerate(self.topology.substrates)}
        for computer in self.topology.computers:
            numbers = [order[interface.substrate] for interface in computer.interfaces]
            if numbers != sorted(numbers):
                self.losses.no_place("node", computer.name, "the order of interfaces, which is that of links and LANs", computer.line)

    # --- XML -----------------------------------------------------------------------------------

    def _element(self, tag: str, attributes: str, pairs: Iterable[tuple[str, str]]) -> None:
        data = [self._data(tag, name, value) for name, value in pairs if value]
        if not data:
            self.lines.append(f"    <{tag} {attributes}/>")
            return
        self.lines += [f"    <{tag} {attributes}>", *(f"      {one}" for one in data), f"    </{tag}>"]

    def _data(self, domain: str, name: str, value: str) -> str:
        key = self.keys.setdefault((domain, name), f"d{len(self.keys)}")
        return f"<data key={quoteattr(key)}>{escape(value, {chr(13): '&#13;'})}</data>"


def _end(port: Port, side: str) -> dict[str, str]:
    """Return the data of one end of an edge: the interface and its address."""
    word = side.rstrip(":")
    pairs = {f"{word}_interface": _label(port.interface) or port.interface.name}
    address = port.interface.attribute(IP4_ADDRESS)
    if address is not None:
        pairs[f"{word}_address"] = str(IPv4Interface(f"{address}/{port.interface.attribute(IP4_NETMASK, '255.255.255.0')}"))
    return pairs


def _label(interface: Interface) -> str:
    """Return the name that an interface had before it got a valid one, if a reader makes the same name of it; else ""."""
    label = interface.attribute(LABEL, "") or ""
    return label if label.strip() == label != interface.name and as_interface_name(label) == interface.name else ""


def _is_other_kind(name: str, value: str) -> bool:
    """Return whether this is a ``kind`` that a reader keeps as an attribute."""
    return role_of(name, "node") == KIND and value.lower() not in (*KINDS, *LANS)


def _of_hop(hop: HopProfile) -> list[tuple[str, str]]:
    return [(name, plain_number(value)) for name, value in zip(_NUMBERS, (hop.kbps, hop.delay_ms, hop.loss), strict=True) if value]


def _type(domain: str, name: str) -> str:
    return "double" if domain == "edge" and name in _NUMBERS else "string"
