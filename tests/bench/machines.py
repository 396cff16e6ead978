# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure boot time and memory of warm virtual machines, cold virtual machines and system containers on one pnode.

The time starts with the task that builds the nodes of the kind. For virtual machines it ends when the last start command has run; then every node
must answer a ping. For system containers it ends with the task, when all have booted. Templates and images are on the pnode beforehand.

Memory is the proportional set size (PSS) of all processes of a node: a page that several processes share is divided among them.

The exit status is 1 if 40 system containers take longer than 60 s, or 10 warm virtual machines longer than 15 s or a fifth of the time of 10 cold ones.
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
PROBE = r"""
import collections, glob, json, os, re, subprocess, sys
guest, own, ended = collections.Counter(), collections.Counter(), []
plan = json.load(open("/var/benito/exp/" + sys.argv[1] + "/host.json"))
for path in glob.glob("/proc/[0-9]*"):
    try:
        node = re.search("benito-node-" + re.escape(sys.argv[1]) + r":([^./\n]+)", open(path + "/cgroup").read())
        maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", open(path + "/smaps").read(), flags=re.M)[1:] if node else []
    except OSError:
        continue  # it has ended, or is a kernel thread
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
    """Measurements of one run.

    seconds   from launch until all nodes were up
    guest_mb  PSS of the guest memory of the median node, MiB
    own_mb    its PSS of everything else, MiB
    """

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
        for start, sizes in SIZES.items():
            measure(playbook, pnode, folder, start, 1)  # install packages, images and the template before measuring
            for count in sizes:
                figures[start, count] = measure(playbook, pnode, folder, start, count)
                print(f"{start:>6} {count:>3}: {figures[start, count].seconds:6.1f} s", flush=True)
    finally:
        quietly(playbook, "local_testbed", **testbed, state="down")
        shutil.rmtree(folder)
    return report(figures)


def measure(playbook, testbed, folder: Path, start: str, count: int) -> Figures:
    kind = "openvz" if start == "openvz" else "qemu"
    identity = {"pid": "Bench", "eid": f"{start}{count}"}
    settings = {} if kind == "openvz" else {"qemu_start": start, "qemu_memory_mb": MEMORY_MB}
    file = folder / "topology.xml"
    file.write_text(topdl({f"n-{number}": {"on": ["lan"], "kind": kind, "image": IMAGE, "startup": "true"} for number in range(count)}))
    quietly(playbook, "containerize", **identity, topology=str(file), packing=count, image=False, memory_overcommit=2, **settings)
    try:
        run = quietly(playbook, "swapin", **identity)
        found = json.loads(testbed.ssh(testbed.pnodes[0], f"python3 - {identity['pid']}.{identity['eid']} {MEMORY_MB}", stdin=PROBE).stdout)
    finally:
        quietly(playbook, "terminate", **identity)
    if len(found["own"]) != count or found["silent"] or (kind == "qemu" and len(found["ended"]) != count):
        raise SystemExit(f"not all of {count} nodes run and answer: {found}")
    began, ended = span(run, TASK[kind])
    memory = [statistics.median(found[part].get(node, 0) for node in found["own"]) / 1024 for part in ("guest", "own")]
    return Figures((max(found["ended"]) if kind == "qemu" else ended) - began, *memory)


def span(run, task: str) -> tuple[float, float]:
    """Return when the task of this name began and ended, in seconds since the epoch. Exactly one module call may match."""
    (data,) = [event["event_data"] for event in run.events
               if event["event"] == "runner_on_ok" and event["event_data"]["task"].split(" : ")[-1] == task
               and event["event_data"]["task_action"].startswith("deter.benito.")]
    return tuple(datetime.datetime.fromisoformat(data[word]).replace(tzinfo=datetime.UTC).timestamp() for word in ("start", "end"))


def report(figures: dict[tuple[str, int], Figures]) -> int:
    print(f"\n{'':>6} {'nodes':>6} {'boot time':>13} {'per node':>8} {'memory per node':>17}")
    for (start, count), found in figures.items():
        memory = f"{found.guest_mb + found.own_mb:.0f} MiB" + (f", {found.guest_mb:.0f} of them guest memory" if found.guest_mb else "")
        print(f"{start:>6} {count:>6} {found.seconds:>11.1f} s {found.seconds / count:>6.2f} s {memory:>17}")
    warm, cold = figures["warm", 10].seconds, figures["cold", 10].seconds
    ten, forty = (figures["openvz", count].seconds for count in (10, 40))
    print(f"10 warm virtual machines take {warm / cold:.2f} times as long as 10 cold ones, and {warm / ten:.1f} times as long as 10 system containers")
    missed = [text for text, failed in (
        (f"40 system containers take {forty:.1f} s, limit {CONTAINERS_BOUND_S:.0f} s", forty > CONTAINERS_BOUND_S),
        (f"10 warm virtual machines take {warm:.1f} s, limit {WARM_BOUND_S:.0f} s", warm > WARM_BOUND_S),
        (f"10 warm virtual machines take {warm / cold:.2f} times as long as 10 cold ones, limit {WARM_RATIO}", warm > WARM_RATIO * cold),
    ) if failed]
    for text in missed:
        print(f"MISSED {text}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
