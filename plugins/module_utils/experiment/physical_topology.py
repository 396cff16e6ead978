# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""phys_topo.xml and phys_topo.ns: the machines of an experiment and their connections, as a topology for an Emulab site.

A substrate of the vtopo with members on several machines joins these machines, with its own capacity. Shaping is left to the vnodes.
A machine that is a node keeps the node's name. A machine that must be of certain types has a soft vtype that names these. As in the
original, each list of types has a vtype: ``container0``, ``container1``, …
"""

from __future__ import annotations

from ..embedding.kinds import KINDS
from ..embedding.node_view import read_nodes
from ..embedding.placement.machines import Machine, pnode_of
from ..errors import InputError, Problem
from ..topology.attributes import PREFIX
from ..topology.model import Attribute, Capacity, Computer, Interface, Substrate, Topology
from ..topology.ns.writer import write_ns
from ..topology.topdl.writer import write_topdl

_ANY_TYPE = "pc"


def physical_topology(partitioned: Topology, carrying: tuple[Machine, ...], types: dict[str, tuple[str, ...]]) -> Topology:
    """Return the machines, in order, and the substrates between them, in document order.

    types  {pnode: the types of machine that it may be, () for any}
    """
    own = {name for name, node in read_nodes(partitioned).items() if KINDS[node.kind].own_machine}
    names = {machine.vhost: machine.nodes[0] if machine.nodes and machine.nodes[0] in own else machine.vhost for machine in carrying}
    machine_of = pnode_of(carrying)
    interfaces: dict[str, list[Interface]] = {vhost: [] for vhost in names}
    substrates = []
    attached = partitioned.attachments()
    for substrate in partitioned.substrates:
        vhosts = list(dict.fromkeys(machine_of[computer.name] for computer, _interface in attached[substrate.name]))
        if len(vhosts) < 2:
            continue
        substrates.append(Substrate(name=substrate.name, capacity=substrate.capacity and Capacity(substrate.capacity.rate_kbps)))
        for vhost in vhosts:
            interfaces[vhost].append(Interface(name=f"inf{len(interfaces[vhost]):03}", substrates=(substrate.name,)))
    vtypes = {some: f"container{number}" for number, some in enumerate(dict.fromkeys(filter(None, (types[vhost] for vhost in names))))}
    computers = tuple(Computer(name=name, interfaces=tuple(interfaces[vhost]), attributes=_of_machine(vtypes.get(types[vhost], _ANY_TYPE)))
                      for vhost, name in names.items())
    attributes = [Attribute(f"{PREFIX}rtproto", "Static"), *(Attribute(f"{PREFIX}vtype:{name}", " ".join(("soft", *some))) for some, name in vtypes.items())]
    return Topology(substrates=tuple(substrates), elements=computers, attributes=tuple(attributes), source="phys_topo.xml")


def _of_machine(machine_type: str) -> tuple[Attribute, ...]:
    return Attribute("type", machine_type), Attribute("failureaction", "nonfatal")


def physical_files(partitioned: Topology, carrying: tuple[Machine, ...], types: dict[str, tuple[str, ...]]) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """Return ({file: text}, warnings). Arguments as of physical_topology. There is no NS file if NS does not allow the names."""
    topology = physical_topology(partitioned, carrying, types)
    files = {"phys_topo.xml": write_topdl(topology)}
    try:
        files["phys_topo.ns"] = write_ns(topology, physical=True)[0]
    except InputError as exc:
        return files, (Problem(f"there is no phys_topo.ns: {exc.problems[0].element}: {exc.problems[0].message}", hint=exc.problems[0].hint),)
    return files, ()
