# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Parts of a network between which there is no way, so that no routes lead from one to the other."""

from __future__ import annotations

from ...errors import Problem
from .network import Network

_SHOWN = 5


def separate_parts(network: Network, source: str = "") -> tuple[Problem, ...]:
    """One Problem where nodes with interfaces are in several parts, naming them by their first nodes."""
    parts = _parts(network)
    if len(parts) < 2:
        return ()
    named = [f"{nodes[0]} and {len(nodes) - 1} more" if len(nodes) > 1 else nodes[0] for nodes in parts[:_SHOWN]]
    more = f"; and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return (Problem(f"is in {len(parts)} parts with no way from one to another: {'; '.join(named)}{more}", source, element="the topology"),)


def _parts(network: Network) -> list[list[str]]:
    """The nodes of every part, each from its first in document order on, by distance."""
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
