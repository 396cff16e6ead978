# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""topo.xml: the final vtopo and the ptopo that carries it, in one TopDL file (design §6).

Every computer of the vtopo says its machine as ``containers:vhost``; the machines follow it, of kind
``pnode``, on one substrate, which is the experiment network.
"""

from __future__ import annotations

import dataclasses

from .topology.attributes import NODE_TYPE, PARTITION, VHOST, containers_attribute, with_containers_attribute
from .topology.model import Computer, Interface, Substrate, Topology

PNODE = "pnode"
EXPERIMENT_NETWORK = "experiment-network"


def final_topology(partitioned: Topology, vhosts: dict[str, str], partitions: dict[str, str]) -> Topology:
    """The partitioned topology with its machines.

    vhosts      {computer: the pnode that carries it}
    partitions  {pnode: the partition it carries}, in order
    """
    network = _free_name(EXPERIMENT_NETWORK, {substrate.name for substrate in partitioned.substrates})
    elements = tuple(_carried(element, vhosts) if isinstance(element, Computer) else element for element in partitioned.elements)
    machines = tuple(_machine(name, partition, network) for name, partition in partitions.items())
    return dataclasses.replace(partitioned, substrates=(*partitioned.substrates, Substrate(name=network)), elements=(*elements, *machines))


def _carried(computer: Computer, vhosts: dict[str, str]) -> Computer:
    if containers_attribute(computer, VHOST):  # a process in a vnode of its own choice
        return computer
    return with_containers_attribute(computer, VHOST, vhosts[computer.name])


def _machine(name: str, partition: str, network: str) -> Computer:
    computer = Computer(name=name, interfaces=(Interface(name="inf000", substrates=(network,)),))
    return with_containers_attribute(with_containers_attribute(computer, NODE_TYPE, PNODE), PARTITION, partition)


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
