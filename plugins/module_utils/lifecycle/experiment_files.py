# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write an embedding as the files of an experiment directory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..embedding.binding.identifiers import Identifiers, mac_addresses
from ..embedding.embed import Embedding
from ..embedding.kinds import KINDS
from ..embedding.placement.machines import vhost_of
from ..experiment.final_topology import final_topology
from ..experiment.keys import access_key_files, host_key_files
from ..inventory.data import inventory_of, refuse_reserved_names, to_json
from ..topology.topdl.writer import write_topdl


def experiment_files(pid: str, eid: str, embedding: Embedding) -> dict[str, Any]:
    """Return {path inside the directory: content} of all files that are derived from an embedding."""
    partitioned = write_topdl(embedding.partitioned).encode()
    vhosts = vhost_of(embedding.machines)
    addresses = mac_addresses(Identifiers(pid, eid), embedding.partitioned)
    inventory = inventory_of(embedding.partitioned, embedding.nodes, embedding.machines, addresses, f"{pid}.{eid}")
    refuse_reserved_names(embedding.partitioned, inventory)
    hidden = [name for machine in embedding.machines for name in machine.hidden]
    with_login = [name for name, node in embedding.nodes.items() if KINDS[node.kind].login] + hidden
    return {
        "annotated.xml": write_topdl(embedding.annotated),
        "partitioned.xml": partitioned,
        "topo.xml": write_topdl(final_topology(embedding.partitioned, vhosts, embedding.machines)),
        "assignment.yaml": _assignment(embedding.assignment),
        "hosts": embedding.hosts_file(),
        **_route_files(embedding),
        "inventory.json": to_json(inventory, partitioned),
        **host_key_files(with_login, f".{eid}.{pid}".lower()),
        **(access_key_files(f"{pid}.{eid}") if with_login else {}),
    }


def _assignment(assignment: Mapping[str, Iterable[str]]) -> str:
    """Return YAML with a line for each pnode. Names are quoted: a node may be called ``no`` or ``1``."""
    return "---\n" + "".join(f"{vhost}: {json.dumps(list(nodes))}\n" for vhost, nodes in assignment.items())


def _route_files(embedding: Embedding) -> dict[str, str]:
    """Return the files route/<node> of every node that has routes."""
    texts = ((node, embedding.route_file(node)) for machine in embedding.machines for node in machine.all_nodes)
    return {f"route/{node}": text for node, text in texts if text}
