# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of an experiment, before it is swapped in, while it is, and when something is broken."""

from __future__ import annotations

import json
import os

import pytest
from ansible.errors import AnsibleError
from ansible.utils.display import Display
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.allocation import Allocation, PoolHost
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.create import Request, prepare

TOPOLOGY = """<experiment>
<version>1.0</version>
<substrates><name>lan-0</name><latency><time>5</time></latency></substrates>
<substrates><name>link0</name><capacity><rate>1000</rate><kind>max</kind></capacity></substrates>
<elements><computer><name>client</name><interface><substrate>lan-0</substrate><name>inf000</name></interface></computer></elements>
<elements><computer><name>router</name><interface><substrate>lan-0</substrate><name>inf000</name></interface>
 <interface><substrate>link0</substrate><name>inf001</name><capacity><rate>500</rate><kind>max</kind></capacity></interface>
 <attribute><attribute>startup</attribute><value>echo {{ nobody }} $HOME</value></attribute></computer></elements>
<elements><computer><name>big</name><interface><substrate>link0</substrate><name>inf000</name></interface>
 <attribute><attribute>containers:node_type</attribute><value>embedded_pnode</value></attribute></computer></elements>
</experiment>
"""
SOURCE = "plugin: deter.benito.topdl\n"
NAMED = {"pid": "P-1", "eid": "E"}
REACH = {"ansible_host": "192.0.2.11", "ansible_user": "root", "ansible_ssh_private_key_file": "/k", "benito_experiment_address": "10.254.0.11"}


@pytest.fixture(name="experiment")
def fixture_experiment(tmp_path, monkeypatch):
    """An experiment of two processes and a physical machine; its directory."""
    monkeypatch.setenv("BENITO_HOME", str(tmp_path / "home"))
    (tmp_path / "t.xml").write_text(TOPOLOGY)
    (tmp_path / "experiment.benito.yml").write_text(SOURCE)
    creation = prepare(Request(topology="t.xml", chdir=str(tmp_path), settings={"default_container": "process"}, **NAMED))
    creation.write()
    return creation.directory


@pytest.fixture(name="source")
def fixture_source(tmp_path, experiment):
    return tmp_path / "experiment.benito.yml"


def allocate(experiment):
    hosts = {"pnode-0000": PoolHost("m1", variables=REACH), "pnode-0001": PoolHost("m2", variables={"ansible_connection": "local", "ansible_become": True})}
    experiment.write("allocation.json", Allocation(hosts).to_json())
    experiment.write_state("active")


def members(inventory):
    return {name: sorted(host.name for host in group.get_hosts()) for name, group in inventory.groups.items() if name != "ungrouped"}


def variables(inventory, name):
    """What is set for a host by the plugin, its groups' variables included."""
    host = inventory.get_host(name)
    found = {}
    for group in host.get_groups():
        found.update(group.vars)
    return {**found, **{key: value for key, value in host.vars.items() if not key.startswith("inventory_")}}


def test_the_groups_of_an_experiment(source, inventory_of):
    everything = ["big", "client", "pnode-0000", "pnode-0001", "router"]
    assert members(inventory_of(source, **NAMED)) == {
        "all": everything,
        "pnodes": ["pnode-0000", "pnode-0001"],
        "vhosts": ["pnode-0000", "pnode-0001"],
        "vnodes": ["client", "router"],
        "kind_process": ["client", "router"],
        "kind_embedded_pnode": ["big"],
        "partition_0": ["client", "router"],
        "partition_1": ["big"],
        "substrate_lan_0": ["client", "router"],
        "substrate_link0": ["big", "router"],
        "experiment_P_1_E": everything,
    }


