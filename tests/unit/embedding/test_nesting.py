# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes inside virtual machines, of the vtopo or made for them, and nodes with a system of their own."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.binding.bind import bind
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.machines import pnode_of, vhost_of
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.provisioning import Provisioning, Resources
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError, InputError
from ansible_collections.deter.benito.plugins.module_utils.host.base.plan_check import check_plan
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ImagePlan, UserPlan, from_json, to_json
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import lend, vtopo

DISK = ImagePlan("51d0a7be3c22", "debian-12", "disk", "qcow2", kernel=True)
ROOT = ImagePlan("9c1b4f6f2d7e", "debian-12", "root")
QEMU, OPENVZ = EmbeddingSettings(), EmbeddingSettings(default_container="openvz")


def process(vhost, **more):
    return {"node_type": "process", "vhost": vhost, **more}


def plans_of(topology, chosen=QEMU, nodes=("v", "w", "x", "hidden"), image=DISK, control=None):
    embedding = embed(topology, chosen)
    allocation = lend(*(machine.vhost for machine in embedding.machines))
    hosts = {vhost: dataclasses.replace(host, control_gateway="172.28.4.1") for vhost, host in allocation.hosts.items()}
    addresses = {name: f"172.28.6.{number}/21" for number, name in enumerate(nodes, 1)} if control is None else control
    provisioning = Provisioning(dict.fromkeys(nodes, image), {"v": Resources(512, 2, 4096)}, (UserPlan("mike"),), ("ssh-ed25519 AAAA root",))
    plans = bind("Proj", "exp", embedding.partitioned, dataclasses.replace(allocation, hosts=hosts, control=addresses), chosen, provisioning)
    for vhost, plan in plans.items():
        check_plan(plan, vhost)
        assert from_json(to_json(plan)) == plan
    return plans


def named(plan):
    return {vnode.name: vnode for vnode in plan.vnodes}


def test_a_virtual_machine_that_carries_processes_is_a_vhost_and_has_a_card_for_each_of_their_substrates():
    plans = plans_of(vtopo({"lan": "v p q", "back": "q r"}, v={}, p=process("v"), q=process("v"), r={"node_type": "process"}))
    assert list(plans) == ["pnode-0000", "v"]
    outside, inside = plans["pnode-0000"], plans["v"]
    assert set(named(outside)) == {"v", "r"} and set(named(inside)) == {"p", "q"}
    machine = named(outside)["v"]
    assert [uplink.substrate for uplink in machine.uplinks] == ["lan", "back"]
    assert {uplink.substrate: uplink.mac_address for uplink in machine.uplinks} == {substrate.name: substrate.uplink for substrate in inside.substrates}
    assert {substrate.name for substrate in outside.substrates} == {"lan", "back"}, "a substrate of what is inside comes as far as the pnode"
    assert inside.hosts == outside.hosts
    assert not any(substrate.tunnel for substrate in inside.substrates)


def test_a_vhost_that_is_no_computer_becomes_a_virtual_machine_of_the_ptopo_alone():
    topology = vtopo({"lan": "p q r"}, p=process("hidden"), q=process("hidden"), r={"node_type": "process"})
    embedding = embed(topology, QEMU)
    assert vhost_of(embedding.machines) == {"p": "hidden", "q": "hidden", "r": "pnode-0000"}
    assert set(pnode_of(embedding.machines).values()) == {"pnode-0000"}
    plans = plans_of(topology)
    hidden = named(plans["pnode-0000"])["hidden"]
    assert (hidden.kind, hidden.interfaces, len(hidden.uplinks)) == ("qemu", (), 1)
    assert not any("hidden" in entry.names for entry in plans["hidden"].hosts), "nobody in the experiment sees it"


def test_packing_counts_a_hidden_machine_once_and_keeps_its_processes_together():
    inside = {f"p{number}": process("hidden") for number in range(6)}
    topology = vtopo({"lan": " ".join([*inside, "a", "b", "c"])}, **inside, a={}, b={}, c={})
    embedding = embed(topology, EmbeddingSettings(packing=2))
    assert [len(machine.nodes) + len(machine.hidden) for machine in embedding.machines] == [2, 2]
    assert len({pnode_of(embedding.machines)[name] for name in inside}) == 1


def test_a_substrate_of_nested_processes_goes_from_pnode_to_pnode_by_tunnel():
    plans = plans_of(vtopo({"lan": "p r"}, p=process("hidden", partition="0"), r={"node_type": "process", "partition": "1"}))
    assert plans["pnode-0000"].substrates[0].tunnel and plans["pnode-0001"].substrates[0].tunnel
    assert not plans["hidden"].substrates[0].tunnel and plans["hidden"].substrates[0].mtu == plans["pnode-0000"].substrates[0].mtu


def test_realised_as_processes_nothing_is_nested():
    topology = vtopo({"lan": "v p q"}, v={}, p=process("v"), q=process("hidden"))
    embedding = embed(topology, EmbeddingSettings(kind_map={"qemu": "process"}))
    assert [machine.nested for machine in embedding.machines] == [()]
    assert embedding.machines[0].nodes == ("v", "p", "q")


def test_processes_of_one_hidden_machine_have_one_partition():
    assert embed(vtopo({}, "p q", p=process("hidden", partition="1"), q=process("hidden")), QEMU).machines[0].nested[0].nodes == ("p", "q")
    with pytest.raises(InputError, match="its partition 2 is not that of its vhost hidden"):
        embed(vtopo({}, "p q", p=process("hidden", partition="1"), q=process("hidden", partition="2")), QEMU)


def test_a_node_with_a_system_of_its_own_has_image_control_interface_and_resources():
    plan = plans_of(vtopo({"lan": "v w"}, v={}, w={}))["pnode-0000"]
    first, second = plan.vnodes
    assert (first.image, first.memory_mb, first.cpus, first.disk_mb) == (DISK.digest, 512, 2, 4096)
    assert (first.control.ip4_address, first.control.gateway) == ("172.28.6.1/21", "172.28.4.1")
    assert first.control.mac_address != second.control.mac_address and first.control.port != second.control.port
    assert plan.images == (DISK,) and plan.users == (UserPlan("mike"),) and plan.root_keys == ("ssh-ed25519 AAAA root",)
    assert plans_of(vtopo({"lan": "v w"}, v={}, w={}), OPENVZ, image=ROOT)["pnode-0000"].images == (ROOT,)


def test_a_plan_of_processes_alone_tells_nothing_of_images_and_keys():
    plan = plans_of(vtopo({"lan": "v w"}, v={}, w={}), EmbeddingSettings(default_container="process"))["pnode-0000"]
    assert (plan.images, plan.users, plan.root_keys, plan.vnodes[0].control) == ((), (), (), None)


def test_a_ghost_keeps_its_place_address_and_name():
    plan = plans_of(vtopo({"lan": "v w"}, v={"ghost": "true"}, w={}))["pnode-0000"]
    assert named(plan)["v"].ghost and not named(plan)["w"].ghost
    assert named(plan)["v"].interfaces[0].ip4_address and any("v" in entry.names for entry in plan.hosts)


def test_a_node_without_a_control_address_or_an_image_is_named():
    with pytest.raises(BenitoError, match="node v has no address on the control network"):
        plans_of(vtopo({}, "v", v={}), control={})
    with pytest.raises(BenitoError, match="node v has no image"):
        plans_of(vtopo({}, "v", v={}), nodes=("w",), control={"v": "172.28.6.1/21"})
