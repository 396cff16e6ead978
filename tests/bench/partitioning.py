# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare partitioning with METIS, on every topology of topohub at three packings.

METIS is used as DETER's Containers used it: it starts with as few parts as the packing allows, and adds parts until none is over the packing.
The benchmark compares the number of machines, and the cut: the number of links between machines. It prints a line for each packing, then each
requirement and whether it was met. The exit status is 1 if one was missed.

    partitioning.py [--every N] [--first N] [--jobs N] [--list]

--every N takes every Nth topology, beginning with number --first. All topologies take about 30 minutes of one processor. The packages of
requirements-bench.txt must be installed.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ansible" / "collections"))

from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.hypergraph import Hypergraph, connectivity  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.packing import pack  # noqa: E402

IMPORT_ERROR: ImportError | None = None
try:
    import pymetis
    import topohub
except ImportError as exc:
    IMPORT_ERROR = exc

PACKINGS = (5, 10, 20)
GEOMETRIC_MEAN, NOT_WORSE, LINK, SHARE = 0.82, 0.99, 1, 0.02
AGAIN = 20  # every such case is computed again, by another process


@dataclass(frozen=True)
class Case:
    """Results of one topology at one packing: ours, those of METIS, our seconds, and a digest of our blocks."""

    name: str
    packing: int
    nodes: int
    machines: int
    largest: int
    cut: int
    metis_machines: int
    metis_cut: int
    seconds: float
    digest: str

    @property
    def excess(self) -> int:
        return self.cut - self.metis_cut

    @property
    def far_off(self) -> bool:
        """Whether our cut is more than one link and more than 2 % above METIS."""
        return self.excess > max(LINK, SHARE * self.metis_cut)


def names() -> list[str]:
    """Return the names of all topologies of topohub."""
    data = Path(topohub.__file__).parent / "data"
    return sorted(str(path.relative_to(data).with_suffix("")) for path in data.rglob("*.json"))


def links_of(name: str) -> tuple[int, list[tuple[int, int]]]:
    """Return (number of nodes, links) of a topology, without links from a node to itself."""
    topology = topohub.get(name)
    number_of = {node["id"]: number for number, node in enumerate(topology["nodes"])}
    ends = [(number_of[edge["source"]], number_of[edge["target"]]) for edge in topology["edges"]]
    return len(number_of), [(min(pair), max(pair)) for pair in ends if pair[0] != pair[1]]