def test_the_variables_of_a_vnode(source, inventory_of):
    found = variables(inventory_of(source, **NAMED), "router")
    macs = [interface.pop("mac_address") for interface in found["benito_interfaces"]]
    assert all(mac.startswith("02:") for mac in macs) and len(set(macs)) == 2
    assert found == {
        "ansible_connection": "deter.benito.process",
        "benito_attributes": {"startup": "echo {{ nobody }} $HOME", "containers:node_type": "process", "containers:partition": "0"},
        "benito_eid": "E",
        "benito_experiment": "P-1.E",
        "benito_interfaces": [
            {"name": "inf000", "substrate": "lan-0", "ip4_address": "10.0.0.2", "ip4_netmask": "255.255.255.0", "capacity": None, "latency": 5.0},
            {"name": "inf001", "substrate": "link0", "ip4_address": "10.0.1.1", "ip4_netmask": "255.255.255.0", "capacity": 500.0, "latency": None},
        ],
        "benito_kind": "process",
        "benito_node": "router",
        "benito_partition": "0",
        "benito_pid": "P-1",
        "benito_startup": "echo {{ nobody }} $HOME",
        "benito_state": "swapped",
        "benito_vhost": "pnode-0000",
    }


def test_while_swapped_in_pnodes_are_reached_as_the_pool_says_and_processes_through_them(experiment, source, inventory_of):
    allocate(experiment)
    inventory = inventory_of(source, **NAMED)
    pnode = variables(inventory, "pnode-0000")
    assert pnode == {
        **REACH,
        "benito_kind": "pnode",
        "benito_partition": "0",
        "benito_vhost": "pnode-0000",
        "benito_pool_host": "m1",
        "benito_pid": "P-1",
        "benito_eid": "E",
        "benito_experiment": "P-1.E",
        "benito_state": "active",
    }
    client = variables(inventory, "client")
    assert {name: value for name, value in client.items() if name.startswith("ansible_")} == {
        "ansible_connection": "deter.benito.process",
        "ansible_host": "192.0.2.11",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": "/k",
    }
    physical = variables(inventory, "big")
    assert (physical["ansible_host"], physical["ansible_connection"], physical["benito_pool_host"]) == ("m2", "local", "m2")


def test_a_process_on_a_machine_of_another_connection_is_reached_by_that_and_as_root(experiment, source, inventory_of):
    experiment.write("allocation.json", Allocation({"pnode-0000": PoolHost("m", variables={"ansible_connection": "local", "ansible_become": "yes"})}).to_json())
    client = variables(inventory_of(source, **NAMED), "client")
    assert client["ansible_connection"] == "deter.benito.process"
    assert (client["benito_vhost_connection"], client["benito_vhost_become"]) == ("local", True)
    assert "ansible_become" not in client


def test_qualified_names_let_two_experiments_stand_side_by_side(tmp_path, source, inventory_of):
    prepare(Request("P-1", "F", "t.xml", chdir=str(tmp_path), settings={"default_container": "process"})).write()
    for eid in "EF":
        (tmp_path / f"{eid}.benito.yml").write_text(f"{SOURCE}pid: P-1\neid: {eid}\nhostnames: qualified\n")
    found = members(inventory_of(tmp_path / "E.benito.yml", tmp_path / "F.benito.yml"))
    assert found["vnodes"] == ["client.e.p-1", "client.f.p-1", "router.e.p-1", "router.f.p-1"]
    assert found["experiment_P_1_F"] == ["big.f.p-1", "client.f.p-1", "pnode-0000.f.p-1", "pnode-0001.f.p-1", "router.f.p-1"]


def test_an_experiment_of_a_group_is_shown_by_its_project(tmp_path, source, inventory_of):
    prepare(Request("P-1/team", "F", "t.xml", chdir=str(tmp_path), settings={"default_container": "process"})).write()
    inventory = inventory_of(source, pid="P-1/team", eid="F")
    assert members(inventory)["experiment_P_1_F"] == ["big", "client", "pnode-0000", "pnode-0001", "router"]
    assert variables(inventory, "client")["benito_experiment"] == "P-1.F"
    assert not inventory_of(source, pid="P-1", eid="F").hosts


