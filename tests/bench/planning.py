# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Planning topologies of 10,000 nodes: parse, partition, address, route, write; the whole containerize playbook.

A line per shape with wall and CPU seconds, in order of size, so that the growth is seen too. Ends with
status 1 when 10,000 nodes of a shape take over 20 s.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIZES, PACKING, LIMIT = (1000, 10000), 200, 20.0
LANS = 100


def one_lan(count: int) -> list[list[str]]:
    """Every node on one LAN."""
    return [["lan"] for _node in range(count)]


def lans_on_a_backbone(count: int) -> list[list[str]]:
    """LANS LANs; the first node of each is a router to a backbone."""
    return [[f"lan{node % LANS}", *(["core"] if node < LANS else [])] for node in range(count)]


def binary_tree(count: int) -> list[list[str]]:
    """A link from each node to its parent."""
    return tree((node - 1) // 2 for node in range(1, count))


def random_tree(count: int) -> list[list[str]]:
    """A link from each node to one of those before it."""
    choice = random.Random(1)
    return tree(choice.randrange(node) for node in range(1, count))


def tree(parents) -> list[list[str]]:
    nodes: list[list[str]] = [[]]
    for number, parent in enumerate(parents, 1):
        nodes[parent].append(f"link{number}")
        nodes.append([f"link{number}"])
    return nodes


def topdl(nodes: list[list[str]], startup: str = "") -> str:
    substrates = dict.fromkeys(name for node in nodes for name in node)
    lines = ["<experiment><version>1.0</version>", *(f"<substrates><name>{name}</name></substrates>" for name in substrates)]
    command = f"<attribute><attribute>startup</attribute><value>{startup}</value></attribute>" if startup else ""
    for number, node in enumerate(nodes):
        interfaces = "".join(f"<interface><substrate>{name}</substrate><name>inf{port:03}</name></interface>" for port, name in enumerate(node))
        lines.append(f"<elements><computer><name>n{number}</name>{interfaces}{command}</computer></elements>")
    return "\n".join([*lines, "</experiment>"])


def plan(folder: Path, topology: str, eid: str) -> tuple[float, float]:
    """(wall, CPU) seconds of creating an experiment."""
    source = folder / f"{eid}.xml"
    source.write_text(topology)
    options = {"pid": "Bench", "eid": eid, "topology": source, "packing": PACKING, "default_container": "process"}
    command = [Path(sys.executable).parent / "ansible-playbook", "deter.benito.containerize"]
    command += [part for name, value in options.items() for part in ("-e", f"{name}={value}")]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "BENITO_HOME": str(folder / "home")}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    return ended - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        for shape in (one_lan, lans_on_a_backbone, binary_tree, random_tree):
            for count in SIZES:
                wall, cpu = plan(Path(name), topdl(shape(count)), f"{shape.__name__}{count}".replace("_", ""))
                print(f"{shape.__name__.replace('_', ' '):20} {count:6} nodes: {wall:5.1f} s ({cpu:5.1f} s of CPU)", flush=True)
                worst = max(worst, wall)
    print(f"longest {worst:.1f} s, at most {LIMIT:.0f}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
