# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of an experiment of 10,000 nodes beside a bare plugin with as many hosts and variables, in turns.

Ends with status 1 when the inventory takes over 1.3 times the bare plugin's time.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from _shapes import lans_on_a_backbone, topdl
from planning import plan

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NODES, ROUNDS, LIMIT = 10_000, 3, 1.3


def run(arguments, folder, **environment) -> tuple[float, str]:
    """(CPU seconds of the command, its output); CPU time, because the machine may have other things to do."""
    variables = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "BENITO_HOME": str(folder / "home"), **environment}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(arguments, env=variables, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def unwrapped(value):
    """Variables without the mark that ansible-inventory gives to untrusted text."""
    if isinstance(value, dict):
        return value.get("__ansible_unsafe", {name: unwrapped(item) for name, item in value.items()})
    return [unwrapped(item) for item in value] if isinstance(value, list) else value


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan(folder, topdl(lans_on_a_backbone(NODES), startup="echo hello"), "large")
        named = ["-e", "pid=Bench", "-e", "eid=large"]
        ours = ["-i", str(ROOT / "inventory" / "experiment.benito.yml"), *named]
        hosts = json.loads(run([BIN / "ansible-inventory", "--list", *ours], folder)[1])["_meta"]["hostvars"]
        (folder / "x.bare.json").write_text(json.dumps(unwrapped(hosts)))
        bare = ["-i", str(folder / "x.bare.json")]
        with_bare = {"ANSIBLE_INVENTORY_PLUGINS": str(ROOT / "tests" / "bench" / "inventory_plugins"), "ANSIBLE_INVENTORY_ENABLED": "bare"}
        worst = 0.0
        for what, command in (("--list", [BIN / "ansible-inventory", "--list"]), ("--list-hosts", [BIN / "ansible", "all", "--list-hosts"])):
            times = [(run([*command, *ours], folder)[0], run([*command, *bare], folder, **with_bare)[0]) for _round in range(ROUNDS)]
            mine, theirs = (min(column) for column in zip(*times, strict=True))
            worst = max(worst, mine / theirs)
            print(f"{what} of {len(hosts)} hosts: topdl {mine:.2f} s, bare plugin {theirs:.2f} s, ratio {mine / theirs:.2f} (at most {LIMIT})")
        return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
