# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a partitioned topology and lent machines to host plans."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.binding import bind as binding
from ansible_collections.deter.benito.plugins.module_utils.embedding.binding.bind import bind, mtu_notes
from ansible_collections.deter.benito.plugins.module_utils.embedding.binding.sysctls import vhost_sysctls
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.allocation import Allocation
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError, ExperimentError, HostError, InputError
from ansible_collections.deter.benito.plugins.module_utils.host.base.plan_check import check_plan
from ansible_collections.deter.benito.plugins.module_utils.hostplan import from_json, to_json
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Capacity
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import lend, vtopo, vtopos, with_attribute
from hypothesis import given, settings
from hypothesis import strategies as st

PROCESSES = EmbeddingSettings(default_container="process")
TWO = {"a": {"partition": "0"}, "b": {"partition": "0"}, "c": {"partition": "1"}}


def plans_of(topology, chosen=PROCESSES, **machines):
    embedding = embed(topology, chosen)
    allocation = lend(*(machine.vhost for machine in embedding.machines), **machines)
    return bind("Proj", "exp", embedding.partitioned, allocation, chosen)


def substrates(plan):
    return {substrate.name: substrate for substrate in plan.substrates}


def interfaces(plans):
    return [interface for plan in plans.values() for vnode in plan.vnodes for interface in vnode.interfaces]


def test_a_substrate_on_one_vhost_has_a_bridge_and_no_tunnel():
    plans = plans_of(vtopo({"l0": "a b", "l1": "b c"}, **TWO))
    local = substrates(plans["pnode-0000"])["l0"]
    assert (local.tunnel, local.mtu, local.probe_address, local.probe_peers) == (None, 1500, "", {})
    assert "l0" not in substrates(plans["pnode-0001"])


def test_a_substrate_on_two_vhosts_has_a_tunnel_between_them():
    plans = plans_of(vtopo({"l0": "a b", "l1": "b c"}, **TWO))
    here, there = substrates(plans["pnode-0000"])["l1"], substrates(plans["pnode-0001"])["l1"]
    assert (here.tunnel.local, here.tunnel.remotes) == ("10.254.0.11", ("10.254.0.12",))
    assert (there.tunnel.local, there.tunnel.remotes) == ("10.254.0.12", ("10.254.0.11",))
    assert here.tunnel.vni == there.tunnel.vni
    assert (here.tunnel.mode, here.tunnel.group, here.tunnel.port) == ("unicast", "", 4789)
    assert (here.probe_address, here.probe_peers) == ("169.254.1.1", {"pnode-0001": "169.254.1.2"})


def test_options_of_the_experiment_are_in_the_environment_of_every_start_command():
    topology = vtopo({"l0": "a b", "l1": "b c"}, **TWO)
    for name, value in {"RATE": "10 Mb", "x-1": "$a", "2nd": "", "PATH": "/tmp", "BENITO_PID": "other", "RATE ": "late"}.items():
        topology = with_attribute(topology, f"containers:env:{name}", value)
    plans = plans_of(topology)
    environments = [vnode.environment for plan in plans.values() for vnode in plan.vnodes]
    assert environments == [{"RATE": "10 Mb", "x_1": "$a", "_2nd": "", "RATE_": "late"}] * 3
    for plan in plans.values():
        check_plan(plan, "plan")


def test_two_vhosts_that_share_several_substrates_probe_each_under_addresses_of_its_own():
    plans = plans_of(vtopo({"l0": "a c", "l1": "b c", "l2": "a b"}, **TWO))
    here, there = substrates(plans["pnode-0000"]), substrates(plans["pnode-0001"])
    used = [substrate.probe_address for plan in (here, there) for substrate in plan.values() if substrate.tunnel]
    assert sorted(used) == ["169.254.1.1", "169.254.1.2", "169.254.1.3", "169.254.1.4"]
    for name in ("l0", "l1"):
        assert here[name].probe_peers == {"pnode-0001": there[name].probe_address}
        assert there[name].probe_peers == {"pnode-0000": here[name].probe_address}


