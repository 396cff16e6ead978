# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Allocate machines to an experiment: choose them, bind the experiment to them, and write the results to its directory."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..embedding.binding.bind import NOTHING, bind, mtu_notes
from ..embedding.kinds import KINDS
from ..embedding.node_view import Nodes, read_nodes
from ..embedding.partitioning.passes import machine_types
from ..embedding.placement.allocation import Allocation, PoolHost
from ..embedding.placement.choose import Need, Offer, choose
from ..embedding.placement.control_addresses import ControlOffer, assign_control_addresses
from ..embedding.placement.machines import Machine, machines
from ..embedding.placement.memory import HostMemory, WarmMemory, memory_need
from ..embedding.placement.provisioning import Provisioning, Resources
from ..embedding.placement.resources import node_resources
from ..errors import BenitoError, ExperimentError
from ..experiment.access import KNOWN_HOSTS, SSH_CONFIG, known_hosts_text, reach, secrets_json, ssh_config_text, with_login
from ..experiment.directory import ExperimentDirectory, experiments
from ..experiment.keys import ACCESS_KEY, TUNNEL_SALT, new_salt
from ..experiment.machine_access import SECRETS, secrets_to_json
from ..hostplan import PROJECT, ControlReach, HostPlan, ImagePlan, UserPlan, to_json
from ..settings.site_settings import SiteSettings, load_site
from ..topology.model import Topology
from ..topology.topdl.reader import read_topdl
from .begin import linked_pnodes
from .given_up import settle
from .lent import abandon, play_host, read_allocation
from .pool_variables import hints, notes
from .provide_images import plan_images


@dataclass(frozen=True)
class Allocated:
    """The result of an allocation.

    changed  whether any file of the directory changed
    chosen   {pnode: pool host}
    claims   {pnode: the claim on its machine}: "shared", "memory_mb", "memory_limit_mb"
    kinds    {vhost: kinds of its nodes}
    nested   of each virtual machine that carries processes: "vhost", "pnode", "name" in the playbook, "kinds", "reach" (connection variables)
    notes    which substrates have a smaller MTU, and why; which machines were left out; misspelt variables of machines
    """

    changed: bool
    chosen: dict[str, str]
    claims: dict[str, dict]
    kinds: dict[str, list[str]]
    nested: list[dict]
    notes: tuple[str, ...]


def allocate(directory: ExperimentDirectory, offers: dict[str, dict], secrets: dict[str, dict], given: dict | None = None,
             dry_run: bool = False) -> Allocated:
    """Choose machines, bind the experiment to them, and write both down: allocation.json, plan/<vhost>.json.

    offers   {pool host: its offer}, see the module ``lease``
    secrets  {pool host: {connection variable: password}}; a file of their own keeps them
    given    {setting: value} of this run, in place of the experiment's own: which types of machine
    dry_run  write nothing

    Machines that an earlier run was lent are kept. Everything is written before anything is built, so that swap-out always finds the
    machines. Raises BenitoError when the pool has no room or a value is impossible. Then nothing is written, and a swap-in that had begun
    is ended.
    """
    try:
        settings = load_site(directory.site, given)
        topology, _warnings = read_topdl(directory.partitioned)
        nodes = read_nodes(topology)
        carrying = machines(nodes)
        if not dry_run and _have_images(nodes, carrying):
            plan_images(directory)
        needs = _needs(topology, nodes, carrying, settings, warm_memory(directory, settings, offers))
        presented = [_offer(name, offer, settings) for name, offer in offers.items()]
        kept = {vhost: host.name for vhost, host in read_allocation(directory).hosts.items()}
        chosen = choose(needs, presented, kept)
        control = _control_addresses(directory, carrying, nodes, chosen, offers)
        salt = _salt(directory)
        allocation = Allocation(_lent(directory, chosen, offers), control)
        provisioning = _provisioning(directory, settings) if control else NOTHING
        plans = bind(directory.pid, directory.eid, topology, allocation, settings, provisioning, salt, _reach(directory, allocation, settings, offers))
    except BenitoError as exc:
        if not dry_run:
            abandon(directory, str(exc).splitlines()[0])
        raise
    files = {TUNNEL_SALT: salt, "allocation.json": allocation.to_json(), **{f"plan/{vhost}.json": to_json(plan) for vhost, plan in plans.items()}}
    files.update(_access(directory, plans))
    passwords = {vhost: secrets[name] for vhost, name in chosen.items() if secrets.get(name)}
    if passwords:
        files[SECRETS] = secrets_to_json(passwords)
    elif not dry_run:
        directory.discard(SECRETS)
    if not dry_run:
        settle(directory.home, offers)
    write = directory.differs if dry_run else directory.write
    changed = [write(name, text) for name, text in files.items()]
    kinds = {vhost: sorted({vnode.kind for vnode in plan.vnodes}) for vhost, plan in plans.items()}
    nested = [
        {"vhost": inside.vhost, "pnode": machine.vhost, "name": play_host(inside.vhost, machine.vhost), "kinds": kinds[inside.vhost],
         "reach": reach(directory.path, with_login(plans)[inside.vhost])}
        for machine in carrying for inside in machine.nested
    ]
    claims = _claims(chosen, needs, presented, offers)
    remarks = [note for name, offer in offers.items() for note in notes(name, offer.get("names") or ())]
    remarks += [f"{name} was left out: {offer['unusable']}" for name, offer in offers.items() if offer.get("unusable")]
    return Allocated(any(changed), chosen, claims, kinds, nested, (*(str(note) for note in mtu_notes(plans)), *remarks))


