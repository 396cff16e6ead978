# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory data of a partitioned topology: hosts, variables and groups (design §7). Plain data that becomes JSON.

An experiment keeps it as inventory.json, so that Ansible's inventory needs no planning each time. The data is derived: if it does not
match partitioned.xml, it is made anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..embedding.kinds import EMBEDDED_PNODE, QEMU
from ..embedding.node_view import Nodes, NodeView
from ..embedding.placement.machines import Machine, vhost_of
from ..errors import InputError, Problem
from ..topology.attributes import IP4_ADDRESS, IP4_NETMASK
from ..topology.model import Computer, Interface, Substrate, Topology
from .reserved import reserved

INVENTORY_VERSION = 2


def inventory_of(topology: Topology, nodes: Nodes, carrying: tuple[Machine, ...], mac_addresses: dict[tuple[str, str], str], experiment: str = "") -> dict:
    """Return the hosts and groups of a partitioned topology.

    carrying       its machines, see embedding.placement.machines
    mac_addresses  {(computer, interface): address}; empty for a topology that is no experiment
    experiment     "pid.eid", or "" for a topology that is no experiment

    The result is {"pnodes": {name: variables}, "nodes": {name: variables}, "hidden": {name: variables}, "groups": {group: [host, …]}}.
    Its hidden hosts are the virtual machines that exist only in the ptopo.
    Raises InputError when names conflict within one inventory.
    """
    substrates = {substrate.name: substrate for substrate in topology.substrates}
    vhosts = vhost_of(carrying)
    pnodes, hosts, hidden, groups = {}, {}, {}, _Groups(experiment)
    problems: list[Problem] = []
    for computer in topology.computers:
        variables = _variables(computer, nodes[computer.name], vhosts[computer.name], substrates, mac_addresses)
        hosts[computer.name] = variables
        groups.add_node(computer, variables)
    for machine in carrying:
        partition = machine.partition or machine.vhost
        pnodes[machine.vhost] = {"benito_kind": "pnode", "benito_partition": partition, "benito_vhost": machine.vhost}
        groups.add_vhost(machine.vhost, "pnodes")
        for nested in machine.nested:
            groups.add_vhost(nested.vhost)
            if nested.hidden:
                hidden[nested.vhost] = {"benito_node": nested.vhost, "benito_kind": QEMU, "benito_partition": partition, "benito_vhost": machine.vhost}
    for computer in topology.computers:
        if computer.name in pnodes:
            what = f"computer {computer.name}"
            problems.append(Problem("has the name of one of its experiment's pnodes", topology.source, computer.line, what, "give it another name"))
    problems += groups.collisions(topology.source)
    if problems:
        raise InputError(problems)
    return {"pnodes": {name: pnodes[name] for name in sorted(pnodes)}, "nodes": hosts, "hidden": hidden, "groups": groups.members}


def refuse_reserved_names(topology: Topology, data: Mapping[str, Any]) -> None:
    """Raise InputError when nodes, or hidden virtual machines of the data, have names that mean something else in an inventory.

    Only a new experiment is refused. One that exists gets qualified names instead, because it has to be swapped out.
    """
    names = [*((f"computer {computer.name}", computer.name, computer.line) for computer in topology.computers),
             *((f"virtual machine {name}", name, 0) for name in data["hidden"])]
    problems = [Problem(f"has a reserved name: {meaning}", topology.source, line, what, "give it another name")
                for what, name, line in names if (meaning := reserved(name))]
    if problems:
        raise InputError(problems)


