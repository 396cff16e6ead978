# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of ``benito`` that reach into nodes and find out what is wrong, as a user runs them."""

from __future__ import annotations

import json
import os
import sys

import pytest
import support
from machine_state import difference
from topologies import topdl

LONGEST_S = 120  # of a command

NODES = {
    "alpha": {"on": ["lan"], "partition": "1"},
    "beta": {"on": ["lan", "link"], "partition": "1"},
    "gamma": {"on": ["link"], "partition": "2", "kind": "openvz"},
    "delta": {"on": ["lan"], "partition": "2"},
}


@pytest.fixture(name="benito")
def fixture_benito(benito_home, playbook, tmp_path):
    """Return ``benito("run", "all", "--", "id")``, which runs the command in an empty folder and returns the ended process."""
    images = support.ROOT / ".cache" / "images"  # they are named after their content, so test runs can share them
    images.mkdir(parents=True, exist_ok=True)
    (benito_home / "cache").mkdir(exist_ok=True)
    if not (benito_home / "cache" / "images").exists():
        (benito_home / "cache" / "images").symlink_to(images)
    kept = {name: value for name, value in {**os.environ, **playbook.environment()}.items() if not name.startswith("ANSIBLE_")}

    def run(*arguments, given="", **variables):
        return support.run_bounded([sys.executable, "-m", "benito", *arguments], LONGEST_S, given, cwd=tmp_path,
                                   env={**kept, "PYTHONPATH": str(support.ROOT), **variables})

    return run


def test_nodes_of_each_kind_are_reached_and_what_is_broken_is_named(made, benito, testbed):
    experiment = made(topdl(NODES))
    name = f"Test/{experiment.identity['eid']}"
    refused = benito("ssh", name, "alpha", "--", "hostname")
    assert refused.returncode == 1 and f"benito swapin {name}" in refused.stderr
    experiment.play("swapin")

    assert_each_kind_of_node_runs_a_command(benito, name)
    assert_a_failing_node_of_many_is_named(benito, name)
    assert_pings_show_who_reaches_whom(benito, name)
    assert_node_lists_have_the_original_s_forms(benito, name, experiment, testbed)
    refused = benito("console", name, "pnode-0000")
    assert refused.returncode == 1 and "no console" in refused.stderr


def assert_each_kind_of_node_runs_a_command(benito, name):
    for node in ("alpha", "gamma"):
        done = benito("ssh", name, node, "--", "hostname; read line; echo \"got $line\"; echo 'a  b'; exit 7", given="this line\n")
        assert (done.returncode, done.stdout) == (7, f"{node}\ngot this line\na  b\n"), done.stderr
        done = benito("ssh", node, "--", "printf", "<%s>", "$HOME", "; exit 1", BENITO_EXPERIMENT=name)
        assert (done.returncode, done.stdout) == (0, "<$HOME><; exit 1>"), done.stderr
    assert benito("ssh", name, "pnode-0001", "--", "test -x /usr/local/sbin/benito-host").returncode == 0
    wrong = benito("ssh", name, "nosuch")
    assert wrong.returncode == 1 and "it has alpha, beta, gamma, delta" in wrong.stderr


def assert_a_failing_node_of_many_is_named(benito, name):
    done = benito("run", name, "all", "--json", "--", "echo \"$(hostname) {{ 7 * 7 }}\"; echo err >&2; test \"$(hostname)\" != beta")
    outcomes = {outcome["node"]: outcome for outcome in json.loads(done.stdout)}
    assert {node: (outcome["status"], outcome["out"], outcome["err"]) for node, outcome in outcomes.items()} == {
        node: (1 if node == "beta" else 0, f"{node} {{{{ 7 * 7 }}}}\n", "err\n") for node in NODES}
    assert done.returncode == 1 and "failed on 1 of 4 nodes: beta" in done.stderr

    done = benito("run", name, "substrate_link", "--timeout", "4", "--", "yes | head -c 3000000; test $(hostname) != gamma || exec sleep 50")
    assert done.returncode == 1 and "gamma: ended after its timeout of 4 s" in done.stderr
    lines = [line for line in done.stdout.splitlines() if line == "beta: y"]
    assert len(lines) == (1 << 20) / 2, "1 MiB of a node is shown"
    none = benito("run", name, "nosuch*", "--", "id")
    assert none.returncode == 2 and "matches 'nosuch*'" in none.stderr


def assert_pings_show_who_reaches_whom(benito, name):
    done = benito("ping", name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "8 of 8 pings were answered"
    assert benito("ssh", name, "delta", "--", "ip link set inf000 down").returncode == 0
    done = benito("ping", name, "--all", "--json", "--timeout", "1")
    result = json.loads(done.stdout)
    failed = {(pair["from"], pair["to"]) for pair in result["pairs"] if pair["ms"] is None}
    others = set(NODES) - {"delta"}
    assert failed == {("delta", other) for other in others} | {(other, "delta") for other in others}
    assert (done.returncode, len(result["pairs"]), result["failed"]) == (1, 12, 6)
    done = benito("ping", name, "--timeout", "1")
    assert done.returncode == 1 and "failed: alpha -> delta (10.0.0.3): " in done.stderr and "alpha -> beta" not in done.stderr


def assert_node_lists_have_the_original_s_forms(benito, name, experiment, testbed):
    eid, machines = experiment.identity["eid"], [experiment.pnode_of(f"pnode-000{number}") for number in range(2)]
    expected = {
        "-p": " ".join(machines), "-P": " ".join(f"{machine}=local" for machine in machines), "-v": "pnode-0000 pnode-0001",
        "-h": f"alpha={machines[0]} beta={machines[0]} gamma={machines[1]} delta={machines[1]}", "-c": "alpha beta gamma delta",
    }
    assert {option: benito("node-list", option, name).stdout.strip() for option in expected} == expected
    extra = benito("node-list", "--extra").stdout
    assert f"    pnode-0001.{eid}.Test / {machines[1]}\n  extra nodes:\n    alpha.{eid}.Test\n" in extra


def test_the_doctor_finds_machines_well_and_names_what_is_wrong_with_one(benito, testbed, more_hosts):
    done = benito("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{testbed.pnodes[0]}, {testbed.pnodes[1]}: experiment network: 10.254.0." in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("failed")]

    wrong = dict(testbed.hosts[testbed.pnodes[0]])
    lost = {**wrong, "ansible_host": "127.0.0.1", "ansible_port": 9}
    more_hosts({"wrong": {**wrong, "benito_experiment_address": "10.254.9.9"}, "lost": lost})
    state = testbed.state(testbed.pnodes[0])
    done = benito("doctor", "--json")
    found = {(check["where"], check["name"]): check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert found["wrong", "experiment network"]["state"] == "failed"
    assert "10.254.0." in found["wrong", "experiment network"]["text"] and "benito_experiment_address" in found["wrong", "experiment network"]["remedy"]
    assert found["lost", "reachable"]["state"] == "failed" and found["lost", "reachable"]["remedy"]
    assert {place for place, check in found.items() if check["state"] == "failed"} == {("wrong", "experiment network"), ("lost", "reachable")}
    left = difference(state, testbed.state(testbed.pnodes[0]))
    assert not left, "\n".join(left)
