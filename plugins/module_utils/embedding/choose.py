# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which machines of the pool carry which vhosts: pure, from what the machines offer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ExperimentError


@dataclass(frozen=True)
class Offer:
    """A machine of the pool as it presented itself.

    taken_by     why it is not free, "" if it is
    unreachable  why it could not be asked, "" if it could
    type         its ``pnode_type``
    slots        the most vnodes it may carry, 0 for any number
    """

    name: str
    taken_by: str = ""
    unreachable: str = ""
    type: str = ""
    slots: int = 0


def choose(needs: dict[str, int], offers: list[Offer], kept: dict[str, str], types: tuple[str, ...] = ()) -> dict[str, str]:
    """{vhost: name of a pool host} for every vhost.

    needs  {vhost: number of vnodes}
    kept   {vhost: pool host} of an earlier, interrupted swap-in; such a machine stays if it is free for us
    types  the ``pnode_type`` values that may be used; () for any

    Machines are taken in natural order of their names, the largest vhosts choosing first when slots are
    limited. Raises ExperimentError that accounts for every machine when there are not enough, and when a
    machine that already carries a part of the experiment cannot be reached.
    """
    by_name = {offer.name: offer for offer in offers}
    lost = [
        f"{name} ({by_name[name].unreachable if name in by_name else 'no longer in the pool'})"
        for vhost, name in kept.items()
        if vhost in needs and (name not in by_name or by_name[name].unreachable)
    ]
    if lost:
        raise ExperimentError(f"machines that already carry this experiment cannot be reached: {', '.join(lost)}; swap out, or bring them back")
    chosen = {vhost: kept[vhost] for vhost in needs if vhost in kept and not by_name[kept[vhost]].taken_by}
    free = sorted((offer for offer in offers if _usable(offer, types) and offer.name not in chosen.values()), key=_natural)
    limited = any(offer.slots for offer in free)
    for vhost in sorted((vhost for vhost in needs if vhost not in chosen), key=lambda vhost: (-needs[vhost] if limited else 0, vhost)):
        fitting = [offer for offer in free if not offer.slots or offer.slots >= needs[vhost]]
        if not fitting:
            raise ExperimentError(_shortage(needs, offers, types, vhost))
        best = min(fitting, key=lambda offer: (offer.slots or 1 << 30, free.index(offer))) if any(o.slots for o in fitting) else fitting[0]
        free.remove(best)
        chosen[vhost] = best.name
    return {vhost: chosen[vhost] for vhost in needs}


def _usable(offer: Offer, types) -> bool:
    return not offer.taken_by and not offer.unreachable and (not types or offer.type in types)


def _natural(offer: Offer):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", offer.name)]


def _shortage(needs, offers, types, vhost) -> str:
    usable = [offer for offer in offers if _usable(offer, types)]
    lines = [f"the pool is too small: the experiment needs {_count(len(needs), 'pnode')}, {len(usable)} of {_count(len(offers), 'machine')} can be had"]
    if len(usable) >= len(needs):
        lines[0] = f"no machine of the pool has room for {vhost}, which carries {_count(needs[vhost], 'vnode')}"
    for offer in sorted(offers, key=_natural):
        lines.append(f"  {offer.name}: {_account(offer, types)}")
    if not offers:
        lines.append("  the inventory group pnode_pool is empty; 'ansible-playbook deter.benito.local_testbed' makes pnodes on this machine")
    return "\n".join(lines)


def _account(offer: Offer, types) -> str:
    if offer.unreachable:
        return f"cannot be reached: {offer.unreachable}"
    if offer.taken_by:
        return offer.taken_by
    if types and offer.type not in types:
        return f"is of type {offer.type or 'none'}, not {' or '.join(types)}"
    return f"free, room for {_count(offer.slots, 'vnode')}" if offer.slots else "free"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
