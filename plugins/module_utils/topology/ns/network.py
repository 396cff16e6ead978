# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that an NS file has built so far: nodes, links and LANs, and the shaping of each hop (ns.md §6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .interpreter import SourceLocation


@dataclass
class HopProfile:
    """One direction of an attachment: delay in ms, bandwidth in kb/s (0: no limit), loss from 0 to 1."""

    delay_ms: float = 0.0
    kbps: float = 0
    loss: float = 0.0


@dataclass(eq=False)
class Node:
    """A node of the network.

    attributes  (name, value) pairs that the file added, in order
    routes      (destination, next hop, location): objects, not names
    """

    name: str
    location: SourceLocation
    bridge: bool = False
    hardware: str = "pc"
    os: str = ""
    start_command: str | None = None
    failure_action: str | None = None
    fixed: str = ""
    testbed: str = ""
    attributes: list = field(default_factory=list)
    software: list = field(default_factory=list)
    routes: list = field(default_factory=list)
    attachments: list = field(default_factory=list)


@dataclass(eq=False)
class Attachment:
    """A node's port on a link or LAN. out: node to medium; into: medium to node."""

    node: Node
    medium: Medium
    out: HopProfile
    into: HopProfile
    ip: str | None = None
    ip_place: SourceLocation | None = None
    cost: float | None = None
    attributes: list = field(default_factory=list)
    queue: dict = field(default_factory=dict)


@dataclass(eq=False)
class Medium:
    """A link, which has two members, or a LAN, which has any number; members are in the order of the file."""

    name: str
    location: SourceLocation
    kind: str
    members: list[Attachment] = field(default_factory=list)
    netmask: str = "255.255.255.0"
    unshaped: bool = False
    cost: str | None = None
    attributes: list = field(default_factory=list)
    by_node: dict[int, Attachment] = field(default_factory=dict)
    _has: dict[str, bool] = field(default_factory=dict)

    def join(self, node: Node, delay_ms: float, kbps: int, loss: float = 0.0) -> None:
        """Add a member with the same numbers in both directions."""
        member = Attachment(node, self, HopProfile(delay_ms, kbps, loss), HopProfile(delay_ms, kbps, loss))
        self.members.append(member)
        node.attachments.append(member)
        self.by_node.setdefault(id(node), member)

    def attachment(self, node: Node) -> Attachment | None:
        """Return the first attachment of ``node``, None if it is not a member."""
        return self.by_node.get(id(node))

    def has(self, quantity: str) -> bool:
        """Return whether any member has a non-zero outbound ``quantity`` (delay_ms, kbps or loss). Cached: the network must be complete."""
        if not self._has:
            for name in ("delay_ms", "kbps", "loss"):
                self._has[name] = any(getattr(member.out, name) for member in self.members)
        return self._has[quantity]

    def other(self, member: Attachment) -> Attachment:
        """Return the other end of a link."""
        return self.members[1] if self.members[0] is member else self.members[0]

    @property
    def hops(self) -> list[HopProfile]:
        return [hop for member in self.members for hop in (member.out, member.into)]


@dataclass(eq=False)
class Ends:
    """A link or LAN from the point of view of one member, as returned by ``$ns link a b`` and ``$ns lanlink lan a``."""

    medium: Medium
    member: Attachment


@dataclass(eq=False)
class Queue:
    """The queue at the start of one direction into a link or LAN."""

    ends: Ends


@dataclass(eq=False)
class Other:
    """An object without effect on an experiment: a program agent, a traffic source, an object of an unknown class."""

    kind: str


@dataclass
class Network:
    """The whole network, with its objects by their names in the file."""

    objects: dict = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    media: list[Medium] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    attributes: list = field(default_factory=list)
    protocol: str | None = None
    sync_server: Node | None = None
    default_failure_action: str | None = None
    compatible: bool = False
    first_testbed_command: tuple[SourceLocation, str] | None = None
    events: int = 0
    sourced: dict[str, bytes] = field(default_factory=dict)  # {path below the folder: content} of files read with source

    def between(self, first: Node, second: Node) -> Medium | None:
        """Return the most recent link or LAN that both nodes are members of; None if there is none."""
        fewer, other = sorted((first, second), key=lambda node: len(node.attachments))
        return next((attachment.medium for attachment in reversed(fewer.attachments) if attachment.medium.attachment(other)), None)
