# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap-ins that end before anything is built, machines that were given up, and misspelt variables of machines."""

from __future__ import annotations

import os

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.allocation import Allocation, PoolHost
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.choose import Need, Offer, choose
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ACTIVATING, ExperimentDirectory, state_json
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.finish import finish
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.given_up import given_up, settle
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.pool_variables import misspelt
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.withdraw import withdraw


@pytest.fixture(name="chosen")
def fixture_chosen(tmp_path):
    """An experiment whose machines are chosen, and nothing built."""
    directory = ExperimentDirectory(str(tmp_path), "Proj", "exp")
    lent = Allocation({"pnode-0000": PoolHost("m0"), "pnode-0001": PoolHost("m1")})
    directory.create({"state.json": state_json(ACTIVATING), "activity.log": "", "allocation.json": lent.to_json(), "plan/pnode-0000.json": "{}"})
    return directory


def test_run_that_built_nothing_leaves_the_experiment_swapped_without_machines(chosen):
    ended = withdraw(chosen, "pnode-0001 (m1) cannot be had any more: leased by A.b", {"pnode-0000": ""}, kept=False)
    assert ended.message == ["experiment Proj/exp was not swapped in: nothing was built", "  pnode-0001 (m1) cannot be had any more: leased by A.b"]
    assert chosen.read_state().state == "swapped" and not os.path.exists(chosen.allocation) and not os.path.exists(chosen.plans)
    assert "not swapped in: pnode-0001 (m1) cannot be had any more" in chosen.read("activity.log")


def test_machine_that_could_not_be_given_back_stays_lent(chosen):
    ended = withdraw(chosen, "no image", {"pnode-0000": "no route to host"}, kept=False)
    assert ended.message[0].endswith("a machine could not be given back: swap out") and "  pnode-0000 (m0): no route to host" in ended.message
    assert chosen.read_state().state == "failed"
    assert list(Allocation.from_json(chosen.read("allocation.json")).hosts) == ["pnode-0000"]


def test_machines_of_an_earlier_run_stay_lent(chosen):
    ended = withdraw(chosen, "no image", {}, kept=True)
    assert (ended.state, chosen.read_state().reason) == ("failed", "no image") and os.path.exists(chosen.allocation)


def test_machine_that_was_given_up_is_remembered_until_it_does_not_hold_the_lease(chosen):
    finish(chosen, "swapout", {"pnode-0000": {"done": True}, "pnode-0001": {"done": True, "forgotten": True}})
    assert {machine: [(one["pid"], one["eid"]) for one in found] for machine, found in given_up(chosen.home).items()} == {"m1": [("Proj", "exp")]}
    settle(chosen.home, {"m0": {"leases": []}, "m1": {}})  # m1 did not answer
    settle(chosen.home, {"m1": {"leases": ["Proj.exp"]}})
    assert list(given_up(chosen.home)) == ["m1"]
    settle(chosen.home, {"m1": {"leases": ["Other.exp"]}})
    assert given_up(chosen.home) == {}


def test_variables_that_resemble_those_of_machines_are_misspelt():
    own = ("benito_offer", "benito_offered", "benito_secrets", "pnode_types", "pnode_type")
    names = ("benito_experiment_adress", "pnode_slot", "benito_control_address", *own)
    assert misspelt(names) == {"benito_control_address": "benito_control_addresses", "benito_experiment_adress": "benito_experiment_address",
                               "pnode_slot": "pnode_slots"}


def test_machine_without_an_experiment_address_carries_only_nodes_without_links_to_other_machines():
    linked, single = Need(1, tunnels=True), Need(1)
    isolated = Offer("a", isolated="no address")
    assert choose({"p": single, "q": linked}, [isolated, Offer("b")], {}) == {"p": "a", "q": "b"}
    with pytest.raises(ExperimentError, match="(?s)needs 2 pnodes, 1 of 2 machines can be had.*  a: no address"):
        choose({"p": linked, "q": linked}, [isolated, Offer("b")], {})


def test_machine_that_answered_is_not_said_to_be_unreachable():
    with pytest.raises(ExperimentError, match="(?s)  a: cannot be reached: timeout\n  b: cannot be used: no space"):
        choose({"p": Need(1)}, [Offer("a", unreachable="timeout"), Offer("b", unusable="no space")], {})
    with pytest.raises(ExperimentError, match="already carry this experiment cannot be used: b \\(no space\\)"):
        choose({"p": Need(1)}, [Offer("b", unusable="no space")], {"p": "b"})
