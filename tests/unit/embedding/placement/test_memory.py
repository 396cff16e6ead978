# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a machine's nodes need, and how much of a machine they may have."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.node_view import read_nodes
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.machines import Machine, Nested, machines
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.memory import (
    OPENVZ_MB,
    PROCESS_MB,
    QEMU_MB,
    HostMemory,
    MemoryNeed,
    WarmMemory,
    memory_need,
    refuse_cramped_carriers,
)
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.provisioning import Resources
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.resources import node_resources
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo
from hypothesis import given
from hypothesis import strategies as st


def needs(topology, settings=None):
    """{pnode: MemoryNeed} of a topology, as swap-in sees it."""
    settings = settings or EmbeddingSettings()
    partitioned = embed(topology, settings).partitioned
    nodes = read_nodes(partitioned)
    carrying = machines(nodes)
    resources = node_resources(nodes, settings, [name for machine in carrying for name in machine.hidden])
    return {machine.vhost: memory_need(machine, nodes, resources) for machine in carrying}


@pytest.mark.parametrize(("nodes", "settings", "memory_mb", "words"), [
    ({"a": {"node_type": "qemu", "memory": "1G"}}, {}, 1024 + QEMU_MB, "1 qemu of 1,024 and 160 for each QEMU"),
    ({"a": {"node_type": "qemu"}, "b": {"node_type": "qemu"}}, {"qemu_memory_mb": 300}, 2 * (300 + QEMU_MB), "2 qemu of 300 and 160 for each QEMU"),
    ({"a": {"node_type": "openvz"}, "b": {"node_type": "openvz", "memory": "1G"}}, {}, 256 + 1024, "1 openvz of 1,024, 1 openvz of 256"),
    ({"a": {"node_type": "openvz"}}, {"openvz_memory_mb": 0}, OPENVZ_MB, "1 openvz of 8"),
    ({"a": {"node_type": "process"}, "b": {"node_type": "process"}}, {}, 2 * PROCESS_MB, "2 process of 1"),
    ({"a": {"node_type": "embedded_pnode"}}, {}, 0, ""),
    ({"a": {"node_type": "qemu", "ghost": "true"}}, {}, 512 + QEMU_MB, "1 qemu of 512 and 160 for each QEMU"),
    ({"v": {"node_type": "qemu"}, "p": {"node_type": "process", "vhost": "v"}}, {}, 512 + QEMU_MB, "1 qemu of 512 and 160 for each QEMU"),
    ({"p": {"node_type": "process", "vhost": "hidden"}}, {"qemu_memory_mb": 700}, 700 + QEMU_MB, "1 qemu of 700 and 160 for each QEMU"),
])
def test_a_machine_needs_what_its_nodes_were_given_and_what_runs_them(nodes, settings, memory_mb, words):
    assert needs(vtopo({"lan": " ".join(nodes)}, **nodes), EmbeddingSettings(**settings)) == {"pnode-0000": MemoryNeed(memory_mb, words)}


@pytest.mark.parametrize(("warm", "memory_mb", "words"), [
    ({"a": WarmMemory("t", 200, 90), "b": WarmMemory("t", 200, 90)}, 200 * 2 + 90, "2 warm qemu of 200, 1 template of 90"),
    ({"a": WarmMemory("t", 200, 90), "b": WarmMemory("u", 210, 80)}, 200 + 90 + 210 + 80,
     "1 warm qemu of 210, 1 warm qemu of 200, 1 template of 90, 1 template of 80"),
    ({"a": WarmMemory("t", 200, 90)}, 200 + 90 + 512 + QEMU_MB, "1 qemu of 512 and 160 for each QEMU, 1 warm qemu of 200, 1 template of 90"),
    ({"a": WarmMemory("t", 9000, 90)}, 2 * (512 + QEMU_MB), "2 qemu of 512 and 160 for each QEMU"),
])
def test_a_clone_needs_what_such_a_clone_takes_and_its_template_once(warm, memory_mb, words):
    topology = vtopo({"lan": "a b"}, a={"node_type": "qemu"}, b={"node_type": "qemu"})
    need = memory_need(Machine("pnode-0000", "0", ("a", "b")), read_nodes(topology), {"a": Resources(512), "b": Resources(512)}, warm)
    assert need == MemoryNeed(memory_mb, words)


