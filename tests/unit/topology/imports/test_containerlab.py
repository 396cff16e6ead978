# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerlab files: nodes, kinds, links and commands are read, and unsupported features are reported."""

from __future__ import annotations

import json

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.kinds import KINDS
from ansible_collections.deter.benito.plugins.module_utils.topology.containerlab.kinds import node_type
from ansible_collections.deter.benito.plugins.module_utils.topology.containerlab.reader import read_containerlab_text
from ansible_collections.deter.benito.tests.unit.topology.imports.files import attributes, errors_of, of_lab, the_node
from ansible_collections.deter.benito.tests.unit.topology.ns.networks import addresses, members_of

TWO = "a: {kind: linux}\nb: {kind: linux}"
BRIEF = '- endpoints: ["a:eth1", "b:eth2"]'


def interface_names(topology):
    return {computer.name: [interface.name for interface in computer.interfaces] for computer in topology.computers}


def test_nodes_and_links_keep_their_names_and_interfaces():
    topology, warnings = of_lab(TWO, BRIEF)
    assert members_of(topology) == {"link0": ["a", "b"]} and not warnings
    assert interface_names(topology) == {"a": ["eth1"], "b": ["eth2"]}
    assert attributes(the_node(topology, "a")) == {"containers:node_type": "openvz"}
    assert (the_node(topology, "b").line, topology.substrates[0].line) == (5, 7)


def test_long_form_of_links_gives_the_same_topology():
    long = "- type: veth\n  endpoints:\n    - node: a\n      interface: eth1\n      ipv4: 10.1.0.1/30\n    - {node: b, interface: eth2}"
    topology, warnings = of_lab(TWO, long)
    assert members_of(topology) == {"link0": ["a", "b"]} and not warnings
    assert interface_names(topology) == {"a": ["eth1"], "b": ["eth2"]}
    assert addresses(topology) == {("a", "link0"): ("10.1.0.1", "255.255.255.252")}


@pytest.mark.parametrize("kind", ["bridge", "ovs-bridge"])
def test_bridge_becomes_a_lan(kind):
    topology, warnings = of_lab(f"{TWO}\nbr: {{kind: {kind}}}", '- endpoints: ["a:eth1", "br:p1"]\n- endpoints: ["br:p2", "b:eth1"]')
    assert members_of(topology) == {"br": ["a", "b"]} and not warnings


KINDS_OF = {"linux": "openvz", "nokia_srlinux": "openvz", "arista_ceos": "openvz", "vr-sros": "qemu", "cisco_csr1000v": "qemu", "vr_anything": "qemu"}


@pytest.mark.parametrize("kind", KINDS_OF)
def test_containers_become_system_containers_and_virtual_machines_stay_virtual_machines(kind):
    topology, warnings = of_lab(f"a: {{kind: {kind}}}")
    assert attributes(topology.computers[0])["containers:node_type"] == KINDS_OF[kind]
    assert any(f"the software of kind '{kind}' is not carried over" in warning for warning in warnings) == (kind != "linux")
    assert node_type(kind) in KINDS


def test_nearer_definition_wins_and_commands_are_combined():
    more = """\
  defaults: {kind: linux, image: "debian:13", exec: [one]}
  kinds: {linux: {image: "debian:12", exec: [two], group: small}}
  groups: {small: {memory: 512MB, exec: [three]}, large: {memory: 2Gb, cpu: 1.5}}
"""
    topology, _warnings = of_lab("a:\n  exec: [four]\nb:\n  group: large\n  image: debian:trixie-slim", more=more)
    a, b = topology.computers
    assert attributes(a) == {"containers:node_type": "openvz", "startup": "one; two; three; four", "containers:memory": "512M"}
    assert attributes(b) == {"containers:node_type": "openvz", "startup": "one; two", "containers:memory": "2048M", "containers:cpus": "2"}
    assert [computer.operating_systems[0].attribute("osid") for computer in (a, b)] == ["debian-12", "debian-13"]


