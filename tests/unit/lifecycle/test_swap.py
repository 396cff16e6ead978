# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said at the end of a swap-in or swap-out, and who carries which node."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.allocation import Allocation, PoolHost
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ACTIVE, SWAPPED, ExperimentDirectory, state_json
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan, HostPlan, VnodePlan, to_json
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.carriers import Carrier, all_carriers, carriers
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.finish import failures_of, finish
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.node_table import node_rows, table
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.showing import show_nodes

ROW = {"node": "a", "kind": "process", "pnode": "pnode-0000", "machine": "m1", "state": "booted", "start_command": "exit 0", "remark": ""}


def test_a_vhost_that_reported_nothing_was_lost_and_one_that_is_built_is_no_failure():
    reports = {"p0": {"done": True}, "p1": {"built": True}, "p2": {"failure": "no disk"}, "p3": {}}
    assert failures_of(reports) == {"p2": "no disk", "p3": "the connection to it was lost"}
    assert failures_of({}) == {}


HOSTILE = "\x1b]0;owned\x07\x1b[2Jno\u202e \x9b31mroom\ud800"


def test_the_reason_of_a_failure_is_plain_text_wherever_it_is_kept(active):
    finished = finish(active, "swapin", {"pnode-0000": {"failure": f"Build: a\n{HOSTILE}"}, "pnode-0001": {"failure": {"rc": 1}}})
    assert finished.failures == {"pnode-0000": "Build: a\nno room", "pnode-0001": "{'rc': 1}"}
    assert finished.message[1] == "  pnode-0000 (m0): Build: a\nno room"
    assert active.read_state().reason == "pnode-0000 (m0): Build: a\nno room; pnode-0001 (m1): {'rc': 1}"
    assert [line.partition(" ")[2] for line in active.read("activity.log").splitlines()] == [
        "failed: pnode-0000 (m0): Build: a", "no room; pnode-0001 (m1): {'rc': 1}"]


def test_the_states_that_a_vhost_reports_are_short_and_plain(active):
    reports = {"pnode-0000": {"built": True, "status": {"nodes": {"r": {"state": HOSTILE, "start_command": "ended", "exit_status": HOSTILE}}}},
               "pnode-0001": {"built": True, "status": {"nodes": {"a": {"state": ["x" * 1000]}, "g": 3}}}}
    found = {row["node"]: (row["state"], row["start_command"]) for row in node_rows(active, reports)}
    assert found == {"r": ("no room", "exit no room"), "a": ("['" + "x" * 17 + "…", "-"), "g": ("unknown", "-")}
    assert node_rows(active, {"pnode-0000": {"built": True, "status": {"nodes": "x"}}})[0]["state"] == "unknown"


def test_the_table_is_aligned():
    assert table([ROW, {**ROW, "node": "longer-name", "start_command": "-"}]) == [
        "NODE         KIND     PNODE       MACHINE  STATE   START COMMAND",
        "a            process  pnode-0000  m1       booted  exit 0",
        "longer-name  process  pnode-0000  m1       booted  -",
    ]
    assert table([]) == []


def test_of_many_nodes_those_that_are_not_as_they_should_be_come_first():
    rows = [{**ROW, "node": f"n{number}"} for number in range(100)]
    rows[70] = {**rows[70], "state": "missing"}
    rows[80] = {**rows[80], "start_command": "lost"}
    lines = table(rows, most=10)
    assert [line.split()[0] for line in lines[1:4]] == ["n70", "n80", "n0"]
    assert len(lines) == 12 and lines[-1] == "… and 90 more nodes"


@pytest.fixture(name="active")
def fixture_active(tmp_path):
    """Three nodes: r is a machine itself, a and the ghost g are on another."""
    directory = ExperimentDirectory(str(tmp_path), "Proj", "exp")
    nodes = {"pnode-0000": (VnodePlan("r", "embedded_pnode", "r"),), "pnode-0001": (VnodePlan("a", "process", "a"), VnodePlan("g", "process", "g", ghost=True))}
    plans = {f"plan/{vhost}.json": to_json(HostPlan("Proj", "exp", vhost, vnodes=vnodes)) for vhost, vnodes in nodes.items()}
    lent = Allocation({vhost: PoolHost(f"m{number}", variables={"ansible_host": f"192.0.2.{number}"}) for number, vhost in enumerate(nodes)})
    directory.create({"state.json": state_json(ACTIVE), "activity.log": "", "allocation.json": lent.to_json(), **plans})
    return directory


