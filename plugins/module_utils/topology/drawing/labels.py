# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels for addresses, capacity, latency and loss in a picture, as short as possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..attributes import IP4_ADDRESS
from ..model import Computer, Interface, Substrate
from ..ns.hops import Port, ports_of, way_between
from ..ns.network import HopProfile

_RATES = ((1_000_000, "Gb/s"), (1000, "Mb/s"))


def address(interface: Interface) -> str:
    """Return the interface's address, "" if it has none."""
    return (interface.attribute(IP4_ADDRESS) or "").strip()


def words_of(hop: HopProfile) -> list[str]:
    """Return the shaping of a hop or path as texts, ``["100 Mb/s", "10 ms", "loses 1 %"]``, without zero values. Latency is one-way."""
    words = []
    if hop.kbps > 0:
        factor, unit = next(((factor, unit) for factor, unit in _RATES if hop.kbps >= factor), (1, "kb/s"))
        words.append(f"{hop.kbps / factor:.4g} {unit}")
    if hop.delay_ms > 0:
        words.append(f"{hop.delay_ms:.4g} ms")
    if hop.loss > 0:
        words.append(f"loses {hop.loss * 100:.3g} %")
    return words


def link_words(substrate: Substrate, members: Sequence[tuple[Computer, Interface]], latency_model: str) -> list[str]:
    """Return lines about the end-to-end shaping of a link; one line for each direction if they differ.

    members  the two (element, interface) pairs
    """
    ports = _ports(substrate, members, latency_model)
    if len(ports) != 2:
        return []
    there, back = (words_of(way_between(*pair)) for pair in ((ports[0], ports[1]), (ports[1], ports[0])))
    if there == back:
        return [", ".join(there)] if there else []
    names = [element.name for element, _interface in members]
    return [f"{sender} → {receiver}: {', '.join(words) or 'unshaped'}" for sender, receiver, words in ((*names, there), (*reversed(names), back))]


def lan_words(substrate: Substrate, members: Sequence[tuple[Computer, Interface]], latency_model: str) -> tuple[list[str], dict[int, list[str]]]:
    """Return (lines about a LAN, {number of a member: lines about its own attachment}).

    The LAN's lines describe the path between two members with the most common shaping. The lines of other members describe the hop from them
    (out) and to them (in).
    """
    ports = _ports(substrate, members, latency_model)
    if not ports:
        return [], {}
    hops = [_hops(port) for port in ports]
    usual = Counter(hops).most_common(1)[0][0]
    port = ports[hops.index(usual)]
    whole = words_of(way_between(port, port))
    return ([", ".join(whole)] if whole else []), {number: list(hop) for number, hop in enumerate(hops) if hop != usual}


def _hops(port: Port) -> tuple[str, ...]:
    out, into = ", ".join(words_of(port.out)) or "unshaped", ", ".join(words_of(port.into)) or "unshaped"
    return (out,) if out == into else (f"out: {out}", f"in: {into}")


def _ports(substrate: Substrate, members: Sequence[tuple[Computer, Interface]], latency_model: str) -> list[Port]:
    """Return the ports, [] if the numbers are impossible; a topology that is only drawn may have such numbers."""
    try:
        return ports_of(substrate, members, latency_model)
    except (ValueError, OverflowError):
        return []