def _have_images(nodes: Nodes, carrying: tuple[Machine, ...]) -> bool:
    return any(KINDS[node.kind].login for node in nodes.values()) or any(machine.hidden for machine in carrying)


def _access(directory: ExperimentDirectory, plans: dict[str, HostPlan]) -> dict[str, str]:
    """Return {file: text} of the files with which nodes with a login are reached, and of the secrets for their vhosts."""
    nodes = with_login(plans)
    if not nodes:
        return {}
    users = next(plan.users for plan in plans.values() if plan.root_keys)
    return {
        KNOWN_HOSTS: known_hosts_text(directory, nodes),
        SSH_CONFIG: ssh_config_text(directory, nodes, users[0].name if users else "root"),
        **{f"secrets/plan/{vhost}.json": secrets_json(directory, plan) for vhost, plan in plans.items() if plan.images},
    }


def _salt(directory: ExperimentDirectory) -> str:
    """Return the secret of the experiment's tunnels, a new one if it has none yet."""
    return directory.read(TUNNEL_SALT) if os.path.exists(directory.file(TUNNEL_SALT)) else new_salt()


def _reach(directory: ExperimentDirectory, allocation: Allocation, settings: SiteSettings, offers: Mapping[str, dict]) -> ControlReach:
    """Return what the experiment's nodes may reach by the control network. Other experiments of the project count if they have machines now."""
    peers = {*settings.control_allow, *(host.controller for host in allocation.hosts.values() if host.controller)}
    allocations = [allocation]
    if settings.control_reach == PROJECT:
        others = [ExperimentDirectory(directory.home, project, eid) for project, eid in experiments(directory.home)]
        allocations += [read_allocation(other) for other in others if other.pid == directory.pid]
    peers.update(address.split("/")[0] for one in allocations for address in one.control.values())
    barred = {offer["underlay_address"] for offer in offers.values() if offer.get("underlay_address")}
    return ControlReach(settings.control_reach, tuple(sorted(peers)), tuple(sorted(barred)))


def _needs(topology: Topology, nodes: Nodes, carrying: tuple[Machine, ...], settings: SiteSettings, warm: Mapping[str, WarmMemory]) -> dict[str, Need]:
    resources = node_resources(nodes, settings, [name for machine in carrying for name in machine.hidden])
    own_machine = {name for name, node in nodes.items() if KINDS[node.kind].own_machine}
    types = machine_types(carrying, nodes, settings)
    tunnels = linked_pnodes(topology, carrying)
    return {
        machine.vhost: Need(len(machine.nodes) + len(machine.hidden), memory_need(machine, nodes, resources, warm),
                            not own_machine.isdisjoint(machine.nodes), types[machine.vhost], machine.vhost in tunnels)
        for machine in carrying
    }


def warm_memory(directory: ExperimentDirectory, settings: SiteSettings, offers: Mapping[str, dict]) -> dict[str, WarmMemory]:
    """Return {node: memory of a clone} of the virtual machines whose template was measured on any machine. The largest measurement counts."""
    if settings.qemu_start == "cold" or not os.path.exists(directory.file("images.json")):
        return {}
    measured: dict[tuple, list[dict]] = {}
    for offer in offers.values():
        for template in offer.get("templates") or ():
            measured.setdefault(tuple(template[name] for name in ("image", "memory_mb", "cpus", "disk_mb")), []).append(template)
    found, images = {}, json.loads(directory.read("images.json"))
    for node, own in images["resources"].items():
        what = (images["nodes"].get(node), own["memory_mb"], own["cpus"] or 1, own["disk_mb"])
        if what in measured:
            private, shared = (max(template[name] for template in measured[what]) for name in ("private_mb", "size_mb"))
            found[node] = WarmMemory("/".join(map(str, what)), private + settings.qemu_reserve_mb, shared)
    return found