def test_a_clone_that_carries_processes_needs_all_of_its_memory():
    partitioned = embed(vtopo({"lan": "v p"}, v={"node_type": "qemu"}, p={"node_type": "process", "vhost": "v"}), EmbeddingSettings()).partitioned
    (machine,) = machines(read_nodes(partitioned))
    assert memory_need(machine, read_nodes(partitioned), {"v": Resources(512)}, {"v": WarmMemory("t", 200, 90)}).memory_mb == 512 + QEMU_MB


def test_of_many_sizes_the_parts_name_those_that_take_most():
    sizes = {f"n{number}": {"node_type": "qemu", "memory": str(200 + number)} for number in range(6)}
    words = needs(vtopo({"lan": " ".join(sizes)}, **sizes))["pnode-0000"].parts
    assert words.startswith("1 qemu of 205 and 160 for each QEMU, 1 qemu of 204") and words.endswith("1 qemu of 202 and 160 for each QEMU, 2 more nodes")


@given(st.lists(st.tuples(st.sampled_from(["qemu", "openvz", "process"]), st.integers(0, 5000)), max_size=12), st.integers(0, 12))
def test_every_node_counts_once_and_what_is_inside_a_virtual_machine_does_not(given_nodes, inside):
    nodes = {f"n{number}": {"node_type": kind} for number, (kind, _memory) in enumerate(given_nodes)}
    topology = vtopo({"lan": " ".join(nodes)}, **nodes)
    resources = {name: Resources(memory) for name, (kind, memory) in zip(nodes, given_nodes) if kind != "process"}
    whole = memory_need(Machine("pnode-0000", "0", tuple(nodes)), read_nodes(topology), resources).memory_mb
    one_by_one = sum(memory_need(Machine("pnode-0000", "0", (name,)), read_nodes(topology), resources).memory_mb for name in nodes)
    carrier = Nested("vm", tuple(f"p{number}" for number in range(inside)), hidden=True)
    carrying = memory_need(Machine("pnode-0000", "0", tuple(nodes), (carrier,)), read_nodes(topology), {**resources, "vm": Resources(700)}).memory_mb
    assert whole == one_by_one
    assert carrying == whole + 700 + QEMU_MB


@pytest.mark.parametrize(("memory", "nodes_mb", "free_mb"), [
    (HostMemory(8192, 512), 7680, 7680), (HostMemory(8192, 512, 1000), 7680, 6680), (HostMemory(400, 512), 0, 0), (HostMemory(1024, 512, 1024), 512, 0),
    (HostMemory(8192, 512, 1000, 1.5), 11520, 10520), (HostMemory(400, 512, 0, 2.0), 0, 0),
])
def test_a_machine_keeps_something_for_itself_and_what_others_have_reserved(memory, nodes_mb, free_mb):
    assert (memory.nodes_mb, memory.free_mb) == (nodes_mb, free_mb)


def refused(topology, **settings):
    settings = EmbeddingSettings(**settings)
    partitioned = embed(topology, settings).partitioned
    hidden = [name for machine in machines(read_nodes(partitioned)) for name in machine.hidden]
    with pytest.raises(InputError) as caught:
        refuse_cramped_carriers(read_nodes(partitioned), node_resources(read_nodes(partitioned), settings, hidden))
    return [str(problem) for problem in caught.value.problems]


def test_a_virtual_machine_that_is_too_small_for_its_processes_is_named():
    inside = {f"p{number}": {"node_type": "process", "vhost": "v"} for number in range(200)}
    seen = vtopo({"lan": " ".join(["v", *inside])}, v={"node_type": "qemu", "memory": "300M"}, **inside)
    assert refused(seen, packing=300) == [
        "test.xml:100: computer v: 300 MiB of memory are too few to carry 200 processes (containers:memory of at least 328M)"]
    hidden = vtopo({"lan": " ".join(inside)}, **inside)
    assert refused(hidden, packing=300, qemu_memory_mb=300) == [
        "test.xml:100: computer p0: its vhost v: 300 MiB of memory are too few to carry 200 processes (a setting qemu_memory_mb of at least 328)"]
    enough = EmbeddingSettings(packing=300, qemu_memory_mb=328)
    refuse_cramped_carriers(embed(hidden, enough).nodes, node_resources(read_nodes(hidden), enough, ["v"]))
