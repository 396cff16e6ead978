# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of control addresses for nodes on the control network. Pure: it depends only on the offers of the pool's machines."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...errors import InputError, Problem

VARIABLE = "benito_control_addresses"
_EXAMPLE = f"set {VARIABLE} for it in the pool's inventory, FIRST-LAST or a prefix, to addresses of its control network that nothing else uses"


@dataclass(frozen=True)
class ControlOffer:
    """A pool machine's report of its control network.

    name     its inventory name
    range    its variable ``benito_control_addresses``, "" if it has none
    network  CIDR of its control network, "" if it could not determine it
    address  its own there
    gateway  "" for none
    used     control addresses that nodes of other experiments on it have
    """

    name: str
    range: str = ""
    network: str = ""
    address: str = ""
    gateway: str = ""
    used: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, offer: dict[str, Any]) -> ControlOffer:
        """Build the offer from the result of the module ``lease``. Everything about a machine that could not be asked is empty."""
        texts = {field: str(offer.get(f"control_{key}", "")) for field, key in
                 (("range", "addresses"), ("network", "network"), ("address", "address"), ("gateway", "gateway"))}
        return cls(name, **texts, used=tuple(offer.get("control_addresses_used", ())))


def assign_control_addresses(nodes: dict[str, str], offers: Iterable[ControlOffer], kept: dict[str, str]) -> dict[str, str]:
    """Return {node: "a.b.c.d/len"} for every node, in order. A node keeps a valid earlier address; otherwise it gets the lowest free one.

    nodes   {node: name of the pool host that carries it}, in the order in which they choose
    offers  of the whole pool: an address in use anywhere is not given
    kept    {node: its address, with or without prefix length} of an earlier swap-in of this experiment

    The network's own address, its broadcast address, gateways and the machines' own addresses are never given.
    Raises InputError that names every machine whose range is missing, invalid or used up.
    """
    known = {offer.name: offer for offer in offers}
    taken = {_number(text) for offer in known.values() for text in (offer.address, offer.gateway, *offer.used) if text}
    ranges = _ranges({host: known.get(host, ControlOffer(host)) for host in dict.fromkeys(nodes.values())})
    given: dict[str, int] = {}
    for node, host in nodes.items():
        number = _number(kept[node].split("/")[0]) if node in kept else -1
        if ranges[host].holds(number) and number not in taken:
            given[node] = number
            taken.add(number)
    free = {host: found.free(taken) for host, found in ranges.items()}
    lacking: dict[str, int] = {}
    for node, host in nodes.items():
        if node not in given:
            number = next(free[host], -1)
            if number < 0:
                lacking[host] = lacking.get(host, 0) + 1
            given[node] = number
            taken.add(number)
    if lacking:
        raise InputError([_used_up(known[host], count) for host, count in lacking.items()])
    return {node: f"{ipaddress.IPv4Address(given[node])}/{ranges[host].network.prefixlen}" for node, host in nodes.items()}


@dataclass(frozen=True)
class _Range:
    """The addresses ``first`` to ``last`` of a network, as numbers."""

    first: int
    last: int
    network: ipaddress.IPv4Network

    def holds(self, number: int) -> bool:
        return self.first <= number <= self.last and number not in self._special()

    def free(self, taken: set[int]) -> Iterator[int]:
        """Iterate over the addresses that are not in ``taken`` when it is their turn, ascending."""
        special = self._special()
        return (number for number in itertools.islice(itertools.count(self.first), self.last - self.first + 1) if number not in taken and number not in special)

    def _special(self) -> set[int]:
        return {int(self.network.network_address), int(self.network.broadcast_address)}


def _ranges(offers: dict[str, ControlOffer]) -> dict[str, _Range]:
    found, problems = {}, []
    for host, offer in offers.items():
        reading = _read(offer)
        if isinstance(reading, Problem):
            problems.append(reading)
        else:
            found[host] = reading
    if problems:
        raise InputError(problems)
    return found


def _read(offer: ControlOffer) -> _Range | Problem:
    """Return the range of a machine, or the Problem with it."""
    element = f"pool host {offer.name}"
    if not offer.range:
        return Problem("the pool does not say which control addresses nodes on it may have", element=element, hint=_EXAMPLE)
    if not offer.network:
        return Problem("it could not tell its control network: it has no single interface with SSH or the default route and an IPv4 address", element=element)
    network = ipaddress.IPv4Network(offer.network)
    try:
        if "-" in offer.range:
            first, last = (_number(part.strip()) for part in offer.range.split("-", 1))
        else:
            prefix = ipaddress.IPv4Network(offer.range.strip())
            first, last = int(prefix.network_address), int(prefix.broadcast_address)
    except ValueError as exc:
        return Problem(f"{VARIABLE} {offer.range!r} is no range of addresses: {exc}", element=element, hint=_EXAMPLE)
    if first > last:
        return Problem(f"{VARIABLE} {offer.range!r} ends before it begins", element=element, hint=_EXAMPLE)
    if ipaddress.IPv4Address(first) not in network or ipaddress.IPv4Address(last) not in network:
        return Problem(f"{VARIABLE} {offer.range!r} is not within its control network {network}", element=element, hint=_EXAMPLE)
    return _Range(first, last, network)


def _used_up(offer: ControlOffer, count: int) -> Problem:
    nodes = "1 node has" if count == 1 else f"{count} nodes have"
    return Problem(f"{nodes} no control address: all of {VARIABLE} {offer.range!r} are in use", element=f"pool host {offer.name}",
                   hint="give it a larger range, or swap out what is not needed")


def _number(text: str) -> int:
    return int(ipaddress.IPv4Address(text))
