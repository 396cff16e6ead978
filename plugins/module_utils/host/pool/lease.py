# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease on a machine of the pool. The machine itself keeps which experiment has it.

Operators on different controllers must not collide, so a claim is one atomic step under a lock on the machine.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass, replace

from ...errors import HostError
from ..base.locks import machine_lock
from ..base.paths import ROOT, ExperimentPaths, is_experiment, read_json, remove_empty, write_atomically

LEASES = f"{ROOT}/leases"

_OFFERED = ("image", "memory_mb", "cpus", "disk_mb", "private_mb", "size_mb")


@dataclass(frozen=True)
class Claim:
    """An experiment's claim to the machine.

    experiment  ``pid.eid``
    owner       the controller's name and experiment directory: two experiments of one name are two
    shared      whether this pool host may carry several experiments (``pnode_shared``)
    processes   whether the experiment has process vnodes: they see their host's files
    memory_mb   MiB that its nodes need here
    """

    experiment: str
    owner: str
    shared: bool = False
    processes: bool = True
    memory_mb: int = 0


def run_task(options: dict) -> dict:
    """Return the result of the module ``lease`` for its options, with ``experiment`` and ``check_mode``. Raises HostError."""
    names = ("owner", "shared", "processes", "memory_mb")
    claim = Claim(options["experiment"], **{name: options[name] for name in names})
    if os.geteuid() != 0:
        raise HostError("tasks do not run as root on this machine: ansible_become is false for it, or ansible_become_user is not root")
    if options["state"] == "offered":
        found = offer(claim, options["experiment_address"], options["experiment_interface"], options["control_addresses"])
        return {"changed": False, "offer": {**found, "given_up": _given_up(claim.owner, options["given_up"])}}
    if options["state"] == "present":
        return {"changed": claim_lease(claim, options["memory_limit_mb"], options["check_mode"])}
    return {"changed": release_lease(claim.experiment, claim.owner, options["check_mode"])}


def offer(claim: Claim, address: str, interface: str, control_addresses: str = "") -> dict:
    """Return what this machine offers: whether it is free for the claim, its experiment and control networks, and the names in use.

    address, interface  of the experiment network, as the pool says; both are "" when it does not
    control_addresses   for nodes on this machine, as the pool says (``benito_control_addresses``); passed through
    Return {"taken_by": text or "", "leases": names of the experiments that have the machine, "ours": whether the claim's is one of them,
    "shared_with": text, or "" when no other experiment has it,
    "templates": of each warm template of virtual machines that was cloned before "image", "memory_mb", "cpus", "disk_mb", "private_mb", "size_mb",
    "memory_mb": MiB of the machine, 0 when it is unknown, "memory_reserved_mb": what others have reserved of it,
    "underlay_device", "underlay_address", "underlay_mtu", "links", "vnis", "control_addresses", "control_address", "control_prefix_length",
    "control_gateway", "control_network", "controller", "control_addresses_used"}, the last of all experiments here but the claim's own.
    Raises HostError when the pool's data on the experiment network is wrong.
    """
    from ..control_bridge.device import ssh_client
    from ..net import netlink
    from ..qemu.template_notes import templates_here
    from .control_network import control_addresses_used, control_network
    from .memory import memory_mb

    _check(claim.experiment)
    live = netlink.links()
    mark = ExperimentPaths(claim.experiment).mark
    others = {name: link for name, link in live.items() if not link.alias.startswith(mark)}
    vnis = [link.data.get("IFLA_VXLAN_ID") for link in others.values()]
    leases = _leases()
    own = claim.experiment if leases.get(claim.experiment, {"owner": claim.owner})["owner"] == claim.owner else ""
    return {
        "taken_by": _conflict(claim, leases),
        "leases": sorted(leases),
        "ours": bool(own) and own in leases,
        "shared_with": _conflict(replace(claim, shared=False), leases),
        "templates": [{name: template[name] for name in _OFFERED} for template in templates_here() if template["private_mb"]],
        "memory_mb": memory_mb(),
        "memory_reserved_mb": _reserved(claim, leases),
        **underlay(address, interface),
        "links": sorted(others),
        "vnis": sorted(vni for vni in vnis if isinstance(vni, int)),
        "control_addresses": control_addresses,
        **control_network(),
        "controller": ssh_client(),
        "control_addresses_used": control_addresses_used(but=own),
    }


def claim_lease(claim: Claim, limit_mb: int = 0, dry_run: bool = False) -> bool:
    """Lease the machine, or change the lease. Return whether that changed anything.

    limit_mb  MiB that all experiments here may reserve together; 0 for no limit
    Raises HostError that names the experiment which has the machine, or those whose reservations leave too little memory.
    """
    _check(claim.experiment)
    if dry_run and not os.path.isdir(LEASES):
        return True
    with machine_lock():
        leases = _leases()
        conflict = _conflict(claim, leases) or _memory_short(claim, leases, limit_mb)
        if conflict:
            raise HostError(conflict)
        before = leases.get(claim.experiment, {"since": _now()})
        lease = {**asdict(claim), "since": before["since"]}
        if before == lease:
            return False
        if not dry_run:
            os.makedirs(LEASES, mode=0o755, exist_ok=True)
            write_atomically(f"{LEASES}/{claim.experiment}.json", json.dumps(lease) + "\n")
        return True


