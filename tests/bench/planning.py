# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how planning scales: everything that containerize does except pictures, from 100 to 20,000 nodes, each size in its own process.

The topologies are trees, LANs in a tree and preferential-attachment graphs of processes. They have ``rtproto`` Manual, so no routes are computed.
For each size a line shows the processor seconds of each stage, their sum, the sum divided by n log n relative to the smallest size, and memory.
Then come trees of containers, for which host keys are made, and the whole playbook with routes.

The exit status is 1 if anything grows faster than n log n or exceeds a limit. Stages are judged by processor time, so other load does not count.

    planning.py [--sizes N,N…] [--families NAME,NAME…] [--packing N] [--no-keys] [--no-playbook]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import _shapes

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("random_tree", "lans_in_a_tree", "preferential_attachment")
SIZES = (100, 1000, 2000, 5000, 10000, 20000)
SECONDS, MEGABYTES = 60.0, 2000
NOISE = 1.25  # tolerated factor of apparent growth
STAGES = ("read", "check", "address", "partition", "name", "files", "keys", "write")
PLAYBOOK_SHAPES, PLAYBOOK_SIZES = ("one_lan", "lans_on_a_backbone", "binary_tree", "random_tree"), (1000, 10000)
PLAYBOOK_PACKING, PLAYBOOK_SECONDS = 200, 20.0


class Stopwatch:
    """Counts the processor seconds of stages. Time in a nested stage counts for the nested stage only."""

    def __init__(self):
        self.seconds: Counter = Counter()
        self.running: list[str] = []
        self.since = 0.0

    @contextmanager
    def stage(self, name: str):
        self._note()
        self.running.append(name)
        yield
        self._note()
        self.running.pop()

    def _note(self) -> None:
        now = time.process_time()
        if self.running:
            self.seconds[self.running[-1]] += now - self.since
        self.since = now

    def watch(self, module, function: str, stage: str) -> None:
        """Count the time of a module's function for a stage. Only calls through the module's name are counted."""
        wrapped = getattr(module, function)

        def watched(*arguments, **named):
            with self.stage(stage):
                return wrapped(*arguments, **named)

        setattr(module, function, watched)


def measure(family: str, count: int, kind: str, packing: int) -> dict:
    """Create an experiment in this process and return {stage: seconds, "wall": seconds, "memory": MB}."""
    sys.path.insert(0, str(ROOT / ".ansible" / "collections"))
    from ansible_collections.deter.benito.plugins.module_utils.embedding import embed
    from ansible_collections.deter.benito.plugins.module_utils.lifecycle import create as creation
    from ansible_collections.deter.benito.plugins.module_utils.lifecycle import experiment_files

    clock = Stopwatch()
    watched = (
        (creation, "read_input", "read"), (creation, "embed", "name"), (embed, "_checked", "check"), (embed, "assign_addresses", "address"),
        (embed, "partition", "partition"), (creation, "experiment_files", "files"), (creation, "physical_files", "files"),
        (experiment_files, "host_key_files", "keys"),
    )
    for module, function, stage in watched:
        clock.watch(module, function, stage)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "topology.xml"
        source.write_text(_shapes.topdl(getattr(_shapes, family)(count), kind=kind, rtproto="Manual"))
        settings = {"packing": packing, "image": False}
        started = time.monotonic()
        with clock.stage("check"):
            made = creation.prepare(creation.Request("Bench", "large", str(source), home=str(Path(folder) / "home"), settings=settings))
        with clock.stage("write"):
            made.write()
        wall = time.monotonic() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**{stage: clock.seconds[stage] for stage in STAGES}, "wall": wall, "memory": memory}


