# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what the watch of 1,000 process nodes costs a vhost: processor and memory of the supervisor, at rest and at 100 changes a second.

The nodes are real, in namespaces of their own. The program is benito-host as it is installed, run by the system's Python, without systemd.
Two clients read what is published; one of them measures how late it comes. Exit with status 1 if a bound is missed.

    watching.py [--nodes N] [--changes PER_SECOND] [--seconds S]
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ansible" / "collections")]

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.host.base.watch_socket import connect  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.host.delivery.archive import program_files  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.host.run.apply import apply  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, InterfacePlan, SubstratePlan, VnodePlan  # noqa: E402
from ansible_collections.deter.benito.tests.unit.host.sandbox import in_sandbox, install_plan  # noqa: E402

PATHS = ExperimentPaths("Bench.lan")
BOUNDS = {"percent of a processor": 2.0, "MiB of memory": 40.0, "seconds until a change is read": 1.0}
SUPERVISOR = """
import itertools, os, sys, time
sys.path.insert(0, sys.argv[1])
from benito_host.host.run import supervisor
from benito_host.host.base.paths import ExperimentPaths
from benito_host.host.base.plan_file import read_plan
from benito_host.host.start_commands.start_command import StartCommand
paths = ExperimentPaths("Bench.lan")
watch = supervisor.NodeWatch(paths)
plan = {vnode.name: vnode for vnode in read_plan(paths).vnodes}
spent, ended, status = 0.0, False, itertools.cycle(range(100))
def change(names):
    global spent, ended
    ended = names == ["end"]
    for name in names if not ended else ():
        StartCommand(paths, None, plan[name]).end(next(status) << 8)
    began = time.process_time()
    watch.on_start_commands(names if not ended else ())
    spent += time.process_time() - began
def told():
    return os.read(0, 65536).decode().split()
sources = (supervisor.Source("nodes", watch.fd, watch.read, lambda _happened: watch.act(), supervisor.BURST_S), supervisor.Source("changes", 0, told, change))
watch.act()
loop = supervisor.EventLoop(sources)
while loop.step() or not ended:
    pass
print(spent)
"""


def plan(count: int) -> HostPlan:
    """Return a LAN of so many nodes, each with a start command."""
    vnodes = tuple(VnodePlan(f"n-{number}", "process", f"n-{number}", start_command="true",
                             interfaces=(InterfacePlan("inf000", f"bv{number:013x}", "lan", f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}",
                                                       f"10.0.{number >> 8}.{number & 255}/16"),)) for number in range(count))
    return HostPlan("Bench", "lan", "pnode-0000", (SubstratePlan("lan", "bblan00000000", 1500),), vnodes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=100, help="a second")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    reader, writer = os.pipe()
    error = in_sandbox(lambda: os.write(writer, json.dumps(measure(options)).encode()))
    os.close(writer)
    if error:
        print(error, file=sys.stderr)
        return 1
    with os.fdopen(reader) as stream:
        figures = json.load(stream)
    missed = 0
    for name, value in figures.items():
        bound = BOUNDS.get(name)
        missed += bound is not None and value >= bound
        print(f"{name}: {value:.2f}" + (f" (bound {bound:g})" if bound else ""))
    return 1 if missed else 0


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Return {what: value}."""
    install_plan(plan(options.nodes))
    apply(PATHS, ("network", "processes"))
    folder = Path("/run/program")
    for name, text in program_files()[1].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    supervisor = subprocess.Popen(["/usr/bin/python3", "-IS", "-c", SUPERVISOR, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        clients = [await_client() for _number in range(2)]
        rest = processor_seconds(supervisor.pid)
        time.sleep(35)  # with one of the slow looks
        rest = (processor_seconds(supervisor.pid) - rest) / 35
        began = processor_seconds(supervisor.pid)
        latest = drive(supervisor, clients, options)
        busy = (processor_seconds(supervisor.pid) - began) / options.seconds
        memory = memory_mib(supervisor.pid)
        own = float(supervisor.communicate(b"end ", timeout=10)[0]) / options.seconds
        return {"percent of a processor at rest": 100 * rest, "percent of a processor": 100 * own,
                "percent of a processor with the records of start commands": 100 * busy, "MiB of memory": memory, "seconds until a change is read": latest}
    finally:
        supervisor.kill()
        supervisor.wait()


def await_client():
    """Return a client that has got its snapshot."""
    deadline = time.monotonic() + 60
    while True:
        try:
            client = connect(PATHS, 5)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    got = b""
    while not got.endswith(b"\n"):
        got += client.recv(1 << 20)
    return client


def drive(supervisor: subprocess.Popen, clients: list, options: argparse.Namespace) -> float:
    """Have start commands end, one after the other, and read what the clients get. Return the longest delay in seconds."""
    began, number, longest, rests, wrote = time.monotonic(), 0, 0.0, {client: b"" for client in clients}, {}
    while time.monotonic() - began < options.seconds:
        if number < (time.monotonic() - began) * options.changes:
            wrote[f"n-{number % options.nodes}"] = time.monotonic()
            os.write(supervisor.stdin.fileno(), f"n-{number % options.nodes} ".encode())
            number += 1
        for client in select.select(clients, [], [], 0.002)[0]:
            *lines, rests[client] = (rests[client] + client.recv(1 << 20)).split(b"\n")
            for line in lines:
                longest = max(longest, time.monotonic() - wrote[json.loads(line)["node"]])
    return longest


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(process: int) -> float:
    return next(int(line.split()[1]) for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
