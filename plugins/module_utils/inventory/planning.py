# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of a topology without a prepared inventory.json: read the topology, and find the machine of each node."""

from __future__ import annotations

from ..embedding.binding.identifiers import Identifiers, mac_addresses
from ..embedding.kinds import KINDS
from ..embedding.node_view import NodeView, read_nodes
from ..embedding.placement.machines import machines
from ..errors import InputError
from ..topology.readers import read_content
from .data import inventory_of, refuse_reserved_names


def planned(topology_text: bytes, source: str, pid: str, eid: str) -> dict:
    """Return ``data.inventory_of`` for a partitioned topology, the content of the file ``source``.

    Without pid and eid, no interface has a MAC address. Raises InputError when it is not a topology, or not partitioned.
    """
    topology = read_content(topology_text, source, source).topology
    nodes = read_nodes(topology)
    missing = [node for node in nodes.values() if not _is_placed(node)]
    if missing:
        raise InputError(missing[0].problem("has no kind or no partition: the topology is not partitioned", "containerize makes a partitioned.xml of it"))
    addresses = mac_addresses(Identifiers(pid, eid), topology) if pid else {}
    data = inventory_of(topology, nodes, machines(nodes), addresses, f"{pid}.{eid}" if pid else "")
    if not pid:
        refuse_reserved_names(topology, data)
    return data


def _is_placed(node: NodeView) -> bool:
    kind = KINDS.get(node.kind)
    return kind is not None and (kind.own_machine or node.partition is not None)