@pytest.mark.parametrize("named", [{}, {"pid": "P-1"}, {"pid": "P-1", "eid": "typo"}, {"pid": "../x", "eid": "E"}])
def test_no_experiment_is_an_empty_inventory(source, inventory_of, named):
    assert not inventory_of(source, **named).hosts


def test_a_partitioned_topology_needs_no_experiment(tmp_path, experiment, inventory_of):
    (tmp_path / "plan.benito.yml").write_text(f"{SOURCE}topology: {experiment.partitioned}\n")
    inventory = inventory_of(tmp_path / "plan.benito.yml", **NAMED)
    assert members(inventory)["vnodes"] == ["client", "router"]
    client = variables(inventory, "client")
    assert client["benito_interfaces"][0]["mac_address"] is None
    assert not {"ansible_connection", "benito_state", "benito_pid"} & set(client)


def test_a_partitioned_topology_is_known_by_its_content(tmp_path, inventory_of, capsys):
    kinds = "".join(f"tb-add-node-attribute ${name} containers:{pair}\n" for name in "ab" for pair in ("node_type process", "partition 1"))
    text = f"set ns [new Simulator]\nset a [$ns node]\nset b [$ns node]\n$ns duplex-link $a $b 1Mb 0ms DropTail\n{kinds}$ns run\n"
    for name in ("plan.txt", "plan.xml"):
        (tmp_path / name).write_text(text)
        (tmp_path / "plan.benito.yml").write_text(f"{SOURCE}topology: {name}\n")
        assert members(inventory_of(tmp_path / "plan.benito.yml"))["vnodes"] == ["a", "b"]
        assert ("its content NS: it is read as NS" in " ".join(capsys.readouterr().err.split())) == (name == "plan.xml")


@pytest.mark.parametrize(
    "topology, message",
    [("t.xml", "computer client: has no kind or no partition"), ("none.xml", "none.xml: cannot be read: No such file"), (".", "Is a directory")],
)
def test_a_topology_that_cannot_be_shown_is_an_error(tmp_path, source, inventory_of, capsys, topology, message):
    (tmp_path / "plan.benito.yml").write_text(f"{SOURCE}topology: {topology}\n")
    with pytest.raises(AnsibleError, match="Completely failed to parse inventory source"):
        inventory_of(tmp_path / "plan.benito.yml")
    shown = capsys.readouterr().err
    assert message in " ".join(shown.split())
    assert "Traceback" not in shown


def test_an_inventory_json_of_another_topology_is_made_anew(experiment, source, inventory_of):
    text = experiment.read("partitioned.xml")
    for broken in ("", "{", '{"version": 1}', json.dumps({"version": 1, "topology": "0", "pnodes": {}, "nodes": {}, "groups": {}})):
        experiment.write("inventory.json", broken)
        assert members(inventory_of(source, **NAMED))["vnodes"] == ["client", "router"]
    experiment.discard("inventory.json")
    experiment.write("partitioned.xml", text.replace("client", "customer"))
    assert members(inventory_of(source, **NAMED))["vnodes"] == ["customer", "router"]


def test_the_prepared_inventory_is_what_planning_would_give(experiment, source, inventory_of):
    prepared = {name: variables(inventory_of(source, **NAMED), name) for name in ("client", "router", "big", "pnode-0001")}
    experiment.discard("inventory.json")
    assert {name: variables(inventory_of(source, **NAMED), name) for name in prepared} == prepared


@pytest.mark.parametrize("name, content", [("state.json", "{"), ("allocation.json", "[1]"), ("allocation.json", "{")])
def test_what_is_broken_is_a_warning_so_that_it_can_be_swapped_out(experiment, source, inventory_of, capsys, name, content):
    experiment.write(name, content)
    assert members(inventory_of(source, **NAMED))["vnodes"] == ["client", "router"]
    assert name in capsys.readouterr().err


