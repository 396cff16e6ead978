# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of pool machines for vhosts. Pure: it depends only on the machines' offers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import ExperimentError
from .memory import HostMemory, MemoryNeed


@dataclass(frozen=True)
class Need:
    """The requirements of a vhost on its machine.

    vnodes  how many it carries
    memory  for all of them
    alone   whether it shares the machine with no other experiment
    types   the ``pnode_type`` values that may be used; () for any
    tunnels whether it has links to other machines
    """

    vnodes: int
    memory: MemoryNeed = MemoryNeed()
    alone: bool = False
    types: tuple[str, ...] = ()
    tunnels: bool = False


@dataclass(frozen=True)
class Offer:
    """A machine of the pool, as it presented itself.

    taken_by     why it is not free, "" if it is
    unreachable  why it could not be reached, "" if it could
    unusable     why it cannot be used although it was reached, "" if it can
    isolated     why nodes on it can have no links to other machines, "" if they can
    type         its ``pnode_type``
    slots        the most vnodes it may carry, 0 for any number
    memory       None if it is unknown: then it is not limited
    shared_with  the experiments that it already carries, for a message, "" for none
    ours         whether this experiment has it already
    """

    name: str
    taken_by: str = ""
    unreachable: str = ""
    type: str = ""
    slots: int = 0
    memory: HostMemory | None = None
    shared_with: str = ""
    ours: bool = False
    unusable: str = ""
    isolated: str = ""


def choose(needs: dict[str, Need], offers: list[Offer], kept: dict[str, str]) -> dict[str, str]:
    """Return {vhost: name of a pool host} for every vhost.

    kept   {vhost: pool host} of an earlier, interrupted swap-in; such a machine stays if it is ours, or free for us, of the right type and large enough

    Each vhost takes the smallest machine that fits; of equal ones, the first in natural order of their names. If some machines are too
    small, the largest vhosts choose first. A placement is found whenever there is one. Raises ExperimentError that accounts for every
    machine when there is none. Raises ExperimentError when a machine that already carries a part of the experiment cannot be reached.
    """
    by_name = {offer.name: offer for offer in offers}
    mine = {name: by_name.get(name, Offer(name, unreachable="no longer in the pool")) for vhost, name in kept.items() if vhost in needs}
    lost = [f"{name} ({offer.unreachable})" for name, offer in mine.items() if offer.unreachable]
    if lost:
        raise ExperimentError(f"machines that already carry this experiment cannot be reached: {', '.join(lost)}; swap out, or bring them back")
    bad = [f"{name} ({offer.unusable})" for name, offer in mine.items() if offer.unusable]
    if bad:
        raise ExperimentError(f"machines that already carry this experiment cannot be used: {', '.join(bad)}; put that right, or swap out")
    chosen = {vhost: kept[vhost] for vhost in needs if vhost in kept and _stays(by_name[kept[vhost]], needs[vhost])}
    free = sorted((offer for offer in offers if _usable(offer) and offer.name not in chosen.values()), key=_tightness)
    fitting = {vhost: [offer for offer in free if _fits(offer, needs[vhost])] for vhost in sorted(needs) if vhost not in chosen}
    if any(len(machines) < len(free) for machines in fitting.values()):
        fitting = dict(sorted(fitting.items(), key=lambda item: (-needs[item[0]].memory.memory_mb, -needs[item[0]].vnodes, item[0])))
    seats = dict(chosen)
    for vhost in fitting:
        if not _seat(vhost, fitting, seats):
            raise ExperimentError(_shortage(needs, offers, vhost, seats))
    return {vhost: seats[vhost] for vhost in needs}


def _stays(offer: Offer, need: Need) -> bool:
    return not offer.taken_by and (offer.ours or _fits(offer, need))


def _fits(offer: Offer, need: Need) -> bool:
    room = not offer.slots or offer.slots >= need.vnodes
    memory = offer.memory is None or offer.memory.free_mb >= need.memory.memory_mb
    return _of_type(offer, need) and room and memory and not (need.alone and offer.shared_with) and not (need.tunnels and offer.isolated)


