# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer of GraphML for NetworkX and for this package's reader. It preserves nodes, links, LANs, addresses and shaping.

A link is an edge. A LAN is a node of type ``lan`` with an edge to each member. If any link or hop is asymmetric, the graph is directed, with
one edge for each direction.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Interface
from xml.sax.saxutils import escape, quoteattr

from ...errors import Problem
from ..attributes import IMAGE, IP4_ADDRESS, IP4_NETMASK, LATENCY_MODEL, LOSS, LOSS_MODEL, NODE_TYPE, RX_LATENCY, RX_LOSS, RX_RATE, STARTUP, containers_name
from ..checks import check_deployable
from ..imports.draft import plain_number
from ..model import Computer, Element, Substrate, Topology
from ..ns.hops import Port, ports_of, way_between
from ..ns.network import HopProfile
from ..scope import named, shown
from .keys import LANS, role_of

_NUMBERS = ("bandwidth", "delay", "loss")
_OF_INTERFACES = (IP4_ADDRESS, IP4_NETMASK, LOSS)
_SHAPING = (RX_RATE, RX_LATENCY, RX_LOSS)
_HEAD = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'


def write_graphml(topology: Topology) -> tuple[str, tuple[Problem, ...]]:
    """Return (the GraphML file's text, warnings about content it cannot express). Raises InputError if the topology is not deployable."""
    check_deployable(topology)
    writer = _Writer(topology)
    writer.write()
    return writer.text(), tuple(writer.warnings)


