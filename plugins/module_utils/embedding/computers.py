# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of all computers of a topology."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from ..topology.attributes import containers_attribute, with_containers_attribute
from ..topology.model import Computer, Topology


def map_computers(topology: Topology, change: Callable[[Computer], Computer]) -> Topology:
    """Return the topology with ``change`` applied to every computer, everything else as it was."""
    elements = tuple(change(element) if isinstance(element, Computer) else element for element in topology.elements)
    return dataclasses.replace(topology, elements=elements)


def with_values(topology: Topology, attribute: str, values: Sequence[str | None]) -> Topology:
    """Return the topology with a containers attribute of every computer set, or removed by None.

    values  one for each computer, in document order

    A computer that has the value already stays as it is, however the attribute is spelled.
    """
    following = iter(values)
    return map_computers(topology, lambda computer: _with_value(computer, attribute, next(following)))


def _with_value(computer: Computer, attribute: str, value: str | None) -> Computer:
    return computer if containers_attribute(computer, attribute) == value else with_containers_attribute(computer, attribute, value)
