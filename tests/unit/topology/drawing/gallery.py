# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make topologies for drawing tests: small ones by hand, and families of any size."""

from __future__ import annotations

import dataclasses

import networkx
from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.addresses import assign_addresses
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Capacity, Latency, OtherElement, Topology
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo

KINDS = ("process", "openvz", "qemu", "embedded_pnode")


def addressed(topology: Topology) -> Topology:
    return assign_addresses(topology, "10.0.0.0/16", ())


def shaped(topology: Topology, kbps: float = 100_000, delay_ms: float = 5) -> Topology:
    substrates = tuple(dataclasses.replace(one, capacity=Capacity(kbps), latency=Latency(delay_ms)) for one in topology.substrates)
    return dataclasses.replace(topology, substrates=substrates)


def of_graph(graph: networkx.Graph, kinds=("qemu",), packing: int = 0) -> Topology:
    """Return a topology with a link for every edge. Kinds alternate. With a packing, so many consecutive nodes share a partition."""
    links = {f"link{number}": f"n-{first} n-{second}" for number, (first, second) in enumerate(graph.edges)}
    nodes = {f"n-{node}": {"node_type": kinds[node % len(kinds)]} for node in graph}
    if packing:
        for node in graph:
            nodes[f"n-{node}"]["partition"] = str(node // packing)
    return addressed(vtopo(links, nodes=" ".join(nodes), **nodes))


def tree(count: int, **more) -> Topology:
    return of_graph(networkx.full_rary_tree(3, count), **more)


def preferential(count: int, **more) -> Topology:
    return of_graph(networkx.barabasi_albert_graph(count, 2, seed=1), **more)


def ring(count: int, **more) -> Topology:
    return of_graph(networkx.cycle_graph(count), **more)


def star(count: int, **more) -> Topology:
    return of_graph(networkx.star_graph(count - 1), **more)


def full(count: int, **more) -> Topology:
    return of_graph(networkx.complete_graph(count), **more)


def grid(wide: int, high: int, **more) -> Topology:
    return of_graph(networkx.convert_node_labels_to_integers(networkx.grid_2d_graph(wide, high)), **more)


def lan(count: int) -> Topology:
    names = [f"n-{number}" for number in range(count)]
    return addressed(vtopo({"lan0": " ".join(names)}, **{name: {"node_type": "openvz"} for name in names}))


def lans_in_a_tree(lans: int, members: int) -> Topology:
    """Return a LAN of routers, with another LAN behind each router."""
    routers = [f"r-{number}" for number in range(lans)]
    substrates = {"core": " ".join(routers)}
    for number, router in enumerate(routers):
        substrates[f"lan{number}"] = " ".join([router, *(f"n-{number}-{member}" for member in range(members))])
    nodes = {name: {"node_type": "process" if name.startswith("n-") else "qemu"} for joined in substrates.values() for name in joined.split()}
    return addressed(vtopo(substrates, **nodes))


def every_kind() -> Topology:
    """Return a topology with every kind, a ghost, nested processes, elements other than computers, and unusual substrates."""
    topology = vtopo(
        {"lan0": "web db cache shop", "uplink": "shop edge", "dmz": "edge probe", "inner": "vm-1 a b edge", "lonely": "db", "nobody": ""},
        web={"node_type": "openvz", "partition": "0"}, db={"node_type": "open_vz", "partition": "0"}, cache={"node_type": "process", "partition": "0"},
        shop={"node_type": "qemu", "partition": "1"}, edge={"node_type": "embedded_pnode", "partition": "2"},
        probe={"node_type": "qemu", "ghost": "true", "partition": "1"}, **{"vm-1": {"node_type": "qemu", "partition": "3"}},
        a={"node_type": "process", "vhost": "vm-1", "partition": "3"}, b={"node_type": "process", "vhost": "vm-2", "partition": "3"},
    )  # fmt: skip
    topology = addressed(topology)
    others = tuple(OtherElement(kind=kind, name=name) for kind, name in (("testbed", "isi"), ("segment", "wan"), ("other", "")))
    return dataclasses.replace(shaped(topology), elements=(*topology.elements, *others))
