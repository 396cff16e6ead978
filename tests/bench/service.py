# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the service with 1,000 process nodes on ten pnodes of this machine, whose start commands end at 100 a second.

Everything is real: the pnodes, the supervisors on them, SSH, and the service as a program. A client of the line RPC asks for the node status all the time, and
another one is sent the changes. How late a change comes is the time from the last thing that the start command did. Exit with status 1 if a bound is missed.

    service.py [--nodes N] [--pnodes N] [--changes PER_SECOND]
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from ast import literal_eval
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "integration")]
import support  # noqa: E402
from topologies import topdl  # noqa: E402
from watching import memory_mib, processor_seconds  # noqa: E402

BOUNDS = {"ms until a status request is answered": 100.0, "seconds until a change is told": 1.0, "MiB of memory of the service": 300.0}
NAME = "Bench/service"
LIMIT_S = 300.0
_BEFORE_S = 10.0  # from the start of the commands to the first end, for the clients


class Client:
    """A connection with the line RPC."""

    def __init__(self, path: Path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(LIMIT_S)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r", encoding="utf-8")

    def send(self, line: str) -> None:
        self._socket.sendall(f"{line}\n".encode())

    def next(self) -> dict[str, dict[str, list]]:
        """Return the nodes of the next reply or change."""
        word, _space, body = self._lines.readline().partition(" ")
        if word not in ("status_reply", "status_change"):
            raise RuntimeError(f"the service says: {word} {body}")
        return literal_eval(body)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pnodes", type=int, default=10)
    parser.add_argument("--changes", type=float, default=100, help="a second")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="benito-bench-"))
    playbook = support.Runner(folder / "home", folder)
    settings = {"testbed": "bench", "pnodes": options.pnodes, "local_testbed_cache": str(support.ROOT / ".cache" / "testbed")}
    try:
        playbook("local_testbed", **settings)
        testbed = support.Testbed(folder / "home" / "inventory" / "local_testbed_bench.yml")
        figures = measure(playbook, folder, testbed, options)
    finally:
        if (folder / "home" / "proj").exists():
            playbook("terminate", pid="Bench", eid="service")
        playbook("local_testbed", **settings, state="down")
        shutil.rmtree(folder)
    missed = 0
    for name, value in figures.items():
        bound = BOUNDS.get(name)
        missed += bound is not None and value >= bound
        print(f"{name}: {value:.3f}" + (f" (bound {bound:g})" if bound else ""))
    return 1 if missed else 0


def measure(playbook, folder: Path, testbed, options: argparse.Namespace) -> dict[str, float]:
    """Return {what: value}."""
    ends = {f"n-{number}": _BEFORE_S + number / options.changes for number in range(options.nodes)}
    # all nodes look at one clock, so that they end one after the other whenever they began
    command = "sleep $(( $(date +%s) / 60 * 60 + 60 - $(date +%s) )); sleep {:.3f}; date +%s.%N"
    topology = folder / "topology.xml"
    topology.write_text(topdl({node: {"on": ["lan"], "partition": f"p{number % options.pnodes}", "startup": command.format(end)}
                               for number, (node, end) in enumerate(ends.items())}))
    playbook("containerize", pid="Bench", eid="service", topology=str(topology), image=False)
    home = folder / "home"
    environment = {**os.environ, "BENITO_HOME": str(home), "PYTHONPATH": str(support.ROOT)}
    with subprocess.Popen([sys.executable, "-m", "benito", "serve", "--port", "8469"], env=environment, stdout=subprocess.DEVNULL) as service:
        try:
            playbook("swapin", pid="Bench", eid="service")
            return watch(service, home / "grandstand.sock", testbed, options)
        finally:
            service.terminate()
            service.wait(LIMIT_S)


def watch(service: subprocess.Popen, path: Path, testbed, options: argparse.Namespace) -> dict[str, float]:
    told: dict[str, float] = {}
    subscriber, asking = Client(path), Client(path)
    subscriber.send(f"status_subscribe {NAME}")

    def listen() -> None:
        while len(told) < options.nodes:
            changed = subscriber.next()
            when = time.time()
            for nodes in changed.values():
                for node, (_state, code) in nodes.items():
                    if code is not None:
                        told.setdefault(node, when)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    answers, spent, began = [], processor_seconds(service.pid), time.monotonic()
    while listener.is_alive():
        if time.monotonic() - began > LIMIT_S:
            raise RuntimeError(f"{len(told)} of {options.nodes} changes came within {LIMIT_S:.0f} s")
        asked = time.monotonic()
        asking.send(f"status_request {NAME}")
        if sum(map(len, asking.next().values())) < options.nodes:
            raise RuntimeError("a status reply has not all nodes")
        answers.append(1000 * (time.monotonic() - asked))
        listener.join(0.2)
    percent = 100 * (processor_seconds(service.pid) - spent) / (time.monotonic() - began)
    late = delays(told, testbed)
    return {
        "ms until a status request is answered": max(answers), "ms until a status request is answered, median": statistics.median(answers),
        "seconds until a change is told": max(late), "seconds until a change is told, median": statistics.median(late),
        "changes that were told": len(late), "MiB of memory of the service": memory_mib(service.pid), "percent of a processor of the service": percent,
    }


def delays(told: dict[str, float], testbed) -> list[float]:
    """Return how late each change was told: when it came, less what its start command printed at its end."""
    found = []
    for pnode in testbed.pnodes:
        output = testbed.ssh(pnode, "cd /var/benito && grep -rHs . --include=start_command.out . | sed 's/:/ /'").stdout
        for line in output.splitlines():
            file, ended = line.split()
            node = next((part for part in Path(file).parts if part in told), None)
            if node:
                found.append(told[node] - float(ended))
    return found


if __name__ == "__main__":
    sys.exit(main())
