# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines for an experiment: what is claimed of them, and that one whose memory does not do is refused with nothing written."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.allocation import Allocation
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlReach
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.allocate import allocate
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.begin import SWAPIN, begin
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.create import Request, prepare
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.lent import read_plans
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.writer import write_topdl
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo

MACHINE = {"memory_mb": 4096, "underlay_device": "eth1", "underlay_mtu": 1600}


@pytest.fixture(name="made")
def fixture_made(tmp_path):
    """``made(topology, **settings)``: the directory of an experiment that was created of it."""

    def make(topology, **settings):
        file = tmp_path / "topology.xml"
        file.write_text(write_topdl(topology), encoding="utf-8")
        creation = prepare(Request("Proj", "exp", str(file), home=str(tmp_path / "home"), settings=settings))
        creation.write()
        return creation.directory

    return make


def pool(*machines):
    return {f"m{number}": {**MACHINE, "underlay_address": f"10.254.0.{number}", **more} for number, more in enumerate(machines, 1)}


def test_what_is_claimed_of_a_machine_is_what_its_nodes_need_and_a_physical_node_shares_with_nobody(made):
    directory = made(vtopo({"lan": "a b m"}, a={"node_type": "process"}, b={"node_type": "process"}, m={"node_type": "embedded_pnode"}))
    allocated = allocate(directory, pool({"shared": True, "shared_with": "leased by P.e"}, {"shared": True, "pnode_memory_mb": "2000"}), {})
    of = {allocated.chosen[vhost]: claim for vhost, claim in allocated.claims.items()}
    assert of == {"m1": {"shared": True, "memory_mb": 2, "memory_limit_mb": 3584}, "m2": {"shared": False, "memory_mb": 0, "memory_limit_mb": 1488}}


def test_a_machine_whose_memory_nobody_knows_is_not_limited(made):
    directory = made(vtopo({"lan": "a"}, a={"node_type": "process"}))
    assert allocate(directory, pool({"memory_mb": 0}), {}).claims["pnode-0000"]["memory_limit_mb"] == 0


@pytest.mark.parametrize(("settings", "machine", "has"), [
    ({}, {}, "3,584 MiB for nodes (4,096, less 512 for itself)"),
    ({"memory_reserve_mb": "100"}, {}, "3,996 MiB for nodes (4,096, less 100 for itself)"),
    ({"memory_reserve_mb": "0"}, {"pnode_memory_mb": 1000}, "1,000 MiB for nodes (1,000, less 0 for itself)"),
    ({"memory_overcommit": "1.1"}, {}, "3,942 MiB for nodes (4,096, less 512 for itself, 1.1 times)"),
    ({}, {"memory_mb": 8192, "memory_reserved_mb": 7000}, "680 MiB for nodes (8,192, less 512 for itself, and 7,000 for other experiments)"),
])
def test_virtual_machines_that_no_machine_can_hold_are_refused_with_nothing_written(made, settings, machine, has):
    directory = made(vtopo({"lan": "a"}, a={"node_type": "qemu", "memory": "4G"}), **settings)
    begin(directory, SWAPIN)
    with pytest.raises(ExperimentError) as caught:
        allocate(directory, pool(machine), {})
    assert str(caught.value).splitlines() == [
        "no machine of the pool has room for pnode-0000, which carries 1 vnode and needs 4,256 MiB: 1 qemu of 4,096 and 160 for each QEMU",
        f"  m1: has {has}"]
    assert directory.read_state().state == "swapped"
    assert not os.path.exists(directory.allocation) and not os.path.exists(directory.plans)


def test_memory_is_promised_twice_only_where_the_site_says_so(made):
    topology = vtopo({"lan": "a b"}, a={"node_type": "process"}, b={"node_type": "process"})
    directory = made(topology, memory_reserve_mb=4095)
    begin(directory, SWAPIN)
    with pytest.raises(ExperimentError, match="m1: has 1 MiB for nodes"):
        allocate(directory, pool({}), {})
    directory.write("site.yml", directory.read("site.yml").replace("memory_overcommit: 1.0", "memory_overcommit: 2.5"))
    begin(directory, SWAPIN)
    assert allocate(directory, pool({}), {}).claims["pnode-0000"] == {"shared": False, "memory_mb": 2, "memory_limit_mb": 2}


TWO_PASSES = {"a": {"node_type": "process", "PartitionPass": "0"}, "b": {"node_type": "process", "PartitionPass": "1"}}


@pytest.mark.parametrize(("settings", "given", "chosen"), [
    ({"pass_pnodes": "0:big;1:small"}, {}, ["m2", "m1"]),
    ({"pass_pnodes": "0:big"}, {}, ["m2", "m1"]),
    ({"pnode_types": "small", "pass_pnodes": {"0": ["big"]}}, {}, ["m2", "m1"]),
    ({"pass_pnodes": "0:big;1:small"}, {"pass_pnodes": "1:big"}, ["m1", "m2"]),
    ({"pnode_types": "big"}, {"pnode_types": []}, ["m1", "m2"]),
    ({"pnode_types": "big"}, {"pnode_types": "small,big", "pass_pnodes": None}, ["m1", "m2"]),
])
def test_each_pnode_is_a_machine_of_a_type_for_its_pass_and_this_run_may_say_others(made, settings, given, chosen):
    directory = made(vtopo({"lan": "a b"}, **TWO_PASSES), **settings)
    allocated = allocate(directory, pool({"type": "small"}, {"type": "big"}, {"type": "other"}), {}, given)
    assert allocated.chosen == dict(zip(["pnode-0000", "pnode-0001"], chosen))


