# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connected parts of a network. No routes lead from one part to another."""

from __future__ import annotations

from ...errors import Problem
from .network import Network

_SHOWN = 5


def separate_parts(network: Network, source: str = "") -> tuple[Problem, ...]:
    """Return one Problem if nodes with interfaces are in several parts, else (). It names each part by its first node."""
    parts = _parts(network)
    if len(parts) < 2:
        return ()
    named = [f"{nodes[0]} and {len(nodes) - 1} more" if len(nodes) > 1 else nodes[0] for nodes in parts[:_SHOWN]]
    more = f"; and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return (Problem(f"is in {len(parts)} parts with no way from one to another: {'; '.join(named)}{more}", source, element="the topology"),)


def _parts(network: Network) -> list[list[str]]:
    """Return the nodes of every part. Each part begins with its first node in document order and continues by distance from it."""
    parts: list[list[str]] = []
    seen: set[str] = set()
    for node, attachments in network.nodes.items():
        if node in seen or not attachments:
            continue
        seen.add(node)
        found = [node]
        substrates: set[str] = set()
        for here in found:
            for name in {attachment.substrate for attachment in network.nodes[here]} - substrates:
                substrates.add(name)
                fresh = dict.fromkeys(member.node for member in network.substrates[name] if member.node not in seen)
                seen.update(fresh)
                found.extend(fresh)
        parts.append(found)
    return parts