def test_what_no_probe_address_is_left_for_is_not_probed(monkeypatch):
    monkeypatch.setattr(binding, "_PROBE_ADDRESSES", 3)
    plans = plans_of(vtopo({"l0": "a c", "l1": "b c"}, **TWO))
    assert [(s.probe_address, s.probe_peers) for plan in plans.values() for s in substrates(plan).values()] == [
        ("169.254.1.1", {"pnode-0001": "169.254.1.2"}), ("169.254.1.3", {}), ("169.254.1.2", {"pnode-0000": "169.254.1.1"}), ("", {}),
    ]


def test_tunnels_can_use_multicast_and_another_port():
    chosen = dataclasses.replace(PROCESSES, vxlan_mode="multicast", vxlan_port=8472)
    tunnels = [substrates(plan)["l1"].tunnel for plan in plans_of(vtopo({"l0": "a b", "l1": "b c"}, **TWO), chosen).values()]
    assert {tunnel.mode for tunnel in tunnels} == {"multicast"}
    assert len({tunnel.group for tunnel in tunnels}) == 1
    assert re.fullmatch(r"239\.192\.\d+\.\d+", tunnels[0].group)
    assert {tunnel.port for tunnel in tunnels} == {8472}


def test_remotes_are_sorted_as_addresses():
    topology = vtopo({"lan": "a b c"}, a={"partition": "0"}, b={"partition": "1"}, c={"partition": "2"})
    plans = plans_of(topology, pnode_0001={"underlay_address": "10.254.0.9"}, pnode_0002={"underlay_address": "10.254.0.100"})
    assert substrates(plans["pnode-0000"])["lan"].tunnel.remotes == ("10.254.0.9", "10.254.0.100")


def test_substrates_without_members_appear_nowhere():
    plans = plans_of(vtopo({"empty": "", "l0": "a b"}))
    assert list(substrates(plans["pnode-0000"])) == ["l0"]


@pytest.mark.parametrize(("underlay", "mtu"), [(9000, 1500), (1550, 1500), (1549, 1499), (1500, 1450)])
def test_every_member_sees_what_the_smallest_underlay_leaves_and_at_most_1500(underlay, mtu):
    plans = plans_of(vtopo({"l0": "a b", "l1": "b c"}, **TWO), pnode_0001={"underlay_mtu": underlay})
    assert [substrates(plan)["l1"].mtu for plan in plans.values()] == [mtu, mtu]
    assert substrates(plans["pnode-0000"])["l0"].mtu == 1500
    assert [plan.underlay_mtu for plan in plans.values()] == [1600, underlay]
    assert [str(note) for note in mtu_notes(plans)] == (
        [] if mtu == 1500 else [f"substrate l1: its members see an MTU of {mtu} (an underlay of 1550 or more bytes gives 1500)"]
    )


def test_an_underlay_that_is_too_small_for_tunnels_is_the_machines_fault():
    with pytest.raises(HostError, match="machine1: the MTU 600 of eth1 is too small"):
        plans_of(vtopo({"l1": "b c"}, **TWO), pnode_0001={"underlay_mtu": 600})


def test_a_host_without_tunnels_has_no_underlay_mtu():
    assert plans_of(vtopo({"l0": "a b"}))["pnode-0000"].underlay_mtu == 0


def test_a_vnode_gets_what_its_topology_says_in_document_order():
    topology = vtopo({"l0": "a r", "l1": "r b"}, nodes="r b a", r={"startup": "echo 'hello' > /tmp/x"})
    plan = plans_of(topology)["pnode-0000"]
    router, b, a = plan.vnodes
    assert [vnode.name for vnode in plan.vnodes] == ["r", "b", "a"]
    assert (router.kind, router.hostname, router.start_command) == ("process", "r", "echo 'hello' > /tmp/x")
    assert (router.environment, a.start_command) == ({}, "")
    assert [vnode.forwarding for vnode in plan.vnodes] == [True, False, False]
    assert [(i.name, i.substrate, i.ip4_address) for i in router.interfaces] == [("inf000", "l0", "10.0.0.1/24"), ("inf001", "l1", "10.0.1.1/24")]
    assert [(route.to, route.via) for route in a.routes] == [("10.0.0.0/16", "10.0.0.1")]
    assert b.aliases == {"r": "10.0.1.1"}
    assert a.aliases == {}