def release_lease(experiment: str, owner: str | None, dry_run: bool = False) -> bool:
    """Release the lease; with no ``owner``, whoever owns it. Return whether there was one. Raises HostError when another owner has it."""
    _check(experiment)
    if not os.path.isdir(LEASES):
        return False
    with machine_lock():
        found = _leases().get(experiment)
        if found is None or dry_run:
            return found is not None
        if owner is not None and found["owner"] != owner:
            raise HostError(f"{experiment} on this host belongs to {found['owner']}, not to {owner}")
        os.unlink(f"{LEASES}/{experiment}.json")
        remove_empty(LEASES, stop=os.path.dirname(ROOT))
    return True


def _given_up(owner: str, candidates: list[dict]) -> list[dict]:
    """Return those of the given up experiments that still have the lease that the owner gave up, and not a later one."""
    leases = _leases()
    found = [(candidate, leases.get(f"{candidate['pid']}.{candidate['eid']}")) for candidate in candidates]
    return [candidate for candidate, lease in found if lease and lease["owner"] == owner and lease["since"] <= candidate["since"]]


def _check(experiment: str) -> None:
    if not is_experiment(experiment):
        raise HostError(f"{experiment!r} does not name an experiment")


def _conflict(claim: Claim, leases: dict[str, dict]) -> str:
    """Return why these leases exclude the claim, or "" if they do not."""
    for name, lease in leases.items():
        who = f"leased by {name} of {lease['owner']} since {lease['since']}"
        if name == claim.experiment:
            if lease["owner"] != claim.owner:
                return who
        elif not (claim.shared and lease["shared"]):
            return who
        elif name.split(".")[0] != claim.experiment.split(".")[0] and (claim.processes or lease["processes"]):
            return f"{who}; experiments of two projects cannot share a machine if one of them has process nodes, which see the machine's files"
    return ""


def _reserved(claim: Claim, leases: dict[str, dict]) -> int:
    """Return the MiB that other experiments have reserved. Leases of earlier versions reserve nothing."""
    return sum(lease.get("memory_mb", 0) for name, lease in leases.items() if name != claim.experiment)


def _memory_short(claim: Claim, leases: dict[str, dict], limit_mb: int) -> str:
    """Return why the memory is not enough for the claim, or "". Others may have reserved some since the offer."""
    reserved = _reserved(claim, leases)
    if not limit_mb or not claim.memory_mb or reserved + claim.memory_mb <= limit_mb:
        return ""
    who = " and ".join(f"{name} of {lease['owner']}" for name, lease in leases.items() if name != claim.experiment and lease.get("memory_mb"))
    others = f", of which {who} reserved {reserved:,}" if who else ""
    return f"not enough memory: the machine has {limit_mb:,} MiB for nodes{others}; {claim.experiment} needs {claim.memory_mb:,} MiB"


def _leases() -> dict[str, dict]:
    try:
        names = [name[:-5] for name in os.listdir(LEASES) if name.endswith(".json")]
    except FileNotFoundError:
        return {}
    leases = {name: read_json(f"{LEASES}/{name}.json") for name in sorted(names) if is_experiment(name)}
    for name, lease in leases.items():
        if lease is not None and not _is_lease(lease):
            raise HostError(f"{LEASES}/{name}.json is damaged: it does not name the owner of the lease")
    return {name: lease for name, lease in leases.items() if lease is not None}


def _is_lease(lease: dict) -> bool:
    return {"owner", "shared", "processes", "since"} <= set(lease) and isinstance(lease.get("memory_mb", 0), int)


def underlay(address: str, interface: str) -> dict:
    """Return "underlay_device", "underlay_address" and "underlay_mtu" of the experiment network, as the pool names it by address or interface.

    They are empty where it names neither. Raises HostError when the machine has no such interface, or it is down.
    """
    if not address and not interface:
        return {"underlay_device": "", "underlay_address": "", "underlay_mtu": 0}
    if address and not _is_ip4(address):
        raise HostError(f"the inventory's benito_experiment_address {address!r} is not an IPv4 address, such as 10.254.0.11, without a prefix length")
    from ..net import netlink

    there = []
    for link in netlink.ip_json("address", "show"):
        addresses = [entry["local"] for entry in link.get("addr_info", ()) if entry.get("family") == "inet"]
        if (address in addresses) if address else (link["ifname"] == interface and addresses):
            if "UP" not in link["flags"]:
                raise HostError(f"the experiment interface {link['ifname']} is down")
            return {"underlay_device": link["ifname"], "underlay_address": address or addresses[0], "underlay_mtu": link["mtu"]}
        if "LOOPBACK" not in link["flags"]:
            there += [f"{own} on {link['ifname']}" for own in addresses]
    wanted = f"benito_experiment_address {address}" if address else f"an IPv4 address on benito_experiment_interface {interface}"
    raise HostError(f"the inventory says {wanted}, but no interface has it. The machine has {', '.join(there) or 'no address'}")


def _is_ip4(address: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET, address)
    except OSError:
        return False
    return True


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
