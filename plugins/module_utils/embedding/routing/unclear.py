# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Substrates whose subnet is unclear: fixed addresses put one subnet on several substrates, or several subnets on one.

Emulab accepts both, and so do we. But an address of such a subnet does not say which substrate it is on, so no route can lead there.
"""

from __future__ import annotations

from ...errors import Problem
from ..addressing.subnets import dotted
from .network import Network, Prefix

_SHOWN = 5
_EFFECT = "no routes are computed to it or across it"


def unclear_prefixes(network: Network) -> tuple[Prefix, ...]:
    """Return the prefixes that no computed route may cover, in document order."""
    return tuple(dict.fromkeys(prefix for name, those in network.prefixes.items() if name not in network.subnets for prefix in those))


def unclear_subnets(network: Network, source: str = "") -> tuple[Problem, ...]:
    """Return one Problem for each substrate with several subnets, and for each subnet of several substrates."""
    split, shared = [], []
    owners: dict[Prefix, list[str]] = {}
    for name, prefixes in network.prefixes.items():
        for prefix in prefixes:
            owners.setdefault(prefix, []).append(name)
        if len(prefixes) > 1:
            message = f"its members are in several subnets, {_listed([_text(prefix) for prefix in prefixes])}: {_EFFECT}"
            split.append(Problem(message, source, element=f"substrate {name}", hint="addresses of one subnet"))
    for prefix, names in owners.items():
        if len(names) > 1:
            message = f"{_text(prefix)} is the subnet of {_listed(names)}: {_EFFECT}"
            shared.append(Problem(message, source, element="the topology", hint="a subnet for each of them"))
    return (*_first(split, "substrates with several subnets", source), *_first(shared, "subnets of several substrates", source))


def _text(prefix: Prefix) -> str:
    return f"{dotted(prefix[0])}/{prefix[1]}"


def _listed(texts: list[str]) -> str:
    if len(texts) > _SHOWN:
        return f"{', '.join(texts[:_SHOWN])} and {len(texts) - _SHOWN} more"
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def _first(problems: list[Problem], what: str, source: str) -> list[Problem]:
    """Return the first few problems, and one that counts the others."""
    more = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([Problem(f"{more} more {what}", source)] if more > 0 else [])]