def _seat(vhost: str, fitting: dict[str, list[Offer]], seats: dict[str, str]) -> bool:
    """Give the vhost the first fitting machine that is free, else one whose vhost can move to another. Return whether that was possible.

    seats  {vhost: machine}, changed
    """
    holders = {machine: holder for holder, machine in seats.items()}
    wanted_by: dict[str, str] = {}
    asking = [vhost]
    while asking:
        candidate = asking.pop(0)
        for machine in (offer.name for offer in fitting[candidate]):
            if machine in wanted_by:
                continue
            wanted_by[machine] = candidate
            if machine in holders:
                asking.append(holders[machine])
                continue
            moving: str | None = machine
            while moving:
                taker = wanted_by[moving]
                seats[taker], moving = moving, seats.get(taker)
            return True
    return False


def _usable(offer: Offer) -> bool:
    return not offer.taken_by and not offer.unreachable and not offer.unusable


def _of_type(offer: Offer, need: Need) -> bool:
    return not need.types or offer.type in need.types


def _tightness(offer: Offer) -> tuple[float, float, list[int | str]]:
    """Return a sort key that puts small machines first. Memory counts in GiB, because machines of one make differ a little in MiB."""
    return offer.slots or math.inf, math.inf if offer.memory is None else offer.memory.free_mb // 1024, _natural(offer)


def _natural(offer: Offer) -> list[int | str]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", offer.name)]


def _shortage(needs: Mapping[str, Need], offers: Sequence[Offer], vhost: str, seats: dict[str, str]) -> str:
    wanted = () if any(not need.types for need in needs.values()) else tuple(dict.fromkeys(name for need in needs.values() for name in need.types))
    tunnels = all(need.tunnels for need in needs.values())
    usable = [offer for offer in offers if not _account(offer, wanted, tunnels)]
    need, too_few = needs[vhost], len(usable) < len(needs)
    lines = [f"the pool is too small: the experiment needs {_count(len(needs), 'pnode')}, {len(usable)} of {_count(len(offers), 'machine')} can be had"]
    if not too_few:
        memory = f" and needs {need.memory.memory_mb:,} MiB: {need.memory.parts}" if need.memory.parts else ""
        lines[0] = f"no machine of the pool has room for {vhost}, which carries {_count(need.vnodes, 'vnode')}{memory}"
    holders = {machine: holder for holder, machine in seats.items()}
    for offer in sorted(offers, key=_natural):
        lines.append(f"  {offer.name}: {_account(offer, wanted, tunnels) or (_free(offer) if too_few else _why_not(offer, vhost, need, holders))}")
    if not offers:
        lines.append("  the inventory group pnode_pool is empty; 'ansible-playbook deter.benito.local_testbed' makes pnodes on this machine")
    return "\n".join(lines)


def _account(offer: Offer, wanted: tuple[str, ...], tunnels: bool) -> str:
    """Return why the machine cannot be used at all, "" if it can be.

    tunnels  whether every vhost has links to other machines
    """
    if offer.unreachable:
        return f"cannot be reached: {offer.unreachable}"
    if offer.unusable:
        return f"cannot be used: {offer.unusable}"
    if offer.taken_by or (wanted and offer.type not in wanted):
        return offer.taken_by or _other_type(offer, wanted)
    return offer.isolated if tunnels else ""


def _other_type(offer: Offer, types: tuple[str, ...]) -> str:
    return f"is of type {offer.type or 'none'}, not {' or '.join(types)}"


def _free(offer: Offer) -> str:
    return ", ".join(["free", *([f"room for {_count(offer.slots, 'vnode')}"] if offer.slots else []), *([str(offer.memory)] if offer.memory else [])])


def _why_not(offer: Offer, vhost: str, need: Need, holders: dict[str, str]) -> str:
    """Return why a usable machine does not fit the vhost, or that it goes to another one."""
    reasons = [] if _of_type(offer, need) else [_other_type(offer, need.types)]
    if need.alone and offer.shared_with:
        reasons.append(f"{offer.shared_with}; {vhost} is a node itself, and shares its machine with nobody")
    if need.tunnels and offer.isolated:
        reasons.append(offer.isolated)
    if offer.slots and offer.slots < need.vnodes:
        reasons.append(f"has room for {_count(offer.slots, 'vnode')}")
    if offer.memory and offer.memory.free_mb < need.memory.memory_mb:
        reasons.append(f"has {offer.memory}")
    return "; ".join(reasons) or f"goes to {holders[offer.name]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
