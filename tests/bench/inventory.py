# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the inventory plugin with a bare plugin, for an experiment of 10,000 nodes. Both give the same hosts and variables.

The two run in turns. The exit status is 1 if the inventory takes more than 1.3 times the time of the bare plugin.
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
    """Run a command and return (its CPU seconds, its output). CPU time does not count other load of the machine."""
    variables = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "BENITO_HOME": str(folder / "home"), **environment}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(arguments, env=variables, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def unwrapped(value):
    """Return variables without the marks that ansible-inventory puts on untrusted text."""
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
        for option, command in (("--list", [BIN / "ansible-inventory", "--list"]), ("--list-hosts", [BIN / "ansible", "all", "--list-hosts"])):
            times = [(run([*command, *ours], folder)[0], run([*command, *bare], folder, **with_bare)[0]) for _round in range(ROUNDS)]
            mine, theirs = (min(column) for column in zip(*times, strict=True))
            worst = max(worst, mine / theirs)
            print(f"{option} of {len(hosts)} hosts: topdl {mine:.2f} s, bare plugin {theirs:.2f} s, ratio {mine / theirs:.2f} (limit {LIMIT})")
        return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
