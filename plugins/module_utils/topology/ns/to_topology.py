# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversion of an NS file's network to a Topology (ns.md §7). Latencies and losses are per hop: the models are ``hop``."""

from __future__ import annotations

from collections.abc import Iterable

from ..attributes import IP4_ADDRESS, IP4_NETMASK, LOSS, LOSS_MODEL, PREFIX, RX_LATENCY, RX_LOSS, RX_RATE, STARTUP
from ..model import Attribute, Capacity, Computer, Interface, Latency, OperatingSystem, Software, Substrate, Topology
from .interpreter import SourceLocation
from .network import Attachment, HopProfile, Medium, Network, Node


def to_topology(network: Network, source: str) -> Topology:
    """Return the network as a Topology, with computers and substrates in the order of their creation."""

    def line(location: SourceLocation) -> int:
        return location.line if location.file == source else 0

    return Topology(
        latency_model="hop",
        substrates=tuple(_substrate(medium, line(medium.location)) for medium in network.media),
        elements=tuple(_computer(network, node, line(node.location)) for node in network.nodes),
        attributes=_root_attributes(network),
        source=source,
    )


def _root_attributes(network: Network) -> tuple[Attribute, ...]:
    pairs = [(f"{PREFIX}env:{name}", value) for name, value in network.options.items()]
    if network.protocol is not None:
        pairs.append((f"{PREFIX}rtproto", network.protocol))
    if network.sync_server is not None:
        pairs.append((f"{PREFIX}sync_server", network.sync_server.name))
    last = dict(network.attributes)
    return tuple(Attribute(name, value) for name, value in (*pairs, *last.items()))


def _substrate(medium: Medium, line: int) -> Substrate:
    """Return a link or LAN as a Substrate with the largest outbound numbers of its members."""
    outs = [member.out for member in medium.members]
    kbps = 0 if medium.unshaped else max((hop.kbps for hop in outs), default=0)
    delay = max((hop.delay_ms for hop in outs), default=0)
    loss = max((hop.loss for hop in outs), default=0)
    pairs = list(medium.attributes)
    if loss > 0:
        pairs.append((LOSS, _text(loss)))
    if any(hop.loss > 0 for hop in medium.hops):
        pairs.append((PREFIX + LOSS_MODEL, "hop"))
    if medium.cost is not None:
        pairs.append((f"{PREFIX}cost", medium.cost))
    return Substrate(name=medium.name, capacity=_capacity(kbps), latency=_latency(delay), attributes=_attributes(pairs), line=line)


def _computer(network: Network, node: Node, line: int) -> Computer:
    pairs = list(node.attributes)
    if node.fixed:
        pairs.append(("fixed", node.fixed))
    pairs.append(("type", node.hardware))
    if node.start_command is not None:
        pairs.append((STARTUP, node.start_command))
    if node.testbed:
        pairs.append(("testbed", node.testbed))
    pairs.append(("failureaction", node.failure_action or network.default_failure_action or "fatal"))
    if node.routes:
        pairs.append((f"{PREFIX}route", "; ".join(f"{destination.name} {hop.name}" for destination, hop, _place in node.routes)))
    return Computer(
        name=node.name,
        operating_systems=(OperatingSystem(attributes=(Attribute("osid", node.os),)),) if node.os else (),
        software=tuple(Software(location=location, install=install) for location, install in node.software),
        interfaces=tuple(_interface(member, number, line) for number, member in enumerate(node.attachments)),
        attributes=_attributes(pairs),
        line=line,
    )


def _interface(member: Attachment, number: int, line: int) -> Interface:
    """Return an attachment as an Interface.

    Outbound numbers are in the usual places, inbound numbers in ``rx_`` attributes if they differ. A zero is written explicitly
    where a reader would otherwise use the substrate's own number, which is the largest.
    """
    medium, out = member.medium, member.out
    pairs = list(member.attributes)
    if member.ip is not None:
        pairs += [(IP4_ADDRESS, member.ip), (IP4_NETMASK, medium.netmask)]
    if medium.has("loss"):
        pairs.append((LOSS, _text(out.loss)))
    pairs += _received(member)
    for variable, name in (("limit_", "queue_limit"), ("queue-in-bytes_", "queue_in_bytes")):
        if variable in member.queue:
            pairs.append((PREFIX + name, str(member.queue[variable])))
    return Interface(
        name=f"inf{number:03}",
        substrates=(medium.name,),
        capacity=Capacity(float(out.kbps)) if not medium.unshaped and medium.has("kbps") else None,
        latency=Latency(out.delay_ms) if medium.has("delay_ms") else None,
        attributes=_attributes(pairs),
        line=line,
    )


def _received(member: Attachment) -> list[tuple[str, str]]:
    """Return the inbound numbers as attributes where they differ from a reader's default.

    The default is the node's own outbound number. For the latency and the loss of a link with two members, it is that of the
    other end.
    """
    medium, into = member.medium, member.into
    usual: list[HopProfile] = [member.out]
    if len(medium.members) == 2:
        usual.append(medium.other(member).out)
    pairs = []
    if not medium.unshaped and into.kbps != member.out.kbps:
        pairs.append((PREFIX + RX_RATE, str(into.kbps)))
    if any(into.delay_ms != hop.delay_ms for hop in usual):
        pairs.append((PREFIX + RX_LATENCY, _text(into.delay_ms)))
    if any(into.loss != hop.loss for hop in usual):
        pairs.append((PREFIX + RX_LOSS, _text(into.loss)))
    return pairs


def _capacity(kbps: float) -> Capacity | None:
    return Capacity(float(kbps)) if kbps else None


def _latency(time_ms: float) -> Latency | None:
    return Latency(time_ms) if time_ms else None


def _attributes(pairs: Iterable[tuple[str, str]]) -> tuple[Attribute, ...]:
    return tuple(Attribute(name, value) for name, value in pairs)


def _text(number: float) -> str:
    """Format a number for TopDL, without an exponent."""
    return f"{number:.15f}".rstrip("0").rstrip(".") or "0"
