# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are hit by a fault at a random moment: a rerun converges, and a swap-out leaves nothing.

A moment is a number. It is the seed of everything that is random: which run, which fault, which machine, and when. BENITO_FAULTS=A-B names the moments.
``make test`` has the first five, ``make soak`` fifty. There the virtual machine also carries a process, which doubles the time of a swap-in.
"""

from __future__ import annotations

import os
import random
import subprocess
import time

import faults
import pytest
import support
from machine_state import difference
from support import EVERY_NODE, wait_until
from topologies import topdl

FIRST, LAST = (int(number) for number in os.environ.get("BENITO_FAULTS", "1-5").split("-"))
RUNS = ("swapin", "swapin", "swapin again", "swapout", "swapout")
LIMIT_S = 600.0
NODES = {
    "metal": {"on": ["lan"], "kind": "embedded_pnode", "partition": "m"},
    "machine": {"on": ["lan"], "kind": "qemu", "partition": "a"},
    "plain": {"on": ["lan"], "partition": "a", "startup": "sleep 100000"},
    "box": {"on": ["back"], "kind": "openvz", "partition": "b"},
    "other": {"on": ["lan", "back"], "partition": "b"},
}
if LAST > 5:
    NODES["inside"] = {"on": ["lan", "back"], "partition": "a", "vhost": "machine"}


@pytest.fixture(scope="module", name="experiment")
def fixture_experiment(pool, tmp_path_factory):
    """Return an experiment with nodes of all kinds, that was swapped in and out once: images and templates are on the machines."""
    playbook, home, testbed = pool
    with support.experiments(playbook, testbed, home, "faults", tmp_path_factory.mktemp("topology"), support.Experiment.print_nodes) as make:
        experiment = make(topdl(NODES))
        experiment.play("swapin")
        experiment.play("swapout")
        yield experiment


@pytest.fixture(scope="module", name="clean")
def fixture_clean(pool, experiment):
    """Return the state of each pnode without experiments."""
    testbed = pool[2]
    return {pnode: testbed.state(pnode) for pnode in testbed.pnodes}


@pytest.fixture(scope="module", name="lengths")
def fixture_lengths(pool, experiment, clean):
    """Return how long each run takes undisturbed, in seconds. On the way, look at what a full disk does to a virtual machine."""
    lengths = {}
    timed(experiment, lengths, "swapin")
    # it begins before the disk is full, because a guest that is paused cannot be told anything
    write = "for time in $(seq 300); do dd if=/dev/zero of=/root/much-$time bs=1M count=1 conv=fsync; sleep 1; done"
    support.ansible(pool, experiment, "machine", f"systemd-run --quiet --unit=much sh -c '{write}'")  # which does not end with this session
    with faults.full_disk(pool[1]):
        status = f"benito-host status -e {experiment.name} --json"
        wait_until("the machine to be paused", lambda: '"paused"' in experiment.ssh("pnode-0001", status).stdout, 120)
    states = {line.split()[0]: line.split()[4] for line in timed(experiment, lengths, "swapin again").task("Show the nodes")[0]["msg"][1:1 + len(NODES)]}
    lost = unreached(pool, experiment)
    timed(experiment, lengths, "swapout")
    return lengths, states, lost


def timed(experiment, lengths, run):
    """Do an undisturbed run and keep its length. The last one counts, because the load of this machine changes."""
    begin = time.monotonic()
    done = experiment.play(run.split()[0])
    lengths[run] = time.monotonic() - begin
    return done


def start(pool, experiment, playbook, sockets):
    """Start a playbook as the leader of a process group. Its output goes to a file in ``sockets``."""
    identity = [part for name, value in experiment.identity.items() for part in ("-e", f"{name}={value}")]
    environment = {**os.environ, **pool[0].environment(), "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets)}
    with open(sockets / "output", "wb") as output:
        return subprocess.Popen(["ansible-playbook", f"deter.benito.{playbook}", *identity], env=environment, cwd=support.ROOT, stdin=subprocess.DEVNULL,
                                stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


def wait_for_machines(testbed):
    """Wait until every pnode has booted and its jobs are done, as a person would before the next command."""
    for pnode in testbed.pnodes:
        wait_until(f"{pnode} to have booted", lambda pnode=pnode: testbed.ssh(pnode, "systemctl is-system-running --wait", check=False).stdout.strip()
                   in ("running", "degraded"), 180)


def unreached(pool, experiment):
    """Return which nodes do not reach which."""
    command = "for name in " + " ".join(NODES) + "; do ping -c 1 -W 10 $name >/dev/null || echo $name; done"
    return {node: text for node, text in support.ansible(pool, experiment, EVERY_NODE, command).items() if text}


def test_a_virtual_machine_that_a_full_disk_has_paused_is_shown_so_and_goes_on_at_the_next_swap_in(lengths):
    _lengths, states, lost = lengths
    assert states == dict.fromkeys(NODES, "booted") and lost == {}


@pytest.mark.parametrize("moment", range(FIRST, LAST + 1))
def test_a_rerun_converges_after_a_fault_and_a_swap_out_leaves_nothing(moment, pool, experiment, lengths, clean, table, tmp_path_factory):
    playbook, home, testbed = pool
    rng = random.Random(moment)
    run, fault, pnode, share = rng.choice(RUNS), rng.choice(list(faults.FAULTS)), rng.choice(testbed.pnodes), rng.random()
    row = [f"{moment:>6}  {run:<14}{fault:<26}{pnode:<11}"]
    try:
        if run != "swapin":
            timed(experiment, lengths[0], "swapin")
        at = share * lengths[0][run]
        row.append(f"{at:5.1f}s  ")
        sockets = tmp_path_factory.mktemp("cp")
        with start(pool, experiment, run.split()[0], sockets) as process:
            try:
                time.sleep(at)  # the moment
                scene = faults.Scene(process, sockets, testbed, home / "testbed" / "faults" / "pnodes", pnode, home, rng)
                row.append(f"{faults.FAULTS[fault](scene):<34}")
                process.wait(LIMIT_S)
            finally:
                process.kill()
        row.append(f"{process.returncode:<10}")
        print((sockets / "output").read_text(errors="replace"))
        assert "Traceback" not in (sockets / "output").read_text(errors="replace")
        wait_for_machines(testbed)

        row.append(f"{'FAILED':<12}")
        experiment.play(run.split()[0])
        if run != "swapout":
            assert experiment.state["state"] == "active"
            assert unreached(pool, experiment) == {}
        row[-1] = f"{'converged':<12}"

        row.append("LEAK")
        timed(experiment, lengths[0], "swapout")
        assert experiment.state["state"] == "swapped"
        left = [f"{name}: {line}" for name in testbed.pnodes for line in difference(clean[name], testbed.state(name))]
        assert not left, "\n".join(left)
        row[-1] = "none"
    finally:
        table.append("".join(row))