def test_nodes_are_found_on_the_machines_that_carry_them(active):
    assert carriers(active, ["a", "r", "a"]) == {
        "pnode-0000": Carrier(("r",), True, "m0", {"ansible_host": "192.0.2.0"}), "pnode-0001": Carrier(("a",), False, "m1", {"ansible_host": "192.0.2.1"})}


@pytest.mark.parametrize(("nodes", "message"), [
    (["a", "x", "y", "x"], "experiment Proj/exp has no node x and no node y; it has r, a, g"), ([], "no node is named"),
    (["r", "g"], "g of experiment Proj/exp never runs: a ghost"),
])
def test_nodes_that_are_not_there_or_never_run_are_named(active, nodes, message):
    with pytest.raises(ExperimentError, match=message):
        carriers(active, nodes)


def test_of_an_experiment_that_is_not_swapped_in_nobody_carries_nodes(active):
    active.write_state(SWAPPED)
    with pytest.raises(ExperimentError, match="experiment Proj/exp is swapped, not active: swap it in first"):
        carriers(active, ["a"])
    with pytest.raises(ExperimentError):
        carriers(ExperimentDirectory(active.home, "Proj", "none"), ["a"])


def test_all_machines_of_an_experiment_are_found_in_any_state(active):
    active.write_state("failed", "no room")
    assert {vhost: (carrier.nodes, carrier.machine) for vhost, carrier in all_carriers(active).items()} == {
        "pnode-0000": (("r",), "m0"), "pnode-0001": (("a", "g"), "m1")}


def test_a_virtual_machine_that_carries_processes_is_reached_over_the_control_network(active):
    """Before, its name was taken for an address."""
    mother = VnodePlan("mother", "qemu", "m", control=ControlPlan("c0", "02:00:00:00:00:01", "10.9.0.7/16"))
    active.write("plan/pnode-0001.json", to_json(HostPlan("Proj", "exp", "pnode-0001", vnodes=(mother,))))
    active.write("plan/mother.json", to_json(HostPlan("Proj", "exp", "mother", vnodes=(VnodePlan("inner", "process", "i"),))))
    found = carriers(active, ["inner"])["mother"]
    assert (found.nodes, found.embedded, found.machine) == (("inner",), False, "pnode-0001")
    assert (found.variables["ansible_host"], found.variables["ansible_user"]) == ("10.9.0.7", "root")


def status(**nodes):
    return {"status": {"nodes": {name: {"state": state, "start_command": command} for name, (state, command) in nodes.items()}}}


def test_the_nodes_are_shown_as_the_vhosts_report_them_and_a_silent_vhost_is_named(active):
    shown = show_nodes(active, {"pnode-0000": {"failure": f"{HOSTILE}: refused"}, "pnode-0001": status(a=("booted", "running"), g=("ghost", ""))})
    found = [(row["node"], row["state"], row["start_command"]) for row in shown.nodes]
    assert found == [("r", "unknown", "-"), ("a", "booted", "running"), ("g", "ghost", "-")]
    assert shown.failures == ["  pnode-0000 (m0): no room: refused"] and shown.late == []
    assert shown.message == ["experiment Proj/exp: 1 of 2 vhosts could not be asked", *shown.failures]
    assert active.read_state().state == ACTIVE


@pytest.mark.parametrize(("until", "node", "late"), [
    ("booted", ("running", "waiting"), ["a"]), ("booted", ("booted", "waiting"), []), ("ended", ("booted", "waiting"), ["a"]),
    ("ended", ("booted", "running"), ["a"]), ("ended", ("booted", "ended"), []), ("ended", ("booted", "failed"), []), ("", ("running", ""), []),
])
def test_nodes_that_are_not_what_was_waited_for_are_named(active, until, node, late):
    shown = show_nodes(active, {"pnode-0000": status(r=("booted", "")), "pnode-0001": status(a=node, g=("ghost", ""))}, until)
    assert shown.late == late
    assert [line.rpartition(": ")[2] for line in shown.message] == late


def test_an_experiment_that_is_swapped_out_has_a_line_in_place_of_the_table(tmp_path):
    directory = ExperimentDirectory(str(tmp_path), "Proj", "out")
    directory.create({"state.json": state_json(SWAPPED), "activity.log": ""})
    shown = show_nodes(directory, {})
    assert shown.nodes == [] and shown.text[0].startswith("experiment Proj/out is swapped since ")
