# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``tb-`` commands that shape links and LANs (ns.md §5 and §6).

Some set the path from node to node, which consists of two hops; others set single hops.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from .interpreter import SourceLocation
from .network import Attachment, HopProfile, Medium
from .reading import Reading


def _root_loss(loss: float) -> float:
    """Return the loss of each of two hops that together lose ``loss``."""
    return 1 - sqrt(1 - loss)


def _link_loss(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    loss = reading.loss(location, who, arguments[-1])
    if len(arguments) == 2:
        medium = reading.medium(location, who, arguments[0], "link")
    else:
        first, second = reading.node(location, who, arguments[0]), reading.node(location, who, arguments[1])
        if first is None or second is None:
            return
        medium = reading.network.between(first, second)
        if medium is None:
            reading.found.error(location, who, f"there is no connection between {first.name} and {second.name}")
    _lose(medium, loss)


def _lan_loss(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    _lose(reading.medium(location, who, arguments[0], "lan"), reading.loss(location, who, arguments[1]))


def _lose(medium: Medium | None, loss: float | None) -> None:
    if medium is not None and loss is not None:
        for hop in medium.hops:
            hop.loss = _root_loss(loss)


def _member(reading: Reading, location: SourceLocation, who: str, node: str, lan: str) -> Attachment | None:
    return reading.attachment(location, who, reading.node(location, who, node), reading.medium(location, who, lan, "lan"))


def _node_lan_delay(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    member = _member(reading, location, who, arguments[0], arguments[1])
    _set_both(member, delay_ms=reading.delay(location, who, arguments[2]))


def _node_lan_bandwidth(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    member = _member(reading, location, who, arguments[0], arguments[1])
    _set_both(member, kbps=reading.bandwidth(location, who, arguments[2]))


def _node_lan_loss(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    member = _member(reading, location, who, arguments[0], arguments[1])
    _set_both(member, loss=reading.loss(location, who, arguments[2]))


def _node_lan_params(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    member = _member(reading, location, who, arguments[0], arguments[1])
    _set_both(member, **_three(reading, location, who, arguments[2:]))


def _three(reading: Reading, location: SourceLocation, who: str, texts: Sequence[str]) -> dict:
    return {"delay_ms": reading.delay(location, who, texts[0]), "kbps": reading.bandwidth(location, who, texts[1]),
            "loss": reading.loss(location, who, texts[2])}


def _set(hop: HopProfile, **values: float | None) -> None:
    for name, value in values.items():
        if value is not None:
            setattr(hop, name, value)


def _set_both(member: Attachment | None, **values: float | None) -> None:
    if member is not None:
        _set(member.out, **values)
        _set(member.into, **values)


def _link_simplex(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    """Shape the path from one end to the other: each of its hops gets half of the delay and the root of the loss."""
    link = reading.medium(location, who, arguments[0], "link")
    source = reading.attachment(location, who, reading.node(location, who, arguments[1]), link)
    values = _three(reading, location, who, arguments[2:])
    if link is None or source is None or len(link.members) != 2:
        return
    if values["delay_ms"] is not None:
        values["delay_ms"] /= 2
    if values["loss"] is not None:
        values["loss"] = _root_loss(values["loss"])
    _set(source.out, **values)
    _set(link.other(source).into, **values)


def _lan_simplex(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    """Shape the two directions of one hop separately: first node to LAN, then LAN to node."""
    lan = reading.medium(location, who, arguments[0], "lan")
    member = reading.attachment(location, who, reading.node(location, who, arguments[1]), lan)
    out, into = _three(reading, location, who, arguments[2:5]), _three(reading, location, who, arguments[5:8])
    if member is not None:
        _set(member.out, **out)
        _set(member.into, **into)


def _no_shaping(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    medium = reading.medium(location, who, arguments[0])
    on = reading.one_of(location, who, arguments[1], ("0", "1"))
    if medium is not None and on is not None:
        medium.unshaped = on == "1"


# command: (function, minimum number of arguments, maximum)
SHAPING = {
    "tb-set-link-loss": (_link_loss, 2, 3),
    "tb-set-lan-loss": (_lan_loss, 2, 2),
    "tb-set-node-lan-delay": (_node_lan_delay, 3, 3),
    "tb-set-node-lan-bandwidth": (_node_lan_bandwidth, 3, 3),
    "tb-set-node-lan-loss": (_node_lan_loss, 3, 3),
    "tb-set-node-lan-params": (_node_lan_params, 5, 5),
    "tb-set-link-simplex-params": (_link_simplex, 5, 5),
    "tb-set-lan-simplex-params": (_lan_simplex, 8, 8),
    "tb-set-noshaping": (_no_shaping, 2, 2),
}