def measured_apart(family: str, count: int, kind: str, packing: int) -> dict:
    """Run ``measure`` in its own process, so that memory is measured separately."""
    command = [sys.executable, __file__, "--one", family, str(count), kind, str(packing)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def table(family: str, kind: str, sizes: tuple[int, ...], packing: int) -> list[str]:
    """Print a line for each size and return the missed limits."""
    title = f"{family.replace('_', ' ')} of {kind}"
    print(f"\n{title}, packing {packing}")
    print(f"{'nodes':>7} {''.join(f'{stage:>10}' for stage in STAGES)} {'CPU s':>8} {'wall s':>8} {'n log n':>8} {'MB':>6}", flush=True)
    missed, first, before = [], None, None
    for count in sizes:
        found = measured_apart(family, count, kind, packing)
        seconds = sum(found[stage] for stage in STAGES)
        share = seconds / (count * math.log(count))
        first = first or share
        stages = "".join(f"{found[stage]:10.2f}" for stage in STAGES)
        print(f"{count:7,} {stages} {seconds:8.2f} {found['wall']:8.2f} {share / first:8.2f} {found['memory']:6.0f}", flush=True)
        if share > first * NOISE:
            missed.append(f"{title}: {count:,} nodes take {share / first:.2f} times as long per n log n as {sizes[0]:,} nodes")
        if before and before[0] >= 1000 and share > before[1] * NOISE:
            missed.append(f"{title}: from {before[0]:,} to {count:,} nodes, time grows {share / before[1]:.2f} times as fast as n log n")
        if seconds > SECONDS or found["memory"] > MEGABYTES:
            missed.append(f"{title}: {count:,} nodes take {seconds:.0f} s and {found['memory']:.0f} MB")
        before = (count, share)
    return missed


def plan(folder: Path, topology: str, eid: str) -> tuple[float, float]:
    """Create an experiment with the playbook and return (wall seconds, CPU seconds)."""
    source = folder / f"{eid}.xml"
    source.write_text(topology)
    options = {"pid": "Bench", "eid": eid, "topology": source, "packing": PLAYBOOK_PACKING, "default_container": "process"}
    command = [Path(sys.executable).parent / "ansible-playbook", "deter.benito.containerize"]
    command += [part for name, value in options.items() for part in ("-e", f"{name}={value}")]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "BENITO_HOME": str(folder / "home")}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    return ended - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def playbook() -> list[str]:
    """Print a line for each shape and size and return the missed limits."""
    print(f"\nthe whole playbook, with routes, packing {PLAYBOOK_PACKING}")
    missed = []
    with tempfile.TemporaryDirectory() as name:
        for shape in PLAYBOOK_SHAPES:
            for count in PLAYBOOK_SIZES:
                wall, cpu = plan(Path(name), _shapes.topdl(getattr(_shapes, shape)(count)), f"{shape}{count}".replace("_", ""))
                print(f"{shape.replace('_', ' '):20} {count:6,} nodes: {wall:5.1f} s ({cpu:5.1f} s of CPU)", flush=True)
                if wall > PLAYBOOK_SECONDS:
                    missed.append(f"the playbook takes {wall:.0f} s for {count:,} nodes of {shape}")
    return missed


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of nodes, ascending")
    arguments.add_argument("--families", default=",".join(FAMILIES), help="shapes of the process topologies")
    arguments.add_argument("--packing", type=int, default=10)
    arguments.add_argument("--no-playbook", action="store_true", help="skip the whole playbook")
    arguments.add_argument("--no-keys", action="store_true", help="skip the containers")
    arguments.add_argument("--one", nargs=4, metavar=("FAMILY", "NODES", "KIND", "PACKING"), help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.one:
        family, count, kind, packing = asked.one
        print(json.dumps(measure(family, int(count), kind, int(packing))))
        return 0
    sizes = tuple(int(size) for size in asked.sizes.split(","))
    missed = [line for family in asked.families.split(",") for line in table(family, "process", sizes, asked.packing)]
    missed += [] if asked.no_keys else table("random_tree", "openvz", sizes, asked.packing)
    missed += [] if asked.no_playbook else playbook()
    good = f"\nok     nothing grows faster than n log n or takes more than {SECONDS:.0f} s of processor time or {MEGABYTES:,} MB"
    print("".join(f"\nMISSED {line}" for line in missed) or good)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
