# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the throughput of a LAN over two pnodes with and without the experiment's packet filter, in turns in the same run.

Two process nodes, one on each pnode of a local testbed, run TCP through the tunnel. The filter is deleted and loaded again between rounds; the
supervisors, which would restore it, are stopped meanwhile. Throughput varies by a tenth and more from round to round, so there are many short ones.
The exit status is 1 if the filter costs more than its limit, by more than twice the standard error.

    filter.py [--rounds N] [--seconds S]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "integration")]
import support  # noqa: E402
from topologies import topdl  # noqa: E402

LIMIT = 0.97
PORT = 5001
SINK = f"""
import socket
listener = socket.create_server(("", {PORT}))
while True:
    stream = listener.accept()[0]
    while stream.recv(1 << 20):
        pass
"""
SOURCE = f"""
import socket, sys, time
stream, block, sent, end = socket.create_connection(("sink", {PORT})), bytes(1 << 18), 0, time.monotonic() + float(sys.argv[1])
begin = time.monotonic()
while time.monotonic() < end:
    sent += stream.send(block)
print(sent * 8 / (time.monotonic() - begin) / 1e9)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="benito-bench-"))
    playbook = support.Runner(folder / "home", folder)
    settings = {"testbed": "bench", "pnodes": 2, "local_testbed_cache": str(support.ROOT / ".cache" / "testbed")}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            playbook("local_testbed", **settings)
            testbed = support.Testbed(folder / "home" / "inventory" / "local_testbed_bench.yml")
        with support.experiments(quiet(playbook), testbed, folder / "home", "lan", folder) as make:
            experiment = make(topdl({"source": {"on": ["lan"], "partition": "a"}, "sink": {"on": ["lan"], "partition": "b"}}), pid="Bench")
            experiment.play("swapin")
            return report(*measure(experiment, options.rounds, options.seconds))
    finally:
        with contextlib.redirect_stdout(io.StringIO()):
            playbook("local_testbed", **settings, state="down")
        shutil.rmtree(folder)


def quiet(playbook):
    """Return the playbook runner without its output."""

    def call(*names, **options):
        with contextlib.redirect_stdout(io.StringIO()):
            return playbook(*names, **options)

    return call


def measure(experiment, rounds: int, seconds: float) -> tuple[list[float], list[float]]:
    """Return the Gbit/s of each round with and without the filter."""
    vhosts = ("pnode-0000", "pnode-0001")
    plans = {vhost: json.loads((experiment.path / "plan" / f"{vhost}.json").read_text()) for vhost in vhosts}
    where = {vnode["name"]: vhost for vhost, plan in plans.items() for vnode in plan["vnodes"]}
    for vhost in vhosts:
        experiment.ssh(vhost, f"kill -STOP $(systemctl show --value --property=MainPID benito-host@{experiment.name}.service)")
    enter = f"benito-host enter -e {experiment.name}"
    experiment.ssh(where["sink"], f"nohup {enter} sink -- python3 -c '{SINK}' >/dev/null 2>&1 & sleep 1")
    found: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * rounds):
        loaded = number % 4 in (0, 3)  # on off off on: a drift of the machine counts for both
        for vhost in vhosts:
            experiment.ssh(vhost, f"benito-host restore-filter -e {experiment.name}" if loaded else "nft flush ruleset")
        text = experiment.ssh(where["source"], f"{enter} source -- python3 -c '{SOURCE}' {seconds}").stdout
        found[loaded].append(float(text))
        print(f"round {number // 2 + 1} {'with' if loaded else 'without'} the filter: {found[loaded][-1]:.2f} Gbit/s", flush=True)
    for vhost in vhosts:
        experiment.ssh(vhost, f"kill -CONT $(systemctl show --value --property=MainPID benito-host@{experiment.name}.service)")
    return found[True], found[False]


def report(loaded: list[float], without: list[float]) -> int:
    means = statistics.mean(loaded), statistics.mean(without)
    ratio = means[0] / means[1]
    error = ratio * sum((statistics.stdev(figures) / statistics.mean(figures)) ** 2 / len(figures) for figures in (loaded, without)) ** 0.5
    print(f"\nmean with the filter {means[0]:.2f}, without {means[1]:.2f} Gbit/s: ratio {ratio:.3f}, standard error {error:.3f}, limit {LIMIT}")
    missed = ratio + 2 * error < LIMIT
    if missed:
        print("MISSED the limit")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
