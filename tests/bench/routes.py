# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the routes of networks from 100 to 2,000 nodes, and measure the processor time of computing them.

A line compares one route for each subnet with the routes of the address profiles ``default`` and ``hierarchical``. The last columns are
``hierarchical`` with substrates that have costs. The exit status is 1 if ``hierarchical`` ever has more routes than ``default``.

    routes.py [--sizes N,N…]
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import time
from pathlib import Path

import _shapes
import networkx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ansible" / "collections"))

from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.addresses import assign_addresses  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.network import Network, read_network  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.routes import Routes  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl_text  # noqa: E402

FAMILIES = ("random_tree", "lans_in_a_tree", "preferential_attachment")
SIZES = (100, 200, 500, 1000, 2000)
MAX_COST = 10


def compute_routes(network: Network) -> tuple[int, float]:
    """Compute the routes of a network and return (number of routes, processor seconds)."""
    started = time.process_time()
    routes = Routes(network)
    entries = sum(len(routes.of(node)) for node in network.nodes)
    return entries, time.process_time() - started


def routes_without_aggregation(network: Network) -> int:
    """Return how many routes there were if every node had one for each subnet that it is not on."""
    graph = networkx.Graph()
    graph.add_edges_from((("node", port.node), ("substrate", port.substrate)) for ports in network.nodes.values() for port in ports)
    total = 0
    for component in networkx.connected_components(graph):
        nodes = [vertex for vertex in component if vertex[0] == "node"]
        total += len(nodes) * (len(component) - len(nodes)) - graph.subgraph(component).number_of_edges()
    return total


def with_costs(network: Network) -> Network:
    """Return the network with a cost from 1 to MAX_COST on each substrate."""
    choice = random.Random(1)
    return dataclasses.replace(network, costs={name: choice.randint(1, MAX_COST) for name in network.substrates})


def line(family: str, count: int) -> tuple[str, bool]:
    """Return (line of the table, whether the hierarchical profile has at most as many routes)."""
    topology, _warnings = read_topdl_text(_shapes.topdl(getattr(_shapes, family)(count)).encode(), family)
    default, hierarchical = (read_network(assign_addresses(topology, profile=profile)) for profile in ("default", "hierarchical"))
    entries, seconds = compute_routes(default)
    plain = routes_without_aggregation(default)
    fewer, fewer_seconds = compute_routes(hierarchical)
    costly, costly_seconds = compute_routes(with_costs(hierarchical))
    text = (f"{count:7,} {len(default.subnets):8,} {plain:11,} {entries:10,} {1 - entries / plain:7.1%} {seconds:7.2f} {fewer:12,} {1 - fewer / plain:7.1%} "
            f"{fewer_seconds:7.2f} {costly:10,} {costly_seconds:7.2f}")
    return text, fewer <= entries


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of nodes")
    sizes = [int(size) for size in arguments.parse_args().sizes.split(",")]
    good = True
    for family in FAMILIES:
        print(f"\n{family.replace('_', ' ')}\n{'nodes':>7} {'subnets':>8} {'per subnet':>11} {'default':>10} {'saved':>7} {'s':>7} "
              f"{'hierarchical':>12} {'saved':>7} {'s':>7} {'with costs':>10} {'s':>7}", flush=True)
        for count in sizes:
            text, fewer = line(family, count)
            print(text, flush=True)
            good = good and fewer
    print(f"\n{'ok    ' if good else 'MISSED'} the profile hierarchical never has more routes than default")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