def test_an_experiment_without_its_topology_is_empty_with_a_warning(experiment, source, inventory_of, capsys):
    experiment.discard("partitioned.xml")
    assert not inventory_of(source, **NAMED).hosts
    assert "experiment P-1/E is broken" in " ".join(capsys.readouterr().err.split())


def test_composed_variables_and_groups_know_everything_of_a_host(tmp_path, source, inventory_of):
    (tmp_path / "mine.benito.yml").write_text(
        SOURCE
        + """
strict: true
compose: {where: "benito_experiment + ':' + benito_vhost"}
groups: {routers: "benito_interfaces | default([]) | length > 1"}
keyed_groups: [{key: benito_kind, prefix: by_kind}]
"""
    )
    inventory = inventory_of(tmp_path / "mine.benito.yml", **NAMED)
    assert members(inventory)["routers"] == ["router"]
    assert members(inventory)["by_kind_pnode"] == ["pnode-0000", "pnode-0001"]
    assert variables(inventory, "client")["where"] == "P-1.E:pnode-0000"


def test_a_cached_inventory_follows_topology_allocation_and_state(tmp_path, experiment, source, inventory_of):
    cached = tmp_path / "cached.benito.yml"
    cached.write_text(f"{SOURCE}cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: {tmp_path}/cache\n")
    for _again in range(2):
        assert variables(inventory_of(cached, cache=True, **NAMED), "client")["benito_state"] == "swapped"
    assert len(os.listdir(tmp_path / "cache")) == 1
    allocate(experiment)
    found = variables(inventory_of(cached, cache=True, **NAMED), "client")
    assert (found["benito_state"], found["ansible_host"]) == ("active", "192.0.2.11")


@pytest.fixture(name="pool")
def fixture_pool(tmp_path):
    """A function: the text of an inventory in the pool's folder in, the source of the plugin pool out."""

    def write(text):
        (tmp_path / "home" / "inventory").mkdir(exist_ok=True)
        (tmp_path / "home" / "inventory" / "mine.yml").write_text(text)
        (tmp_path / "pool.benito-pool.yml").write_text("plugin: deter.benito.pool\n")
        return tmp_path / "pool.benito-pool.yml"

    return write


@pytest.mark.parametrize("pool_first", [True, False])
@pytest.mark.parametrize("machines", [
    "pnode_pool: {hosts: {client: {ansible_host: 192.0.2.9}, pnode-0000: {}, m1: {}}}",
    "{client: {hosts: {m2: {}}}, pnode_pool: {hosts: {m1: {}, pnode-0000: {}}}}",
])
def test_a_node_named_like_a_machine_or_a_group_of_the_pool_gets_its_qualified_name(source, inventory_of, pool, capsys, monkeypatch, machines, pool_first):
    monkeypatch.setattr(Display(), "_warns", set())  # Ansible says each warning once in a process
    first, second = (pool(machines), source) if pool_first else (source, pool(machines))
    inventory = inventory_of(first, second, **NAMED)
    found = members(inventory)
    assert found["vnodes"] == ["client.e.p-1", "router"] and found["pnodes"] == ["pnode-0000.e.p-1", "pnode-0001"]
    assert found["substrate_lan_0"] == ["client.e.p-1", "router"] and "client.e.p-1" in found["experiment_P_1_E"]
    assert "m1" in found["pnode_pool"] and "client.e.p-1" not in found["pnode_pool"]
    node = variables(inventory, "client.e.p-1")
    assert (node["benito_node"], node["ansible_connection"], node["benito_experiment"]) == ("client", "deter.benito.process", "P-1.E")
    if "client" in inventory.hosts:
        assert variables(inventory, "client") == {"ansible_host": "192.0.2.9"}
    shown = " ".join(capsys.readouterr().err.split())
    assert "client, pnode-0000: the inventory has another host or group of that name. Say client.e.p-1 for the node of the experiment." in shown
    assert shown.count("[WARNING]") == 1