def to_json(data: dict, topology_text: bytes) -> str:
    """Return the data as inventory.json: one line for each host, and the digest of the partitioned.xml from which it was made."""
    parts = [f' "version": {INVENTORY_VERSION},\n "topology": {json.dumps(digest(topology_text))}']
    for section in ("pnodes", "nodes", "hidden", "groups"):
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in data[section].items())
        parts.append(f' "{section}": {{\n{lines}\n }}' if lines else f' "{section}": {{}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def from_json(text: str, topology_text: bytes) -> dict | None:
    """Read the data that ``to_json`` wrote. Return None when it is of another topology or version, or broken."""
    try:
        data = json.loads(text)
        return data if (data["version"], data["topology"]) == (INVENTORY_VERSION, digest(topology_text)) else None
    except (ValueError, KeyError, TypeError):
        return None


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def group_name(prefix: str, word: str) -> str:
    """Return a valid name of an Ansible group. Each character but letters, digits and underscores becomes an underscore."""
    return f"{prefix}_{re.sub('[^A-Za-z0-9_]', '_', word)}"


class _Groups:
    """The groups during their construction, and the names from which each was derived."""

    def __init__(self, experiment: str):
        self.members: dict[str, list[str]] = {"pnodes": [], "vnodes": [], "vhosts": []}
        self._words: dict[str, dict[tuple[str, str], int]] = {}
        self._nodes: set[str] = set()
        self._vhosts: set[tuple[str, str]] = set()
        self._experiment = group_name("experiment", experiment) if experiment else ""
        if self._experiment:
            self.members[self._experiment] = []

    def add_node(self, computer: Computer, variables: dict[str, Any]) -> None:
        name, kind = computer.name, variables["benito_kind"]
        if kind != EMBEDDED_PNODE:
            self.members["vnodes"].append(name)
        self._join(name, "kind", kind)
        self._join(name, "partition", variables["benito_partition"], computer.line)
        for substrate in dict.fromkeys(interface["substrate"] for interface in variables["benito_interfaces"]):
            self._join(name, "substrate", substrate, computer.line)
        if self._experiment:
            self.members[self._experiment].append(name)
        self._nodes.add(name)

    def add_vhost(self, name: str, *others: str) -> None:
        for group in (*others, "vhosts", *([self._experiment] if self._experiment and name not in self._nodes else [])):
            if (group, name) not in self._vhosts:
                self._vhosts.add((group, name))
                self.members[group].append(name)

    def _join(self, host: str, prefix: str, word: str, line: int = 0) -> None:
        group = group_name(prefix, word)
        self._words.setdefault(group, {}).setdefault((prefix, word), line)
        self.members.setdefault(group, []).append(host)

    def collisions(self, source: str) -> Iterator[Problem]:
        for group, words in self._words.items():
            if len(words) > 1:
                (prefix, first), *others = words
                for other in others:
                    what = f"{other[0]} {other[1]}"
                    yield Problem(f"and {prefix} {first} would both be the inventory group {group}", source, words[other], what, "rename one of them")


def _variables(computer: Computer, node: NodeView, vhost: str, substrates: Mapping[str, Substrate],
               mac_addresses: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    attributes: dict[str, str] = {}
    for attribute in computer.attributes:
        attributes.setdefault(attribute.name, attribute.value)
    return {
        "benito_node": computer.name,
        "benito_kind": node.kind,
        "benito_partition": node.partition or vhost,
        "benito_vhost": vhost,
        "benito_interfaces": [_interface(computer.name, interface, substrates, mac_addresses) for interface in computer.interfaces],
        "benito_startup": node.start_command,
        "benito_attributes": attributes,
    }


def _interface(computer: str, interface: Interface, substrates: Mapping[str, Substrate],
               mac_addresses: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Return the variables of an interface. ``capacity`` is in kb/s and ``latency`` in ms.

    Both are the interface's own, or else its substrate's, or None.
    """
    substrate = substrates[interface.substrate]
    capacity, latency = interface.capacity or substrate.capacity, interface.latency or substrate.latency
    return {
        "name": interface.name,
        "substrate": substrate.name,
        "ip4_address": interface.attribute(IP4_ADDRESS),
        "ip4_netmask": interface.attribute(IP4_NETMASK),
        "mac_address": mac_addresses.get((computer, interface.name)),
        "capacity": capacity.rate_kbps if capacity else None,
        "latency": latency.time_ms if latency else None,
    }
