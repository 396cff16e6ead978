# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare swap-in and swap-out of process vnodes with Mininet, on one LAN on one pnode of this machine, in the same run.

200 and 1,000 nodes are built, each with a start command. The time of the tasks on the pnode, and of the whole playbook, is divided by
Mininet's time. The exit status is 1 if a ratio at 1,000 nodes reaches its limit.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "integration")]
import support  # noqa: E402
from topologies import topdl  # noqa: E402

SIZES = (200, 1000)
COMMAND = "hostname > /dev/null"
ON_THE_CONTROLLER = {f"ansible.builtin.{action}" for action in ("set_fact", "include_role", "include_tasks", "validate_argument_spec", "meta")}
BOUNDS = {"tasks up": 0.4, "tasks down": 0.15, "playbook up": 1.0, "playbook down": 1.0}


def main() -> int:
    require_mininet()
    folder = Path(tempfile.mkdtemp(prefix="benito-bench-"))
    playbook = support.Runner(folder / "home", folder)
    testbed = {"testbed": "bench", "pnodes": 1, "local_testbed_cache": str(support.ROOT / ".cache" / "testbed")}
    try:
        quietly(playbook, "local_testbed", **testbed)
        warm_up(playbook, folder)
        ratios = {count: compare(playbook, folder, count) for count in SIZES}
    finally:
        quietly(playbook, "local_testbed", **testbed, state="down")
        shutil.rmtree(folder)
    return report(ratios)


def require_mininet() -> None:
    """Install Debian's packages mininet and bridge-utils if they are missing. Mininet calls brctl but does not depend on it. Neither starts a service."""
    if shutil.which("mn") is None or shutil.which("brctl") is None:
        print("Installing mininet", flush=True)
        subprocess.run(["apt-get", "-qq", "-y", "install", "--no-install-recommends", "mininet", "bridge-utils"], check=True,
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, stdout=subprocess.DEVNULL)


def warm_up(playbook, folder: Path) -> None:
    """Swap a small experiment in and out, so that the pnode's packages are installed before anything is measured."""
    swap(playbook, folder, 2)


def compare(playbook, folder: Path, count: int) -> dict[str, float]:
    """Measure both and return {name of a bound: ratio of our time to that of Mininet}."""
    ours = swap(playbook, folder, count)
    print(f"{count} nodes: deter.benito: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in ours.items()), flush=True)
    command = ["/usr/bin/python3", str(Path(__file__).with_name("_mininet_lan.py")), str(count), COMMAND]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    print(f"{count} nodes: Mininet: up {theirs['up']:.2f} s, down {theirs['down']:.2f} s", flush=True)
    return {name: seconds / theirs[name.split()[1]] for name, seconds in ours.items()}


def swap(playbook, folder: Path, count: int) -> dict[str, float]:
    """Swap an experiment of ``count`` nodes in and out, and return {name of a bound: seconds}."""
    identity = {"pid": "Bench", "eid": f"lan{count}"}
    file = folder / f"lan{count}.xml"
    file.write_text(topdl({f"n-{number}": {"on": ["lan"], "startup": COMMAND} for number in range(count)}))
    quietly(playbook, "containerize", **identity, topology=str(file), packing=count)
    figures = {}
    for name, direction in (("swapin", "up"), ("swapout", "down")):
        run = quietly(playbook, name, **identity)
        figures[f"tasks {direction}"], figures[f"playbook {direction}"] = task_seconds(run), playbook_seconds(run)
    quietly(playbook, "terminate", **identity)
    return figures


def quietly(playbook, name: str, **variables):
    """Run a playbook and hide its output. If it fails, the exception shows the end of it."""
    with contextlib.redirect_stdout(io.StringIO()):
        return playbook(name, **variables)


def task_seconds(run) -> float:
    """Return the seconds of the tasks that run on the pnode, connection and module included. Asking the pool is not among them."""
    return sum(event["event_data"]["duration"] for event in run.events
               if event["event"] in ("runner_on_ok", "runner_on_failed") and event["event_data"]["host"].startswith("pnode-")
               and event["event_data"]["task_action"] not in ON_THE_CONTROLLER)


def playbook_seconds(run) -> float:
    created = [datetime.fromisoformat(event["created"]) for event in run.events]
    return (max(created) - min(created)).total_seconds()


def report(ratios: dict[int, dict[str, float]]) -> int:
    print("\nratio to Mininet  " + "".join(f"{name:>15}" for name in BOUNDS))
    for count, row in ratios.items():
        print(f"{count:>5} nodes       " + "".join(f"{row[name]:>15.2f}" for name in BOUNDS))
    print("limit at 1,000    " + "".join(f"{bound:>15.2f}" for bound in BOUNDS.values()))
    over = [name for name, bound in BOUNDS.items() if ratios[max(SIZES)][name] >= bound]
    if over:
        print(f"MISSED the limit of: {', '.join(over)}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