def metis(nodes: int, links: list[tuple[int, int]], packing: int) -> list[int]:
    """Return the block of each node as METIS chooses it. Blocks are added until none is over the packing."""
    weights = Counter(links)
    neighbours: list[list[tuple[int, int]]] = [[] for _node in range(nodes)]
    for (a, b), weight in weights.items():
        neighbours[a].append((b, weight))
        neighbours[b].append((a, weight))
    starts = [0]
    for found in neighbours:
        starts.append(starts[-1] + len(found))
    adjacency = pymetis.CSRAdjacency(starts, [other for found in neighbours for other, _weight in found])
    link_weights = [weight for found in neighbours for _other, weight in found]
    for parts in range(-(-nodes // packing), nodes + 1):
        if parts == 1:
            return [0] * nodes
        _cut, blocks = pymetis.part_graph(parts, adjacency, eweights=link_weights)
        if max(Counter(blocks).values()) <= packing:
            return list(blocks)
    return list(range(nodes))


def compare(work: tuple[str, int]) -> Case:
    """Partition one topology with both."""
    name, packing = work
    nodes, links = links_of(name)
    hypergraph = Hypergraph(nodes, tuple(links), (1,) * len(links))
    started = time.perf_counter()
    blocks = pack(hypergraph, packing)
    seconds = time.perf_counter() - started
    other = metis(nodes, links, packing)
    digest = hashlib.sha256(repr(blocks).encode()).hexdigest()
    return Case(name, packing, nodes, len(set(blocks)), max(Counter(blocks).values(), default=0), connectivity(hypergraph, blocks),
                len(set(other)), connectivity(hypergraph, other), seconds, digest)


def geometric_mean(cases: list[Case]) -> float:
    """Return the geometric mean of our cut divided by that of METIS, over the cases in which both cut something."""
    ratios = [math.log(case.cut / case.metis_cut) for case in cases if case.cut and case.metis_cut]
    return math.exp(statistics.fmean(ratios)) if ratios else 1.0


def row(title: str, cases: list[Case]) -> str:
    """Return a line of the table."""
    worse = [case for case in cases if case.excess > 0]
    cut = [case for case in cases if case.cut or case.metis_cut]
    times = sorted(case.seconds for case in cases)
    return (f"{title:>7} {len(cases):8,} {len(cut):8,} {sum(case.machines for case in cases):9,} {sum(case.metis_machines for case in cases):9,} "
            f"{sum(case.cut for case in cases):9,} {sum(case.metis_cut for case in cases):9,} {geometric_mean(cases):7.3f} {len(worse):6,} "
            f"{sum(case.far_off for case in cases):7,} {statistics.median(times):8.2f} {times[-1]:8.2f}")


def requirements(cases: list[Case], again: list[Case]) -> list[tuple[bool, str]]:
    """Return (met, text) of each requirement."""
    first = {(case.name, case.packing): case.digest for case in cases}
    short = [case for case in cases if case.machines != -(-case.nodes // case.packing) or case.largest > case.packing]
    cut = [case for case in cases if case.cut or case.metis_cut]
    good = sum(case.excess <= 0 for case in cut) / max(1, len(cut))
    return [
        (not short, f"the number of machines is ⌈nodes / packing⌉ and none is over the packing: {len(short)} cases miss this"),
        (good >= NOT_WORSE, f"the cut is at most that of METIS in {NOT_WORSE:.0%} of cases: {good:.2%}"),
        (not any(case.far_off for case in cases), f"no cut is over METIS by more than {LINK} link and {SHARE:.0%}: {sum(case.far_off for case in cases)} are"),
        (geometric_mean(cases) <= GEOMETRIC_MEAN, f"the geometric mean of the ratios is at most {GEOMETRIC_MEAN}: {geometric_mean(cases):.3f}"),
        (all(case.digest == first[case.name, case.packing] for case in again), f"every run gives the same result: {len(again)} cases were computed twice"),
    ]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--every", type=int, default=1, help="take every Nth topology")
    arguments.add_argument("--first", type=int, default=0, help="the number of the first topology")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of processes")
    arguments.add_argument("--list", action="store_true", help="print each case that is worse than METIS")
    asked = arguments.parse_args()
    if IMPORT_ERROR:
        print(f"{IMPORT_ERROR}: run make bench, which installs it, or .venv/bin/pip install -r requirements-bench.txt", file=sys.stderr)
        return 1
    work = [(name, packing) for name in names()[asked.first::asked.every] for packing in PACKINGS]
    with ProcessPoolExecutor(asked.jobs) as pool:
        cases = list(pool.map(compare, work, chunksize=4))
    with ProcessPoolExecutor(asked.jobs) as pool:
        again = list(pool.map(compare, work[::AGAIN]))
    print(f"{'packing':>7} {'graphs':>8} {'cut > 0':>8} {'machines':>9} {'METIS':>9} {'cut':>9} {'METIS':>9} {'ratio':>7} {'worse':>6} {'far off':>7} "
          f"{'median s':>8} {'max s':>8}")
    for packing in PACKINGS:
        print(row(str(packing), [case for case in cases if case.packing == packing]))
    print(row("all", cases))
    for case in cases if asked.list else ():
        if case.excess > 0:
            ours, theirs = (case.machines, case.cut), (case.metis_machines, case.metis_cut)
            print(f"  {case.name} at {case.packing}: {case.nodes} nodes; machines and cut {ours}, METIS {theirs}")
    digest = hashlib.sha256("".join(case.digest for case in cases).encode()).hexdigest()
    print(f"digest of all partitions: {digest[:16]}")
    results = requirements(cases, again)
    for met, text in results:
        print(f"{'ok    ' if met else 'MISSED'} {text}")
    return int(not all(met for met, _text in results))


if __name__ == "__main__":
    sys.exit(main())
