# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the experiment network, and the hosts file (spec/semantics.md §2).

Every attachment has the names ``node-substrate`` and ``node-PORT``. The bare node name means the node's first address on all nodes.
If ``hosts_mode`` is ``neighbour``, a neighbour's bare name means its address on the first substrate that both nodes share.
"""

from __future__ import annotations

from ...errors import Problem
from ...hostplan import HostsEntry
from ..addressing.subnets import dotted
from ..routing.network import Attachment, Network

_RESERVED = ("localhost", "loghost", "ip6-localhost", "ip6-loopback")
_HEAD = "127.0.0.1\tlocalhost loghost\n"


def hosts_entries(network: Network, source: str = "") -> tuple[tuple[HostsEntry, ...], tuple[Problem, ...]]:
    """Return (the entries that all nodes share, in document order; warnings about ambiguous names).

    Node names win over made-up names, and of made-up names the first wins. Names are compared without case, as resolvers do.
    """
    owners = dict.fromkeys(_RESERVED, "this machine itself")
    warnings: list[Problem] = []
    bare = {node: _claim(owners, node, f"node {node}", warnings, source) for node in network.nodes}
    entries = []
    for node, attachments in network.nodes.items():
        named = not bare[node]
        for attachment in attachments:
            if attachment.address is None:
                continue
            owner = f"node {node}, interface {attachment.interface}"
            made_up = dict.fromkeys((f"{node}-{attachment.substrate}", f"{node}-{attachment.port}"))
            names = [name for name in made_up if _claim(owners, name, owner, warnings, source)]
            if not named:
                names.append(node)
                named = True
            if names:
                entries.append(HostsEntry(dotted(attachment.address), tuple(names)))
    return tuple(entries), tuple(warnings)


def hosts_text(entries: tuple[HostsEntry, ...]) -> str:
    """Return the shared entries as the text of a hosts file."""
    return _HEAD + "".join(f"{entry.address}\t{' '.join(entry.names)}\n" for entry in entries)


class Aliases:
    """The bare names that mean another address to a node than in the shared entries."""

    def __init__(self, network: Network, entries: tuple[HostsEntry, ...]):
        self._network = network
        self._listed = {entry.address for entry in entries}
        self._members = {name: {member.node for member in members} for name, members in network.substrates.items()}
        self._elsewhere = {name: self._named_elsewhere(members) for name, members in network.substrates.items()}

    def of(self, node: str) -> dict[str, str]:
        """Return {neighbour: its address on the first substrate shared with ``node``}, only for addresses that are not its first."""
        found: dict[str, str] = {}
        seen: list[set[str]] = []
        for name in dict.fromkeys(attachment.substrate for attachment in self._network.nodes[node]):
            for neighbour, address in self._elsewhere[name]:
                if neighbour != node and not any(neighbour in earlier for earlier in seen):
                    found.setdefault(neighbour, address)
            seen.append(self._members[name])
        return found

    def _named_elsewhere(self, members: tuple[Attachment, ...]) -> list[tuple[str, str]]:
        """Return (member, its address) for the members of one substrate whose bare name means an address on another substrate."""
        first: dict[str, Attachment] = {}
        for member in members:
            if member.address is not None:
                first.setdefault(member.node, member)
        others = [(member.node, member.address) for member in first.values() if member is not self._first_address(member.node)]
        return [(node, dotted(address)) for node, address in others if address is not None and dotted(address) in self._listed]

    def _first_address(self, node: str) -> Attachment | None:
        return next((attachment for attachment in self._network.nodes[node] if attachment.address is not None), None)


def _claim(owners: dict[str, str], name: str, owner: str, warnings: list[Problem], source: str) -> bool:
    """Return whether ``name`` belongs to ``owner``, which gets it if it is free. Add a warning if it belongs to another owner."""
    holder = owners.setdefault(name.lower(), owner)
    if holder != owner:
        warnings.append(Problem(f"the name {name} means {holder} in the hosts file, not this", file=source, element=owner))
    return holder == owner
