# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of planning that does not depend on which machines are lent: the experiment as it is created."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import InputError, Problem
from ..hostplan import HostsEntry
from ..topology.checks import check_deployable
from ..topology.model import Topology
from .addressing.addresses import assign_addresses
from .assign_kinds import annotate, realise
from .binding.hosts import hosts_entries, hosts_text
from .nesting import made_carriers
from .node_view import Nodes, read_nodes
from .partitioning.partition import partition, without_partitions
from .partitioning.passes import machine_types
from .placement.machines import Machine, machines, overfull_bridges
from .routing.components import separate_parts
from .routing.declared import check_routing
from .routing.network import Network, read_network
from .routing.routes import Routes
from .routing.unclear import unclear_subnets
from .settings import EmbeddingSettings, check_settings
from .shaping import shaping_warnings

T = TypeVar("T")


@dataclass(frozen=True)
class Embedding:
    """A planned experiment.

    annotated    the topology with the kind that each computer asks for
    partitioned  with addresses, realised kinds and partitions: the topology that ``bind.bind`` needs
    machines     its pnodes in order, each with its partition and nodes
    network      the partitioned topology as nodes, attachments and subnets
    routes       ``routes.of(node)``: computed when first asked for
    hosts        entries of the hosts file
    warnings     for the author, in the order of the steps
    """

    annotated: Topology
    partitioned: Topology
    nodes: Nodes
    machines: tuple[Machine, ...]
    network: Network
    routes: Routes
    hosts: tuple[HostsEntry, ...]
    warnings: tuple[Problem, ...]

    @property
    def assignment(self) -> dict[str, tuple[str, ...]]:
        """Return {vhost: the nodes it carries}."""
        return {machine.vhost: machine.all_nodes for machine in self.machines}

    def hosts_file(self) -> str:
        """Return the text of the experiment's ``hosts`` file."""
        return hosts_text(self.hosts)

    def route_file(self, node: str) -> str:
        """Return the text of ``route/<node>``: a line ``PREFIX via ADDRESS`` for each route."""
        return self.routes.text_of(node)


def embed(topology: Topology, settings: EmbeddingSettings) -> Embedding:
    """Plan an experiment from a topology as it was read.

    Pure: the same topology and settings give the same plan. Raises InputError with every problem found.
    """
    check_settings(settings)
    if settings.force_partition:
        topology = without_partitions(topology)
    odd, annotated, addressed = _checked(topology, settings)
    partitioned, warnings = partition(realise(addressed, settings), settings)
    nodes = read_nodes(partitioned)
    carrying = machines(nodes)
    problems = overfull_bridges(partitioned, carrying)
    if problems:
        raise InputError(problems)
    machine_types(carrying, nodes, settings)  # which refuses what no machine can be
    network = read_network(partitioned)
    hosts, ambiguous = hosts_entries(network, topology.source)
    odd_networks = (*unclear_subnets(network, topology.source), *separate_parts(network, topology.source), *shaping_warnings(topology))
    return Embedding(
        annotated=annotated,
        partitioned=partitioned,
        nodes=nodes,
        machines=carrying,
        network=network,
        routes=Routes(network, settings.address_base, settings.control_networks),
        hosts=hosts,
        warnings=(*odd, *warnings, *ambiguous, *odd_networks, *made_carriers(nodes)),
    )


def _checked(topology: Topology, settings: EmbeddingSettings) -> tuple[tuple[Problem, ...], Topology, Topology]:
    """Return (warnings about the topology, the annotated topology, the annotated topology with addresses).

    Raises InputError with the problems of all steps, by line.
    """
    problems: list[Problem] = []

    def attempt(step: Callable[..., T], *arguments: Any) -> T | None:
        try:
            return step(*arguments)
        except InputError as exc:
            problems.extend(exc.problems)
            return None

    odd = attempt(check_deployable, topology)
    routing = None if odd is None else attempt(check_routing, topology, read_nodes(topology))
    annotated = attempt(annotate, topology, settings)
    wanted = (settings.address_base, settings.control_networks, settings.address_profile)
    addressed = None if odd is None else attempt(assign_addresses, annotated or topology, *wanted)
    if problems or odd is None or routing is None or annotated is None or addressed is None:
        raise InputError(sorted(problems, key=lambda problem: problem.line))
    return (*odd, *routing), annotated, addressed