def test_hosts_mode_shared_has_no_aliases():
    plan = plans_of(vtopo({"l0": "a r", "l1": "r b"}), dataclasses.replace(PROCESSES, hosts_mode="shared"))["pnode-0000"]
    assert all(vnode.aliases == {} for vnode in plan.vnodes)


def test_an_embedded_pnode_is_a_vhost_with_itself_as_only_vnode():
    plans = plans_of(vtopo({"l0": "a m"}, m={"node_type": "embedded_pnode"}))
    assert [(vnode.name, vnode.kind) for vnode in plans["pnode-0001"].vnodes] == [("m", "embedded_pnode")]
    assert substrates(plans["pnode-0001"])["l0"].tunnel is not None


def test_kernel_names_fit_are_unique_on_a_machine_and_say_their_sort():
    plan = plans_of(vtopo({f"l{number}": "a b c" for number in range(20)}, **TWO))["pnode-0000"]
    names = [s.bridge for s in plan.substrates] + [s.tunnel.device for s in plan.substrates] + [i.port for v in plan.vnodes for i in v.interfaces]
    assert all(re.fullmatch(r"b[bvx][a-z2-7]{13}", name) for name in names)
    assert len(set(names)) == len(names) == 80
    assert Counter(name[:2] for name in names) == {"bb": 20, "bx": 20, "bv": 40}


def test_names_and_vnis_in_use_on_a_machine_are_salted_away():
    topology = vtopo({"l0": "a b", "l1": "b c"}, **TWO)
    plan = plans_of(topology)["pnode-0000"]
    bridge, vni, port = substrates(plan)["l1"].bridge, substrates(plan)["l1"].tunnel.vni, plan.vnodes[0].interfaces[0].port
    again = plans_of(topology, pnode_0000={"links": (bridge, port)}, pnode_0001={"vnis": (vni,)})
    salted = substrates(again["pnode-0000"])["l1"]
    assert salted.bridge != bridge
    assert again["pnode-0000"].vnodes[0].interfaces[0].port != port
    assert salted.tunnel.vni != vni
    assert salted.tunnel.vni == substrates(again["pnode-0001"])["l1"].tunnel.vni
    assert substrates(again["pnode-0000"])["l0"] == substrates(plan)["l0"]


def test_mac_addresses_do_not_depend_on_the_machines():
    topology = vtopo({"l0": "a b", "l1": "b c"}, **TWO)
    one = [i.mac_address for i in interfaces(plans_of(topology))]
    other = [i.mac_address for i in interfaces(plans_of(topology, pnode_0000={"links": ("eth0",), "underlay_address": "10.9.9.9"}))]
    assert one == other
    assert all(re.fullmatch(r"02(:[0-9a-f]{2}){5}", mac) for mac in one)


def test_two_experiments_share_no_identifier():
    partitioned = embed(vtopo({"l0": "a b", "l1": "b c"}, **TWO), PROCESSES).partitioned
    first, second = (bind("Proj", eid, partitioned, lend("pnode-0000", "pnode-0001"), PROCESSES) for eid in ("one", "two"))
    used = [{s.bridge for p in plans.values() for s in p.substrates} | {i.mac_address for i in interfaces(plans)} for plans in (first, second)]
    assert not used[0] & used[1]


def test_a_vhost_without_a_machine_is_named():
    partitioned = embed(vtopo({"l1": "b c"}, **TWO), PROCESSES).partitioned
    with pytest.raises(BenitoError, match="no machine is allocated for pnode-0001"):
        bind("Proj", "exp", partitioned, lend("pnode-0000"), PROCESSES)


def test_a_bridge_carries_1023_ports_and_more_is_refused_at_creation():
    chosen = dataclasses.replace(PROCESSES, packing=2000)
    names = [f"n{number}" for number in range(1024)]
    assert len(plans_of(vtopo({"lan": " ".join(names[:1023])}), chosen)["pnode-0000"].vnodes) == 1023
    with pytest.raises(InputError, match="test.xml:2: substrate lan: has 1024 members on pnode-0000, but a bridge carries 1023 of them"):
        embed(vtopo({"lan": " ".join(names)}), chosen)
    elsewhere = {name: {"partition": "1" if name == "n1022" else "0"} for name in names[:1023]}
    with pytest.raises(InputError, match="has 1022 members on pnode-0000, but a bridge carries 1021"):
        embed(vtopo({"lan": " ".join(names[:1023])}, **elsewhere), chosen)