class _Writer:
    """A GraphML file being written. Keys are declared in the order of their first use."""

    def __init__(self, topology: Topology):
        self.topology = topology
        self.warnings: list[Problem] = []
        self.lines: list[str] = []
        self.keys: dict[tuple[str, str], str] = {}
        attached = topology.attachments()
        self.ports = {one.name: ports_of(one, attached[one.name], topology.latency_model) for one in topology.substrates}
        self.directed = any(not _alike(*hops) for ports in self.ports.values() for hops in self._ways(ports))

    def warn(self, element: Element, label: str, message: str) -> None:
        self.warnings.append(Problem(message, self.topology.source, element.line, label))

    def text(self) -> str:
        declared = [
            f"  <key id={quoteattr(key)} for={quoteattr(domain)} attr.name={quoteattr(name)} attr.type={quoteattr(_type(domain, name))}/>"
            for (domain, name), key in self.keys.items()
        ]
        graph = f'  <graph edgedefault="{"directed" if self.directed else "undirected"}">'
        return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', _HEAD, *declared, graph, *self.lines, "  </graph>", "</graphml>", ""])

    def write(self) -> None:
        for attribute in self.topology.attributes:
            if attribute.value and containers_name(attribute.name) != LATENCY_MODEL:
                self.lines.append(f"    {self._data('graph', attribute.name, attribute.value)}")
        for computer in self.topology.computers:
            self._computer(computer)
        lans = [substrate for substrate in self.topology.substrates if len(self.ports[substrate.name]) != 2]
        for substrate in lans:
            pairs = [("node_type", LANS[0]), *self._of_substrate(substrate, "node")]
            self._element("node", f"id={quoteattr(substrate.name)}", pairs)
        for substrate in self.topology.substrates:
            self._substrate(substrate, substrate in lans)

    # --- nodes ---------------------------------------------------------------------------------

    def _computer(self, computer: Computer) -> None:
        label = named("computer", computer.name)
        pairs: dict[str, str] = {}
        for attribute in computer.attributes:
            name = attribute.name
            known = containers_name(name)
            if known in (NODE_TYPE, IMAGE):
                pairs.setdefault(known, attribute.value)
            elif known or name == STARTUP or not role_of(name, "node"):
                pairs.setdefault(name, attribute.value)
            else:
                self.warn(computer, label, f"the attribute {shown(name)} means something else in a GraphML file and is left out")
        for system in computer.operating_systems[:1]:
            pairs.setdefault("os", system.attribute("osid") or system.name)
        for what, there in (("cpu", computer.cpus), ("software", computer.software), ("storage", computer.storage), ("service", computer.services)):
            if there:
                self.warn(computer, label, f"its <{what}> has no place in a GraphML file")
        self._element("node", f"id={quoteattr(computer.name)}", pairs.items())

    # --- links and LANs ------------------------------------------------------------------------

    def _ways(self, ports: list[Port]) -> list[tuple[HopProfile, HopProfile]]:
        """Return the profiles (forward, backward) of each edge: one pair for a link, one per member for a LAN."""
        if len(ports) == 2:
            return [(way_between(*ports), way_between(*ports[::-1]))]
        return [(port.out, port.into) for port in ports]

    def _substrate(self, substrate: Substrate, is_lan: bool) -> None:
        ports = self.ports[substrate.name]
        for port in ports:
            self._warn_of_interface(port)
        if is_lan:
            for port, hops in zip(ports, self._ways(ports), strict=True):
                self._edges(port.computer.name, substrate.name, hops, _end(port, "source"), _end(port, "target"), [])
        else:
            first, second = ports
            there = {**_end(first, "source"), **_end(second, "target")}
            back = {**_end(second, "source"), **_end(first, "target")}
            more = [("label", substrate.name), *self._of_substrate(substrate, "edge")]
            self._edges(first.computer.name, second.computer.name, self._ways(ports)[0], there, back, more)

    def _edges(self, source: str, target: str, hops: tuple[HopProfile, HopProfile], there: dict, back: dict, more: list) -> None:
        self._element("edge", f"source={quoteattr(source)} target={quoteattr(target)}", [*more, *_of_hop(hops[0]), *there.items()])
        if self.directed:
            self._element("edge", f"source={quoteattr(target)} target={quoteattr(source)}", [*_of_hop(hops[1]), *back.items()])

    def _of_substrate(self, substrate: Substrate, domain: str) -> list[tuple[str, str]]:
        pairs = []
        for attribute in substrate.attributes:
            known = containers_name(attribute.name)
            if attribute.name == LOSS or known == LOSS_MODEL:
                continue
            if role_of(attribute.name, domain) and not (known and domain == "edge"):
                label = named("substrate", substrate.name)
                self.warn(substrate, label, f"the attribute {shown(attribute.name)} means something else in a GraphML file and is left out")
            else:
                pairs.append((attribute.name, attribute.value))
        return pairs

    def _warn_of_interface(self, port: Port) -> None:
        rest = [one.name for one in port.interface.attributes if one.name not in _OF_INTERFACES and containers_name(one.name) not in _SHAPING]
        if rest:
            label = f"{named('computer', port.computer.name)}, {named('interface', port.interface.name)}"
            names = ", ".join(shown(name) for name in rest[:8])
            self.warn(port.interface, label, f"attributes of interfaces have no place in a GraphML file: {names}")

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
    pairs = {f"{side}_interface": port.interface.name}
    address = port.interface.attribute(IP4_ADDRESS)
    if address is not None:
        pairs[f"{side}_address"] = str(IPv4Interface(f"{address}/{port.interface.attribute(IP4_NETMASK, '255.255.255.0')}"))
    return pairs


def _of_hop(hop: HopProfile) -> list[tuple[str, str]]:
    return [(name, plain_number(value)) for name, value in zip(_NUMBERS, (hop.kbps, hop.delay_ms, hop.loss), strict=True) if value]


def _type(domain: str, name: str) -> str:
    return "double" if domain == "edge" and name in _NUMBERS else "string"


def _alike(one: HopProfile, other: HopProfile) -> bool:
    return one.kbps == other.kbps and abs(one.delay_ms - other.delay_ms) < 1e-9 and abs(one.loss - other.loss) < 1e-12