COMMANDS = {
    "one": (["ip link show"], "ip link show"),
    "several": (["a b", "c d"], "a b; c d"),
    "quotes stay": (["bash -c 'echo \"$x; y\" > z'", "echo 'it''s'"], "bash -c 'echo \"$x; y\" > z'; echo 'it''s'"),
    "a comment would swallow the next": (["echo a # b", "c"], "echo a # b\nc"),
    "one in the background": (["sleep 9 &", "c"], "sleep 9 &\nc"),
    "one of several lines": (["bash -c 'a\n  b'", "c"], "bash -c 'a\n  b'\nc"),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_commands_become_one_start_command_unchanged(case):
    commands, expected = COMMANDS[case]
    topology, _warnings = of_lab(f"a: {{kind: linux, exec: {json.dumps(commands)}}}")
    assert attributes(topology.computers[0])["startup"] == expected


@pytest.mark.parametrize(("command", "wrong"), [("echo 'a", "a quotation mark is not closed"), ("echo \\", "it ends with a backslash"), ("", "it is empty")])
def test_empty_or_incomplete_command_is_left_out(command, wrong):
    topology, warnings = of_lab(f"a: {{kind: linux, exec: {json.dumps([command, 'echo b'])}}}")
    assert attributes(topology.computers[0])["startup"] == "echo b"
    assert any(f"is left out: {wrong}" in warning for warning in warnings)


NAMES = {"web.1": "web-1", "1": "n-1", "a b": "a-b", "../x": "x", "Zürich": "Zurich", "localhost": "node-localhost", "x" * 40: "x" * 32}


@pytest.mark.parametrize("name", NAMES)
def test_invalid_node_name_is_changed_and_reported(name):
    topology, warnings = of_lab(f'"{name}": {{kind: linux}}\nb: {{kind: linux}}', f'- endpoints: ["{name}:eth1", "b:eth1"]')
    assert [computer.name for computer in topology.computers] == [NAMES[name], "b"]
    assert any(f"is called {NAMES[name]} here" in warning for warning in warnings)
    assert attributes(topology.computers[0])["label"] == name


def test_invalid_interface_names_are_changed_and_reported():
    topology, warnings = of_lab(TWO, '- endpoints: ["a:ethernet-1/1", "b:GigabitEthernet0/0/0/1"]\n- endpoints: ["a:lo", "b:default"]')
    assert interface_names(topology) == {"a": ["ethernet-1-1", "inf001"], "b": ["Gi0-0-0-1", "inf001"]}
    (renamed,) = [warning for warning in warnings if "is called" in warning]
    assert "4 interfaces that got another name: node a, interface 'ethernet-1/1': is called ethernet-1-1 here; node b, interface" in renamed
    assert attributes(topology.computers[1].interfaces[0]) == {"label": "GigabitEthernet0/0/0/1"}


REPORTED = {
    "what else is said": (
        "a: {kind: linux, binds: [x], env: {A: 1}, mgmt-ipv4: 1.2.3.4}",
        "",
        "lab.clab.yml:4: node 'a': binds, env, mgmt-ipv4 are not carried over",
    ),
    "an image": ("a: {kind: linux, image: alpine}", "", "node 'a': its image 'alpine' is kept as an attribute, without effect"),
    "no kind": ("a:", "", "node 'a': has no kind"),
    "a node outside": ("a: {kind: host}", "", "node 'a': is left out: it is the machine containerlab runs on"),
    "a link to the machine": (TWO, '- endpoints: ["a:eth1", "host:x"]', "link number 1: leads out of the lab, to 'host', and is left out"),
    "a link to what is left out": (TWO + "\nh: {kind: ext-container}", '- endpoints: ["a:eth1", "h:x"]', "leads out of the lab, to 'h'"),
    "the management network": (TWO, '- endpoints: ["a:eth1", "mgmt-net:x"]', "leads out of the lab, to 'mgmt-net'"),
    "macvlan": (TWO, "- type: macvlan\n  endpoint: {node: a, interface: eth1}", "leads out of the lab, to 'macvlan'"),
    "vxlan": (TWO, "- type: vxlan\n  endpoint: {node: a, interface: eth1}", "leads out of the lab, to 'vxlan'"),
    "dummy": (TWO, "- type: dummy\n  endpoint: {node: a, interface: eth1}", "leads out of the lab, to 'dummy'"),
    "an MTU": (TWO, BRIEF + "\n  mtu: 9000", "link number 1: its MTU is kept as an attribute, without effect"),
    "labels of links": (TWO, BRIEF + "\n  labels: {a: b}", "link number 1: labels not carried over"),
    "a MAC": (TWO, "- endpoints: [{node: a, interface: x, mac: '02:00:00:00:00:01'}, 'b:y']", "link number 1: mac of 'a' not carried over"),
    "shell characters": ("a: {kind: linux, exec: ['echo a > b']}", "", "node 'a': > in 'echo a > b' is a shell's here"),
    "a loop": (TWO, '- endpoints: ["a:eth1", "a:eth2"]', "node 'a': is joined to itself"),
}


@pytest.mark.parametrize("case", REPORTED)
def test_unsupported_feature_is_reported_with_its_line(case):
    nodes, links, expected = REPORTED[case]
    _topology, warnings = of_lab(nodes, links)
    (found,) = [warning for warning in warnings if expected in warning]
    assert found.startswith("lab.clab.yml:")


def test_unsupported_settings_of_the_lab_are_reported():
    text = b"name: lab\nprefix: x\nmgmt: {network: y}\ntopology:\n  nodes:\n    a: {kind: linux}\n"
    _topology, warnings = read_containerlab_text(text, "lab.clab.yml")
    assert str(warnings[0]) == "lab.clab.yml:2: 2 settings of the lab: 'prefix': is not carried over; likewise 'mgmt'"


WRONG = {
    "an unknown node": (TWO, '- endpoints: ["a:eth1", "z:eth1"]', "lab.clab.yml:7: link number 1: there is no node 'z'"),
    "an interface twice": (TWO, BRIEF + "\n" + BRIEF, "lab.clab.yml:8: link number 2: the interface 'eth1' of 'a' has a link already (in line 7)"),
    "one end": (TWO, '- endpoints: ["a:eth1"]', "lab.clab.yml:7: link number 1: does not have two endpoints"),
    "an end without interface": (TWO, '- endpoints: ["a", "b:eth1"]', "lab.clab.yml:7: link number 1: 'a' is no endpoint"),
    "an unknown type": (TWO, "- type: tunnel", "lab.clab.yml:7: link number 1: 'tunnel' is no type of link"),
    "links that are no list": (TWO, "a: b", "lab.clab.yml:6: links: is not a list"),
    "a link that is a text": (TWO, "- a:eth1", "lab.clab.yml:7: link number 1: is not a mapping"),
    "a node that is a list": ("a: [1]", "", "lab.clab.yml:4: 'a': is not a mapping"),
    "commands that are no list": ("a: {kind: linux, exec: reboot}", "", "lab.clab.yml:4: node 'a': exec is not a list of commands"),
    "a kind that is a list": ("a: {kind: [linux]}", "", "lab.clab.yml:4: node 'a': kind is not a text"),
    "memory": ("a: {kind: linux, memory: much}", "", "lab.clab.yml:4: node 'a': its memory 'much' is not a size"),
    "two bridges": ("x: {kind: bridge}\ny: {kind: bridge}", '- endpoints: ["x:a", "y:b"]', "lab.clab.yml:7: LAN x: is joined to the LAN y"),
    "a node twice": ("a: {kind: linux}\na: {kind: linux}", "", "lab.clab.yml:5: 'a' is given twice in one place (the first one is in line 4)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_fault_is_an_error_with_its_line(case):
    nodes, links, expected = WRONG[case]
    (error,) = errors_of(of_lab, nodes, links)
    assert error.startswith(expected)


def test_all_errors_of_a_file_are_reported_together():
    links = '- endpoints: ["a:eth1", "z:eth1"]\n- endpoints: ["a:eth1"]\n- type: tunnel'
    assert len(errors_of(of_lab, "a: {kind: linux, memory: much}\nb: {kind: linux, exec: x}", links)) == 5


def test_small_file_that_expands_too_much_is_refused_at_once():
    many = "\n".join(f"n{number}:" for number in range(5000))
    (error,) = errors_of(of_lab, many, "", "  defaults: {kind: linux, exec: [" + ", ".join(["echo hello"] * 5000) + "]}\n")
    assert "the start commands of all nodes are too long together" in error
    (error,) = errors_of(of_lab, many, "", "  defaults: {kind: linux, " + ", ".join(f"k{number}: x" for number in range(500)) + "}\n")
    assert "says more than 200 things" in error
    _topology, warnings = of_lab(f"a: {{kind: linux, exec: [{'x' * 100_000}]}}")
    assert any("is left out: it is longer than 8192 characters" in warning and len(warning) < 300 for warning in warnings)
