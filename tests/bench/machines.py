# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Virtual machines and system containers on one pnode: from launch to booted, and the memory of each.

The time is that of the task which has the nodes of the kind: it makes their disks and interfaces, launches them, and returns when all have booted.
Memory is the proportional set size (PSS) of all processes of a node once all have booted: of pages that several share, each has its part.
Fails when forty system containers take longer than a minute.
"""

from __future__ import annotations

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

SIZES = {"qemu": (1, 5, 10), "openvz": (10, 40)}
TASK = {"qemu": "Bring the virtual machines up", "openvz": "Start the system containers"}
IMAGE = "debian-12"
CONTAINERS_BOUND_S = 60.0
PSS = r"""
import collections, glob, json, re, sys
found = collections.Counter()
for path in glob.glob("/proc/[0-9]*"):
    try:
        node = re.search("benito-node-" + re.escape(sys.argv[1]) + r":([^./\n]+)", open(path + "/cgroup").read())
        if node:
            found[node[1]] += int(re.search(r"^Pss:\s+(\d+)", open(path + "/smaps_rollup").read(), re.M)[1])
    except (OSError, TypeError):
        pass  # it ended meanwhile, or is the kernel's
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Figures:
    """seconds: from launch until all had booted; memory_mb: the median node's PSS, MiB; at_most_mb: the largest's."""

    seconds: float
    memory_mb: float
    at_most_mb: float


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
        for kind, sizes in SIZES.items():
            measure(playbook, pnode, folder, kind, 1)  # packages and images come to the pnode before anything is measured
            for count in sizes:
                figures[kind, count] = measure(playbook, pnode, folder, kind, count)
                print(f"{kind:>6} {count:>3}: {figures[kind, count].seconds:6.1f} s", flush=True)
    finally:
        quietly(playbook, "local_testbed", **testbed, state="down")
        shutil.rmtree(folder)
    return report(figures)


def measure(playbook, testbed, folder: Path, kind: str, count: int) -> Figures:
    identity = {"pid": "Bench", "eid": f"{kind}{count}"}
    file = folder / "topology.xml"
    file.write_text(topdl({f"n-{number}": {"on": ["lan"], "kind": kind, "image": IMAGE} for number in range(count)}))
    quietly(playbook, "containerize", **identity, topology=str(file), packing=count)
    try:
        run = quietly(playbook, "swapin", **identity)
        memory = json.loads(testbed.ssh(testbed.pnodes[0], f"python3 - {identity['pid']}.{identity['eid']}", stdin=PSS).stdout)
    finally:
        quietly(playbook, "terminate", **identity)
    if len(memory) != count:
        raise SystemExit(f"{count} nodes were to run, processes of {len(memory)} were found: {', '.join(sorted(memory))}")
    return Figures(seconds_of(run, TASK[kind]), statistics.median(memory.values()) / 1024, max(memory.values()) / 1024)


def seconds_of(run, task: str) -> float:
    """How long the one module call of the task's role took."""
    return max(event["event_data"]["duration"] for event in run.events
               if event["event"] == "runner_on_ok" and event["event_data"]["task"].split(" : ")[-1] == task
               and event["event_data"]["task_action"].startswith("deter.benito."))


def report(figures: dict[tuple[str, int], Figures]) -> int:
    print(f"\n{'kind':>6} {'nodes':>6} {'launch to booted':>17} {'a node':>8} {'memory of a node':>17} {'at most':>8}")
    for (kind, count), found in figures.items():
        print(f"{kind:>6} {count:>6} {found.seconds:>15.1f} s {found.seconds / count:>6.2f} s {found.memory_mb:>13.1f} MiB {found.at_most_mb:>4.0f} MiB")
    alone, ten = figures["qemu", 1], figures["qemu", 10]
    print(f"ten virtual machines take {ten.seconds / alone.seconds:.1f} times as long as one; "
          f"ten system containers {figures['openvz', 10].seconds / ten.seconds:.2f} times as long as ten virtual machines")
    slow = figures["openvz", 40].seconds > CONTAINERS_BOUND_S
    if slow:
        print(f"over the bound: 40 system containers in {figures['openvz', 40].seconds:.1f} s, not {CONTAINERS_BOUND_S:.0f}")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
