# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capacity, latency and loss of a topology. They are kept in its files; this version does not apply them."""

from __future__ import annotations

from ..errors import Problem
from ..topology.attributes import LOSS, RX_LATENCY, RX_LOSS, RX_RATE, containers_attribute
from ..topology.model import Interface, Substrate, Topology


def shaping_warnings(topology: Topology) -> tuple[Problem, ...]:
    """Return one Problem if any substrate or interface is shaped, else (). It names the first one and counts the others."""
    substrates = [f"substrate {substrate.name}" for substrate in topology.substrates if _is_shaped(substrate)]
    interfaces = [f"computer {c.name}, interface {i.name}" for c in topology.computers for i in c.interfaces if _is_shaped(i)]
    shaped = substrates + interfaces
    if not shaped:
        return ()
    others = {1: "", 2: " and of another"}.get(len(shaped), f" and of {len(shaped) - 1} others")
    return (Problem(f"capacity, latency or loss of it{others} is recorded, but not applied by this version", topology.source, element=shaped[0]),)


def _is_shaped(element: Substrate | Interface) -> bool:
    if element.capacity and element.capacity.rate_kbps > 0 or element.latency and element.latency.time_ms > 0:
        return True
    if element.attribute(LOSS) not in (None, "", "0", "0.0"):
        return True
    return any(containers_attribute(element, name) is not None for name in (RX_RATE, RX_LATENCY, RX_LOSS))