def _offer(name: str, offer: Mapping[str, Any], settings: SiteSettings) -> Offer:
    """Return a machine's offer. Raises ExperimentError when its inventory has a text instead of a number."""
    total = _number(name, "pnode_memory_mb", offer) or int(offer.get("memory_mb") or 0)
    return Offer(
        name, offer.get("taken_by") or "", offer.get("unreachable") or "", offer.get("type") or "", _number(name, "pnode_slots", offer),
        HostMemory(total, settings.memory_reserve_mb, int(offer.get("memory_reserved_mb") or 0), settings.memory_overcommit) if total else None,
        offer.get("shared_with") or "", bool(offer.get("ours")), offer.get("unusable") or "", "" if offer.get("underlay_address") else _isolated(offer),
    )


def _isolated(offer: Mapping[str, Any]) -> str:
    reason = "the inventory has no benito_experiment_address (or benito_experiment_interface) for it, where links to other machines end"
    return "; ".join([reason, *hints(offer.get("names") or ())])


def _number(name: str, variable: str, offer: Mapping[str, Any]) -> int:
    text = str(offer.get(variable) or 0).strip()
    if not text.isdigit():
        raise ExperimentError(f"{name}: the inventory's {variable} {text!r} is not a whole number; leave it out for no limit of your own")
    return int(text)


def _claims(chosen: Mapping[str, str], needs: Mapping[str, Need], presented: Iterable[Offer], offers: Mapping[str, dict]) -> dict[str, dict[str, Any]]:
    limits = {offer.name: offer.memory.nodes_mb if offer.memory else 0 for offer in presented}
    return {
        vhost: {"shared": bool(offers[name].get("shared")) and not needs[vhost].alone, "memory_mb": needs[vhost].memory.memory_mb,
                "memory_limit_mb": limits[name]}
        for vhost, name in chosen.items()
    }


def _control_addresses(directory: ExperimentDirectory, carrying: Iterable[Machine], nodes: Nodes, chosen: Mapping[str, str],
                       offers: Mapping[str, dict]) -> dict[str, str]:
    """Return {node: its address on the control network} of every node with a login, and of hidden virtual machines."""
    with_login = {name for name, node in nodes.items() if KINDS[node.kind].login}
    places = {node: chosen[machine.vhost] for machine in carrying for node in (*machine.nodes, *machine.hidden) if node in {*with_login, *machine.hidden}}
    if not places:
        return {}
    return assign_control_addresses(places, [ControlOffer.of(name, offer) for name, offer in offers.items()], read_allocation(directory).control)


def _provisioning(directory: ExperimentDirectory, settings: SiteSettings) -> Provisioning:
    """Return the provisioning of nodes with a system of their own, from images.json and the site's accounts and keys."""
    found = json.loads(directory.read("images.json"))
    fields = {field.name for field in dataclasses.fields(ImagePlan)}
    images = {digest: ImagePlan(**{name: value for name, value in image.items() if name in fields}) for digest, image in found["images"].items()}
    access = directory.read(f"{ACCESS_KEY}.pub").strip()  # the key that ssh_config uses
    users = tuple(UserPlan(user["name"], (access, *user.get("authorized_keys", ()))) for user in settings.node_users)
    return Provisioning(
        images={node: images[digest] for node, digest in found["nodes"].items()},
        resources={node: Resources(**resources) for node, resources in found["resources"].items()},
        users=users,
        root_keys=(access,),
    )


def _lent(directory: ExperimentDirectory, chosen: Mapping[str, str], offers: Mapping[str, dict]) -> dict[str, PoolHost]:
    hosts = {vhost: _pool_host(name, offers[name]) for vhost, name in chosen.items()}
    for vhost, host in read_allocation(directory).hosts.items():  # keep the names that were in use before our own devices existed
        if vhost in hosts and hosts[vhost].name == host.name and hosts[vhost].underlay_address == host.underlay_address:
            hosts[vhost] = replace(hosts[vhost], links=host.links, vnis=host.vnis)
    return hosts


def _pool_host(name: str, offer: Mapping[str, Any]) -> PoolHost:
    return PoolHost(
        name=name, underlay_device=offer.get("underlay_device", ""), underlay_address=offer.get("underlay_address", ""),
        underlay_mtu=int(offer.get("underlay_mtu") or 0), links=tuple(offer.get("links", ())), vnis=tuple(offer.get("vnis", ())),
        controller=offer.get("controller", ""), control_gateway=offer.get("control_gateway", ""),
        variables=dict(sorted(offer.get("variables", {}).items())),
    )