def test_a_small_host_needs_no_sysctl():
    assert plans_of(vtopo({"l0": "a"}))["pnode-0000"].sysctls == {}


def test_neighbour_tables_have_room_for_all_vnodes_of_a_host():
    names = " ".join(f"n{number}" for number in range(100))
    sysctls = plans_of(vtopo({"lan": names}), dataclasses.replace(PROCESSES, packing=100))["pnode-0000"].sysctls
    assert sysctls["net.ipv4.neigh.default.gc_thresh3"] >= 100 * 99
    assert sysctls["net.ipv4.neigh.default.gc_thresh1"] < sysctls["net.ipv4.neigh.default.gc_thresh2"] < sysctls["net.ipv4.neigh.default.gc_thresh3"]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**7), st.integers(0, 10**12))
def test_sysctls_are_integers_a_kernel_takes(vnodes, ports, neighbours):
    assert all(0 < value < 2**31 for value in vhost_sysctls(vnodes, ports, neighbours).values())


def shaped(topology):
    first, *others = topology.substrates
    return dataclasses.replace(topology, substrates=(dataclasses.replace(first, capacity=Capacity(1000.0), attributes=(Attribute("loss", "0.1"),)), *others))


def test_shaping_is_recorded_and_said_not_to_be_applied():
    embedding = embed(shaped(vtopo({"l0": "a b", "l1": "a b"})), PROCESSES)
    assert [str(warning) for warning in embedding.warnings] == [
        "test.xml: substrate l0: capacity, latency or loss of it is recorded, but not applied by this version"
    ]
    assert embedding.partitioned.substrates[0].capacity == Capacity(1000.0)


@pytest.mark.parametrize(("count", "words"), [(1, "of it is"), (2, "of it and of another is"), (3, "of it and of 2 others is")])
def test_how_much_is_shaped_is_said(count, words):
    topology = vtopo({f"l{number}": "a b" for number in range(count)})
    substrates = tuple(dataclasses.replace(substrate, capacity=Capacity(1000.0)) for substrate in topology.substrates)
    (warning,) = embed(dataclasses.replace(topology, substrates=substrates), PROCESSES).warnings
    assert words in str(warning)


def test_kinds_and_addresses_that_are_wrong_are_reported_together():
    topology = vtopo({"l0": "a b"}, fixed={("a", "l0"): "10.0.0.0"}, b={"node_type": "xen"})
    with pytest.raises(InputError) as caught:
        embed(topology, PROCESSES)
    assert [problem.line for problem in caught.value.problems] == [101, 110]


def test_an_allocation_survives_its_file():
    allocation = lend("pnode-0000", pnode_0000={"links": ("eth0",), "vnis": (7,), "variables": {"ansible_host": "192.0.2.1", "ansible_port": 22}})
    assert Allocation.from_json(allocation.to_json()) == allocation


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hosts": {"pnode-0000": {"speed": 1}}}', '{"hosts": {"pnode-0000": 3}}'])
def test_what_is_no_allocation_is_refused(text):
    with pytest.raises(ExperimentError, match="allocation.json: not an allocation"):
        Allocation.from_json(text, "allocation.json")


@settings(max_examples=40, deadline=None)
@given(vtopos(), st.integers(1, 4), st.integers(0, 3))
def test_plans_survive_their_files_and_are_the_same_every_time(topology, packing, seed):
    chosen = dataclasses.replace(PROCESSES, packing=packing, seed=seed)
    plans = plans_of(topology, chosen)
    assert plans == plans_of(topology, chosen)
    for plan in plans.values():
        assert from_json(to_json(plan)) == plan
        assert len(plan.vnodes) <= packing
        assert {interface.substrate for vnode in plan.vnodes for interface in vnode.interfaces} == {substrate.name for substrate in plan.substrates}
    assert len({interface.mac_address for interface in interfaces(plans)}) == len(interfaces(plans))
