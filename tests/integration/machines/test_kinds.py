# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments with several kinds of node on three pnodes: physical nodes, virtual machines, system containers, processes and nested processes."""

from __future__ import annotations

import subprocess

from machine_state import difference
from support import EVERY_NODE, ansible, wait_until
from topologies import topdl

COMMAND = "echo out of $(hostname); echo err >&2; exit 3"


def all_kinds():
    """Return a topology with every kind, a process inside the virtual machine, and two routers between ``lan`` and ``back``."""
    start = {"startup": COMMAND}
    return topdl({
        "metal": {"on": ["lan"], "kind": "embedded_pnode", "partition": "m", **start},
        "machine": {"on": ["lan"], "kind": "qemu", "partition": "a", **start},
        "inside": {"on": ["lan", "back"], "partition": "a", "vhost": "machine", **start},
        "plain": {"on": ["lan"], "partition": "a", **start},
        "box": {"on": ["back"], "kind": "openvz", "partition": "b", **start},
        "other": {"on": ["lan", "back"], "kind": "openvz", "partition": "b", **start},
    })


def test_nodes_of_all_kinds_reach_each_other_and_swap_out_leaves_nothing(pool, make):
    testbed = pool[2]
    experiment = make(all_kinds())
    names = ["metal", "machine", "inside", "plain", "box", "other"]
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}

    run = experiment.play("swapin")
    table = {line.split()[0]: line.split() for line in run.task("Show the nodes")[0]["msg"]}
    assert {name: table[name][4] for name in names} == dict.fromkeys(names, "booted")

    pings = ansible(pool, experiment, EVERY_NODE, "for name in " + " ".join(names) + "; do ping -c 1 -W 10 $name >/dev/null || echo cannot reach $name; done")
    assert pings == dict.fromkeys(names, "")
    full_size = "for name in metal box; do ping -c 1 -W 10 -s 1472 -M do $name >/dev/null || echo too large for $name; done"
    assert set(ansible(pool, experiment, "machine:other:inside:plain", full_size).values()) == {""}

    log = "/var/benito/log/start_command"
    ended = "with exit status 3"
    wait_until("every start command's end", lambda: all(ended in text for text in ansible(pool, experiment, EVERY_NODE, f"cat {log}.log").values()), 120)
    hostnames = ansible(pool, experiment, EVERY_NODE, "hostname")
    assert ansible(pool, experiment, EVERY_NODE, f"cat {log}.out") == {name: f"out of {hostnames[name]}" for name in names}
    assert ansible(pool, experiment, EVERY_NODE, f"cat {log}.err") == dict.fromkeys(names, "err")
    assert {name: hostnames[name] for name in names if name != "metal"} == {name: name for name in names if name != "metal"}

    again = experiment.play("swapin")
    assert again.changed == 0, again.stdout
    assert {line.split()[0]: line.split()[5:] for line in again.task("Show the nodes")[0]["msg"][1:-1]} == dict.fromkeys(names, ["exit", "3"])

    experiment.play("swapout")
    for pnode in testbed.pnodes:
        left = difference(before[pnode], testbed.state(pnode))
        assert not left, "\n".join(left)


def test_ssh_reaches_a_node_by_its_full_name(pool, make):
    experiment = make(topdl({"box": {"on": ["lan"], "kind": "openvz"}, "peer": {"on": ["lan"]}}))
    experiment.play("swapin")
    name = f"box.{experiment.identity['eid']}.test"
    done = subprocess.run(["ssh", "-F", str(experiment.path / "ssh_config"), "-o", "BatchMode=yes", name, "hostname; ping -c 1 peer"],
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.startswith("box\n") and "1 received" in done.stdout, done.stdout + done.stderr
    assert done.stderr == "", "ssh knows the host key and asks nothing"
