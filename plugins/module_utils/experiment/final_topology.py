# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""topo.xml: the final vtopo and the ptopo that carries it, in one TopDL file (design §6).

Every computer of the vtopo names its machine as ``containers:vhost``. The machines follow, of kind ``pnode``, on one substrate: the
experiment network. The hidden virtual machines come last.
"""

from __future__ import annotations

import dataclasses

from ..embedding.kinds import QEMU
from ..embedding.placement.machines import Machine
from ..topology.attributes import NODE_TYPE, PARTITION, VHOST, containers_attribute, with_containers_attribute
from ..topology.model import Computer, Interface, Substrate, Topology

PNODE = "pnode"
EXPERIMENT_NETWORK = "experiment-network"


def final_topology(partitioned: Topology, vhosts: dict[str, str], carrying: tuple[Machine, ...]) -> Topology:
    """Return the partitioned topology with its machines.

    vhosts    {computer: the vhost that carries it}
    carrying  its pnodes, in order
    """
    network = _free_name(EXPERIMENT_NETWORK, {substrate.name for substrate in partitioned.substrates})
    elements = tuple(_carried(element, vhosts) if isinstance(element, Computer) else element for element in partitioned.elements)
    machines = tuple(_machine(machine.vhost, machine.partition, network) for machine in carrying)
    machines += tuple(_hidden(name, machine) for machine in carrying for name in machine.hidden)
    return dataclasses.replace(partitioned, substrates=(*partitioned.substrates, Substrate(name=network)), elements=(*elements, *machines))


def _carried(computer: Computer, vhosts: dict[str, str]) -> Computer:
    if containers_attribute(computer, VHOST):  # a process in a vnode of its own choice
        return computer
    return with_containers_attribute(computer, VHOST, vhosts[computer.name])


def _machine(name: str, partition: str, network: str) -> Computer:
    computer = Computer(name=name, interfaces=(Interface(name="inf000", substrates=(network,)),))
    return with_containers_attribute(with_containers_attribute(computer, NODE_TYPE, PNODE), PARTITION, partition)


def _hidden(name: str, machine: Machine) -> Computer:
    computer = with_containers_attribute(with_containers_attribute(Computer(name=name), NODE_TYPE, QEMU), PARTITION, machine.partition)
    return with_containers_attribute(computer, VHOST, machine.vhost)


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