def test_a_pass_for_which_the_pool_has_no_type_of_machine_is_refused(made):
    directory = made(vtopo({"lan": "a b"}, **TWO_PASSES), pass_pnodes="0:huge")
    with pytest.raises(ExperimentError) as caught:
        allocate(directory, pool({"type": "small"}, {"type": "big"}), {})
    assert str(caught.value).splitlines() == [
        "no machine of the pool has room for pnode-0000, which carries 1 vnode and needs 1 MiB: 1 process of 1",
        "  m1: is of type small, not huge", "  m2: is of type big, not huge"]


@pytest.mark.parametrize("variable", ["pnode_memory_mb", "pnode_slots"])
@pytest.mark.parametrize("value", ["much", "-1", "1.5"])
def test_an_inventory_that_has_words_for_a_number_is_an_error_that_names_the_machine(made, variable, value):
    directory = made(vtopo({"lan": "a"}, a={"node_type": "process"}))
    with pytest.raises(ExperimentError, match=f"m1: the inventory's {variable} '{value}' is not a whole number"):
        allocate(directory, pool({variable: value}), {})


@pytest.mark.parametrize(("nodes", "processes"), [
    ({"a": {"node_type": "process"}, "b": {"node_type": "qemu"}}, True),
    ({"a": {"node_type": "process", "vhost": "b"}, "b": {"node_type": "qemu"}}, False),
    ({"a": {"node_type": "process", "vhost": "hidden"}, "b": {"node_type": "openvz"}}, False),
    ({"a": {"node_type": "qemu"}, "b": {"node_type": "embedded_pnode"}}, False),
])
def test_only_processes_on_the_machines_themselves_see_its_files(made, nodes, processes):
    assert begin(made(vtopo({"lan": "a b"}, **nodes)), SWAPIN).processes == processes


def vnis(directory):
    return {substrate.tunnel.vni for plan in read_plans(directory).values() for substrate in plan.substrates if substrate.tunnel}


def test_the_identifiers_of_tunnels_are_made_of_a_secret_that_stays_with_the_experiment(made, tmp_path):
    topology, kind = vtopo({"lan": "a b"}, a={"node_type": "process"}, b={"node_type": "process"}), {"packing": 1}
    directory = made(topology, **kind)
    allocate(directory, pool({}, {}), {}, dry_run=True)
    assert not os.path.exists(directory.file("secrets/tunnel_salt"))
    allocate(directory, pool({}, {}), {})
    first, salt = vnis(directory), directory.read("secrets/tunnel_salt")
    assert len(first) == 1 and len(salt) >= 32 and os.stat(directory.file("secrets/tunnel_salt")).st_mode & 0o777 == 0o600
    assert not allocate(directory, pool({}, {}), {}).changed and vnis(directory) == first
    directory.write("secrets/tunnel_salt", "another")
    allocate(directory, pool({}, {}), {})
    assert vnis(directory) != first


IMAGE = {"digest": "1234567890", "name": "debian-12", "form": "root"}
CONTROL = {"control_network": "172.31.0.0/24", "control_gateway": "172.31.0.254", "control_address": "172.31.0.1"}


@pytest.mark.parametrize(("settings", "more"), [
    ({}, ()), ({"control_allow": "172.31.0.77/32"}, ("172.31.0.77/32",)), ({"control_reach": "project"}, ("172.31.0.60",)), ({"control_reach": "all"}, ()),
])
def test_nodes_reach_each_other_the_controller_and_what_the_settings_say(made, settings, more):
    directory = made(vtopo({"lan": "a b"}, a={"node_type": "openvz"}, b={"node_type": "openvz"}), packing=1, **settings)
    resources = {"memory_mb": 256, "cpus": 0, "disk_mb": 2048}
    directory.write("images.json", json.dumps({"images": {"1234567890": IMAGE}, "nodes": {"a": "1234567890", "b": "1234567890"},
                                               "resources": {"a": resources, "b": resources}}))
    for project, eid, address in (("Proj", "other", "172.31.0.60"), ("Proj2", "other", "172.31.0.61")):
        other = ExperimentDirectory(directory.home, project, eid)
        other.create({"allocation.json": Allocation(control={"x": f"{address}/24"}).to_json()})
    allocate(directory, pool(*({**CONTROL, "control_addresses": f"172.31.0.{n}0-172.31.0.{n}9", "controller": "172.31.0.5"} for n in (1, 2))), {})
    scope = settings.get("control_reach", "experiment")
    for plan in read_plans(directory).values():
        assert plan.control_reach == ControlReach(scope, tuple(sorted({"172.31.0.10", "172.31.0.20", "172.31.0.5", *more})), ("10.254.0.1", "10.254.0.2"))
