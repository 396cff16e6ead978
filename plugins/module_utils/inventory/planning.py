# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of a topology that nobody prepared: read it, and find out what lies on which machine."""

from __future__ import annotations

from ..embedding.binding.identifiers import Identifiers, mac_addresses
from ..embedding.computers import kind_of, partition_of
from ..embedding.kinds import KINDS
from ..embedding.placement.machines import machines
from ..errors import InputError, Problem
from ..topology.topdl.reader import read_topdl_text
from .data import inventory_of


def planned(topology_text: bytes, source: str, pid: str, eid: str) -> dict:
    """inventory_data.inventory_of for a partitioned TopDL text; without pid and eid nothing has a MAC address.

    Raises InputError when it is not TopDL, or not partitioned.
    """
    topology, _warnings = read_topdl_text(topology_text, source)
    missing = [computer for computer in topology.computers if not _is_placed(computer)]
    if missing:
        hint = "containerize makes a partitioned.xml of it"
        raise InputError(Problem("has no kind or no partition: the topology is not partitioned", source, missing[0].line, f"computer {missing[0].name}", hint))
    addresses = mac_addresses(Identifiers(pid, eid), topology) if pid else {}
    return inventory_of(topology, machines(topology), addresses, f"{pid}.{eid}" if pid else "")


def _is_placed(computer) -> bool:
    kind = KINDS.get(kind_of(computer))
    return kind is not None and (kind.own_machine or partition_of(computer) is not None)
