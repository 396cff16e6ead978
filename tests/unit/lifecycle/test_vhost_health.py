# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is broken at the end of a swap-in fails it, by the name of the object. What differs inside a node is a remark."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.allocation import Allocation, PoolHost
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ACTIVE, ExperimentDirectory, state_json
from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, VnodePlan, to_json
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.finish import finish
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.node_table import node_rows, table
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.vhost_health import faults_of, remark_of, substrate_lines

PORT = "port bva0 of a:inf000 is down"
BROKEN = {"unit": "active", "nodes": {"a": {"state": "booted"}}, "substrates": {"lan0": "broken", "lan1": "up"}, "filter": "up",
          "faults": {"substrates": {"lan0": [PORT]}, "nodes": {"a": [PORT]}}, "differs": {"a": ["inf000 has no address 10.0.0.1/24"]}}
WELL = {"unit": "active", "nodes": {"b": {"state": "booted"}}, "substrates": {"lan0": "up", "lan2": "up"}, "filter": "",
        "faults": {"substrates": {}, "nodes": {}}, "differs": {}}


@pytest.fixture(name="active")
def fixture_active(tmp_path):
    directory = ExperimentDirectory(str(tmp_path), "Proj", "exp")
    plans = {f"plan/{vhost}.json": to_json(HostPlan("Proj", "exp", vhost, vnodes=(VnodePlan(name, "process", name),)))
             for vhost, name in (("pnode-0000", "a"), ("pnode-0001", "b"))}
    lent = Allocation({f"pnode-000{number}": PoolHost(f"m{number}") for number in range(2)})
    directory.create({"state.json": state_json(ACTIVE), "activity.log": "", "allocation.json": lent.to_json(), **plans})
    return directory


def test_what_is_broken_fails_the_swap_in_with_one_message_for_each_machine(active):
    reports = {"pnode-0000": {"done": True, "status": BROKEN}, "pnode-0001": {"done": True, "status": WELL}}
    finished = finish(active, "swapin", reports)
    assert finished.state == "failed" and finished.failures == {"pnode-0000": f"substrate lan0 is broken: {PORT}"}
    assert finished.message[1:] == [f"  pnode-0000 (m0): substrate lan0 is broken: {PORT}"]
    assert finished.substrates == ["substrates: 2 up, 1 broken", "  lan0: broken"]
    assert [line.split("  ")[-1] for line in table(finished.nodes)] == [
        "REMARK", f"{PORT}; differs: inf000 has no address 10.0.0.1/24", "-"]


def test_differences_inside_nodes_fail_nothing_and_a_dry_run_does_not_fail_for_what_it_did_not_repair(active):
    noted = {**WELL, "differs": {"b": ["inf000 is down"]}}
    finished = finish(active, "swapin", {"pnode-0001": {"done": True, "status": noted}})
    assert (finished.state, finished.failures, finished.nodes[1]["remark"]) == ("active", {}, "differs: inf000 is down")
    assert finish(active, "swapin", {"pnode-0000": {"done": True, "status": BROKEN}}, dry_run=True).failures == {}


def test_a_table_without_a_remark_has_no_column_for_it_and_of_many_nodes_those_with_a_remark_come_first(active):
    assert "REMARK" not in table(node_rows(active, {"pnode-0001": {"status": WELL}}))[0]
    row = {"node": "n", "kind": "process", "pnode": "p", "machine": "m", "state": "booted", "start_command": "-", "remark": ""}
    rows = [{**row, "node": f"n{number}"} for number in range(100)]
    rows[70] = {**rows[70], "remark": PORT}
    assert table(rows, most=10)[1].split()[0] == "n70"


@pytest.mark.parametrize(("changes", "fault"), [
    ({"filter": "missing"}, "the packet filter is missing"),
    ({"filter": "changed"}, "the packet filter is changed"),
    ({"foreign": "ip filter FORWARD"}, "the packet filter ip filter FORWARD of another program may drop the experiment's packets"),
    ({"managed": {"bv1": "NetworkManager"}}, "bv1 is managed by NetworkManager"),
    ({"unit": "failed"}, "the experiment's unit is failed"),
    ({"substrates": {"lan0": "missing"}}, "substrate lan0 is missing"),
    ({"faults": {"nodes": {"m": ["port bvm of m:control0 is missing"]}}}, "m: port bvm of m:control0 is missing"),
])
def test_each_fault_is_named(changes, fault):
    assert faults_of({**WELL, **changes}) == [fault]


def test_a_vhost_of_an_earlier_version_and_one_that_was_not_asked_have_no_faults():
    assert faults_of({}) == []
    assert faults_of({"unit": "active", "nodes": {}, "substrates": {"lan0": "up"}, "filter": "up", "foreign": "passed", "managed": {}}) == []
    assert substrate_lines({"p": {}, "q": {"status": {"substrates": {}}}}) == []


@pytest.mark.parametrize("status", [
    {"substrates": ["x"], "faults": 3, "differs": "no"}, {"substrates": {"l": {"a": 1}}, "faults": {"substrates": {"l": "text"}, "nodes": [1]}},
    {"substrates": {"l": "\x1b[2Jbroken"}, "faults": {"substrates": {"l": ["\x1b]0;x\x07a\nb", "c" * 9999] + ["d"] * 9999}}, "filter": ["x"], "unit": {}},
])
def test_a_hostile_report_is_cleaned_and_bounded(status):
    texts = [*faults_of(status), remark_of({**status, "differs": {"a": ["\x1b[31mred" * 999]}}, "a"), *substrate_lines({"p": {"status": status}})]
    assert all(text.isprintable() and len(text) < 2000 for text in texts)
