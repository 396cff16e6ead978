# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines, warm and cold, and system containers on one pnode: from launch to booted, and the memory of each.

The time begins with the task which has the nodes of the kind: it makes their disks and interfaces and launches them. Of virtual machines it ends when the
last one's start command has run, which is after it has booted and has its addresses; every node is then asked for an answer to a ping. Of
containers it ends when the task does, when all have booted. Templates and images are there before.
Memory is the proportional set size (PSS) of all processes of a node: of pages that several share, each has its part.
Fails when forty system containers take longer than a minute, or ten warm virtual machines longer than 15 seconds or than a fifth of ten cold ones.
"""

from __future__ import annotations

import datetime
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "integration")]
import support  # noqa: E402
from processes import quietly  # noqa: E402
from topologies import topdl  # noqa: E402

SIZES = {"warm": (1, 5, 10, 30), "cold": (1, 5, 10), "openvz": (10, 40)}
TASK = {"qemu": "Start the virtual machines", "openvz": "Start the system containers"}
IMAGE = "debian-12"
MEMORY_MB = 512
CONTAINERS_BOUND_S, WARM_BOUND_S, WARM_RATIO = 60.0, 15.0, 0.2
LOOK = r"""
import collections, glob, json, os, re, subprocess, sys
guest, own, ended = collections.Counter(), collections.Counter(), []
plan = json.load(open("/var/benito/exp/" + sys.argv[1] + "/host.json"))
for path in glob.glob("/proc/[0-9]*"):
    try:
        node = re.search("benito-node-" + re.escape(sys.argv[1]) + r":([^./\n]+)", open(path + "/cgroup").read())
        maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", open(path + "/smaps").read(), flags=re.M)[1:] if node else []
    except OSError:
        continue  # it ended meanwhile, or is the kernel's
    for text in maps:
        size, pss = (int(re.search(r"^" + word + r":\s+(\d+)", text, re.M)[1]) for word in ("Size", "Pss"))
        (guest if text.splitlines()[0].endswith("/memory") or size >= int(sys.argv[2]) << 10 else own)[node[1]] += pss
for path in glob.glob("/run/benito/vm/*/report.d/log"):
    lines = open(path).read().splitlines()
    ended += [os.stat(path).st_mtime] if lines and lines[-1].startswith("ended 0 ") else []
addresses = [node["control"]["ip4_address"].split("/")[0] for node in plan["vnodes"]]
silent = [address for address in addresses if subprocess.call(["ping", "-c", "1", "-W", "20", address], stdout=subprocess.DEVNULL)]
print(json.dumps({"guest": guest, "own": own, "ended": ended, "silent": silent}))
"""


@dataclass(frozen=True)
class Figures:
    """seconds: from launch until all were up; guest_mb, own_mb: PSS of the median node, MiB, its guest's memory and all else."""

    seconds: float
    guest_mb: float
    own_mb: float


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="benito-bench-"))
    home = folder / "home"
    images = support.ROOT / ".cache" / "images"
    images.mkdir(parents=True, exist_ok=True)
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "images").symlink_to(images)
    playbook = support.Runner(home, folder)
    testbed = {"testbed": "bench", "pnodes": 1, "local_testbed_cache": str(support.ROOT / ".cache" / "testbed")}
    figures = {}
    try:
        quietly(playbook, "local_testbed", **testbed)
        pnode = support.Testbed(home / "inventory" / "local_testbed_bench.yml")
        for way, sizes in SIZES.items():
            measure(playbook, pnode, folder, way, 1)  # packages, images and the template come to the pnode before anything is measured
            for count in sizes:
                figures[way, count] = measure(playbook, pnode, folder, way, count)
                print(f"{way:>6} {count:>3}: {figures[way, count].seconds:6.1f} s", flush=True)
    finally:
        quietly(playbook, "local_testbed", **testbed, state="down")
        shutil.rmtree(folder)
    return report(figures)


def measure(playbook, testbed, folder: Path, way: str, count: int) -> Figures:
    kind = "openvz" if way == "openvz" else "qemu"
    identity = {"pid": "Bench", "eid": f"{way}{count}"}
    settings = {} if kind == "openvz" else {"qemu_start": way, "qemu_memory_mb": MEMORY_MB}
    file = folder / "topology.xml"
    file.write_text(topdl({f"n-{number}": {"on": ["lan"], "kind": kind, "image": IMAGE, "startup": "true"} for number in range(count)}))
    quietly(playbook, "containerize", **identity, topology=str(file), packing=count, image=False, memory_overcommit=2, **settings)
    try:
        run = quietly(playbook, "swapin", **identity)
        found = json.loads(testbed.ssh(testbed.pnodes[0], f"python3 - {identity['pid']}.{identity['eid']} {MEMORY_MB}", stdin=LOOK).stdout)
    finally:
        quietly(playbook, "terminate", **identity)
    if len(found["own"]) != count or found["silent"] or (kind == "qemu" and len(found["ended"]) != count):
        raise SystemExit(f"{count} nodes were to run: {found}")
    began, ended = span(run, TASK[kind])
    memory = [statistics.median(found[part].get(node, 0) for node in found["own"]) / 1024 for part in ("guest", "own")]
    return Figures((max(found["ended"]) if kind == "qemu" else ended) - began, *memory)


def span(run, task: str) -> tuple[float, float]:
    """When the one module call of the task's role began and ended, seconds since the epoch."""
    (data,) = [event["event_data"] for event in run.events
               if event["event"] == "runner_on_ok" and event["event_data"]["task"].split(" : ")[-1] == task
               and event["event_data"]["task_action"].startswith("deter.benito.")]
    return tuple(datetime.datetime.fromisoformat(data[word]).replace(tzinfo=datetime.UTC).timestamp() for word in ("start", "end"))


def report(figures: dict[tuple[str, int], Figures]) -> int:
    print(f"\n{'':>6} {'nodes':>6} {'launch to up':>13} {'a node':>8} {'memory of a node':>17}")
    for (way, count), found in figures.items():
        memory = f"{found.guest_mb + found.own_mb:.0f} MiB" + (f", {found.guest_mb:.0f} of them its guest's" if found.guest_mb else "")
        print(f"{way:>6} {count:>6} {found.seconds:>11.1f} s {found.seconds / count:>6.2f} s {memory:>17}")
    warm, cold = figures["warm", 10].seconds, figures["cold", 10].seconds
    ten, forty = (figures["openvz", count].seconds for count in (10, 40))
    print(f"ten warm virtual machines take {warm / cold:.2f} of the time of ten cold ones, and {warm / ten:.1f} times that of ten system containers")
    over = [words for words, failed in (
        (f"40 system containers in {forty:.1f} s, not {CONTAINERS_BOUND_S:.0f}", forty > CONTAINERS_BOUND_S),
        (f"10 warm virtual machines in {warm:.1f} s, not {WARM_BOUND_S:.0f}", warm > WARM_BOUND_S),
        (f"10 warm virtual machines in {warm / cold:.2f} of the time of cold ones, not {WARM_RATIO}", warm > WARM_RATIO * cold),
    ) if failed]
    for words in over:
        print(f"over the bound: {words}")
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
