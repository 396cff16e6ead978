# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shaping of each hop of a topology: capacities, latencies, losses and ``rx_`` attributes (topdl.md "Latency meaning").

A path from A to B has two hops: A's outbound and B's inbound one. Delays add up, the smaller rate counts, and losses combine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from ..attributes import LOSS, LOSS_MODEL, RX_LATENCY, RX_LOSS, RX_RATE, containers_attribute
from ..model import Computer, Interface, Substrate
from .network import HopProfile


@dataclass(frozen=True)
class Port:
    """A computer's attachment to a substrate, with its two hops."""

    computer: Computer
    interface: Interface
    out: HopProfile
    into: HopProfile


def ports_of(substrate: Substrate, members: Sequence[tuple[Computer, Interface]], latency_model: str) -> list[Port]:
    """Return the ports of a substrate, whose members are (computer, interface) pairs.

    With latency model ``path`` and different latencies, two members are exact. With more members, each hop has half of its own latency.
    """
    outs = [_out(substrate, interface, latency_model, len(members)) for _computer, interface in members]
    if latency_model == "path" and len(members) == 2:
        longest = max(hop.delay_ms for hop in outs)
        outs = [HopProfile(longest, hop.kbps, hop.loss) for hop in outs]
    ports = []
    for number, (computer, interface) in enumerate(members):
        own = outs[number]
        usual = outs[1 - number] if len(members) == 2 else own
        into = HopProfile(
            _given(interface, RX_LATENCY, usual.delay_ms),
            _given(interface, RX_RATE, own.kbps),
            _given(interface, RX_LOSS, usual.loss),
        )
        ports.append(Port(computer, interface, own, into))
    return ports


def way_between(sender: Port, receiver: Port) -> HopProfile:
    """Return the profile of the whole path from sender to receiver; kbps is 0 if neither hop has a limit."""
    limits = [kbps for kbps in (sender.out.kbps, receiver.into.kbps) if kbps]
    loss = 1 - (1 - sender.out.loss) * (1 - receiver.into.loss)
    return HopProfile(sender.out.delay_ms + receiver.into.delay_ms, min(limits, default=0), loss)


def alike(one: HopProfile, other: HopProfile) -> bool:
    """Return whether two profiles are the same but for the rounding of halves and roots."""
    return one.kbps == other.kbps and abs(one.delay_ms - other.delay_ms) < 1e-9 and abs(one.loss - other.loss) < 1e-12


def adds_up(substrate: Substrate, members: Sequence[tuple[Computer, Interface]], latency_model: str) -> bool:
    """Return whether members have different latencies of whole paths, which hops cannot hold: the latencies of two hops add up."""
    latencies = {latency.time_ms if latency else 0 for latency in ((interface.latency or substrate.latency) for _computer, interface in members)}
    return latency_model == "path" and len(members) > 2 and len(latencies) > 1


ADDS_UP = "different latencies of whole paths become hops, each with half of its own, and these add up"


def _out(substrate: Substrate, interface: Interface, latency_model: str, members: int) -> HopProfile:
    latency = interface.latency or substrate.latency
    capacity = interface.capacity or substrate.capacity
    loss = _number(interface.attribute(LOSS, substrate.attribute(LOSS)))
    model = containers_attribute(substrate, LOSS_MODEL) or ("path" if members == 2 else "hop")
    delay = latency.time_ms if latency else 0.0
    return HopProfile(
        delay / 2 if latency_model == "path" else delay,
        capacity.rate_kbps if capacity else 0,
        1 - sqrt(1 - loss) if model == "path" else loss,
    )


def _given(interface: Interface, name: str, usual: float) -> float:
    text = containers_attribute(interface, name)
    return usual if text is None else _number(text)


def _number(text: str | None) -> float:
    """Return a non-negative number, 0 for an invalid text; losses above 1 are excluded before."""
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0