def test_a_node_with_the_name_of_a_host_of_another_experiment_gets_its_qualified_name(tmp_path, source, inventory_of):
    prepare(Request("P-1", "F", "t.xml", chdir=str(tmp_path), settings={"default_container": "process"})).write()
    (tmp_path / "other.benito.yml").write_text(f"{SOURCE}pid: P-1\neid: F\n")
    found = members(inventory_of(source, tmp_path / "other.benito.yml", **NAMED))
    assert found["vnodes"] == ["client", "client.f.p-1", "router", "router.f.p-1"]
    assert found["experiment_P_1_E"] == ["big", "client", "pnode-0000", "pnode-0001", "router"]


def test_one_experiment_may_have_two_sources(tmp_path, source, inventory_of):
    (tmp_path / "again.benito.yml").write_text(SOURCE + 'groups: {routers: "benito_interfaces | default([]) | length > 1"}\n')
    found = members(inventory_of(source, tmp_path / "again.benito.yml", **NAMED))
    assert found["vnodes"] == ["client", "router"] and found["routers"] == ["router"]


def test_a_node_with_a_reserved_name_is_refused_at_creation_and_qualified_where_it_exists_already(tmp_path, experiment, source, inventory_of):
    for name in ("vnodes", "pnode_pool", "kind_process", "benito_leaving"):
        (tmp_path / "bad.xml").write_text(TOPOLOGY.replace("client", name))
        with pytest.raises(InputError, match=f"bad.xml:5: computer {name}: has a reserved name: "):
            prepare(Request("P-1", "G", "bad.xml", chdir=str(tmp_path), settings={"default_container": "process"})).write()
    experiment.write("partitioned.xml", experiment.read("partitioned.xml").replace("client", "pnode_pool"))
    found = members(inventory_of(source, **NAMED))
    assert found["vnodes"] == ["pnode_pool.e.p-1", "router"]


def test_a_topology_that_is_no_experiment_has_no_other_names(tmp_path, experiment, inventory_of, pool, capsys):
    (tmp_path / "plan.benito.yml").write_text(f"{SOURCE}topology: {experiment.partitioned}\n")
    plan, machines = tmp_path / "plan.benito.yml", pool("pnode_pool: {hosts: {client: }}")
    for order in ((plan, machines), (machines, plan)):
        with pytest.raises(AnsibleError, match="Completely failed to parse"):
            inventory_of(*order, **NAMED)
        assert "client" in capsys.readouterr().err


def test_passwords_of_machines_are_in_a_file_of_their_own_and_reach_pnodes_and_the_connection_of_processes(experiment, source, inventory_of):
    reach = {"ansible_user": "op", "ansible_become": True, "ansible_become_method": "sudo"}
    experiment.write("allocation.json", Allocation({"pnode-0000": PoolHost("m1", variables=reach)}).to_json())
    experiment.write("secrets/machines.json", json.dumps({"pnode-0000": {"ansible_become_password": "x", "ansible_password": "y"}}))
    inventory = inventory_of(source, **NAMED)
    pnode, client = variables(inventory, "pnode-0000"), variables(inventory, "client")
    assert {**pnode, **reach, "ansible_become_password": "x", "ansible_password": "y"} == pnode
    assert client["benito_vhost_become_variables"] == {"ansible_become_method": "sudo", "ansible_become_password": "x"}
    assert (client["benito_vhost_become"], client["ansible_user"], client["ansible_password"]) == (True, "op", "y")
    assert "ansible_become_password" not in client and "ansible_become" not in client


def test_root_does_not_become_root(experiment, source, inventory_of):
    reach = {"ansible_user": "root", "ansible_become": True}
    experiment.write("allocation.json", Allocation({"pnode-0000": PoolHost("m1", variables=reach)}).to_json())
    assert "benito_vhost_become" not in variables(inventory_of(source, **NAMED), "client")
