# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of networks from 100 to 2,000 nodes: how many there were if each subnet had one, how many there are with the address profiles
``default`` and ``hierarchical``, and the processor seconds that computing them takes, also where substrates have costs.

Ends with status 1 when ``hierarchical`` has more routes than ``default`` anywhere.

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

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ansible" / "collections"))

from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.addresses import assign_addresses  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.network import read_network  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.embedding.routing.routes import Routes  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl_text  # noqa: E402

FAMILIES = ("random_tree", "lans_in_a_tree", "preferential_attachment")
SIZES = (100, 200, 500, 1000, 2000)
DEAREST = 10


def routed(network) -> tuple[Routes, int, float]:
    """(routes, how many, processor seconds)."""
    started = time.process_time()
    routes = Routes(network)
    entries = sum(len(routes.of(node)) for node in network.nodes)
    return routes, entries, time.process_time() - started


def with_costs(network):
    """Each substrate costs something from 1 to DEAREST."""
    choice = random.Random(1)
    return dataclasses.replace(network, costs={name: choice.randint(1, DEAREST) for name in network.substrates})


def line(family: str, count: int) -> tuple[str, bool]:
    """(the table's line, whether the hierarchical profile has no more routes)."""
    topology, _warnings = read_topdl_text(_shapes.topdl(getattr(_shapes, family)(count)).encode(), family)
    default, hierarchical = (read_network(assign_addresses(topology, profile=profile)) for profile in ("default", "hierarchical"))
    routes, entries, seconds = routed(default)
    plain = sum(routes.destinations(node) for node in default.nodes)
    fewer, fewer_seconds = routed(hierarchical)[1:]
    _routes, dear, dear_seconds = routed(with_costs(hierarchical))
    text = (f"{count:7,} {len(default.subnets):8,} {plain:11,} {entries:10,} {1 - entries / plain:7.1%} {seconds:7.2f} {fewer:12,} {1 - fewer / plain:7.1%} "
            f"{fewer_seconds:7.2f} {dear:10,} {dear_seconds:7.2f}")
    return text, fewer <= entries


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of nodes")
    sizes = [int(size) for size in arguments.parse_args().sizes.split(",")]
    good = True
    for family in FAMILIES:
        print(f"\n{family.replace('_', ' ')}\n{'nodes':>7} {'subnets':>8} {'for each':>11} {'default':>10} {'saved':>7} {'s':>7} "
              f"{'hierarchical':>12} {'saved':>7} {'s':>7} {'with costs':>10} {'s':>7}", flush=True)
        for count in sizes:
            text, fewer = line(family, count)
            print(text, flush=True)
            good = good and fewer
    print(f"\n{'ok    ' if good else 'MISSED'} the profile hierarchical never has more routes than default")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
