# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of the experiment network.

Fixed addresses stay. A substrate with a fixed address keeps its subnet. The other substrates take free subnets from ``address_base``
upward; the profile (``profiles.py``) chooses which. Hosts count in document order and never end in 0 or 255.

As at Emulab, fixed addresses may put one subnet on several substrates, and several subnets on one. ``routing/unclear.py`` says what that means.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...errors import InputError, Problem
from ...topology.attributes import IP4_ADDRESS, IP4_NETMASK
from ...topology.model import Attribute, Computer, Interface, Substrate, Topology
from ..computers import map_computers
from .profiles import PROFILES, AddressProfile
from .subnets import Pool, PoolExhausted, dotted, free_hosts, is_host, netmask, network_of, smallest_prefix

_DEFAULT_LENGTH = 24
_LENGTHS = range(8, 31)
_LARGEST = ipaddress.IPv4Network("10.0.0.0/8")


@dataclass
class _Member:
    """An attachment during address assignment. ``length`` is the prefix length that its author gave, if any."""

    computer: Computer
    interface: Interface
    address: int | None = None
    length: int | None = None

    @property
    def element(self) -> str:
        return f"computer {self.computer.name}, interface {self.interface.name}"


@dataclass
class _Lan:
    """A substrate during address assignment. ``start`` and ``length`` are its prefix: that of its first fixed address, where it has one."""

    substrate: Substrate
    members: list[_Member] = field(default_factory=list)
    start: int | None = None
    length: int = _DEFAULT_LENGTH

    @property
    def prefix(self) -> str:
        return f"{_text(self.start)}/{self.length}"

    def fixed_starts(self) -> dict[int, None]:
        """Return the first addresses of the subnets of all fixed addresses, in document order."""
        return dict.fromkeys(network_of(member.address, self.length) for member in self.members if member.address is not None)


def assign_addresses(topology: Topology, address_base: str = "10.0.0.0/16", avoid: tuple[str, ...] = (), profile: str = "default") -> Topology:
    """Return ``topology`` with ``ip4_address`` and ``ip4_netmask`` on every interface. Idempotent.

    address_base  IPv4 prefix of the first subnets; more are taken upward as far as its private block goes
    avoid         IPv4 prefixes that no subnet may overlap: the control network
    profile       a name of ``profiles.PROFILES``

    Raises InputError with every malformed, doubled, overlapping or unsatisfiable address, and when subnets run out. Fixed subnets overlap
    if they are not equal.
    """
    rules = PROFILES[profile]
    log = _Log(topology)
    lans = _read(topology, log)
    pool = Pool(address_base, avoid, rules.skipped)
    owners: dict[int, _Member] = {}
    fixed: set[tuple[int, int]] = set()
    for lan in lans:
        _fix_subnet(lan, owners, log)
        _claim_fixed(lan, fixed, pool, log)
    if not log.problems:
        _choose_subnets(topology, lans, rules, pool, log)
    if not log.problems:
        taken = set(owners)
        for lan in lans:
            _number_hosts(lan, rules, taken, log)
    if log.problems:
        raise InputError(sorted(log.problems, key=lambda problem: problem.line))
    return _write(topology, lans)


def _text(address: int | None) -> str:
    """Return an address as text, "" where none has been chosen yet."""
    return "" if address is None else dotted(address)


class _Log:
    """Collects the problems of one topology."""

    def __init__(self, topology: Topology):
        self.source = topology.source
        self.problems: list[Problem] = []

    def member(self, member: _Member, message: str, hint: str = "") -> None:
        line = member.interface.line or member.computer.line
        self.problems.append(Problem(message, self.source, line, member.element, hint))

    def setting(self, name: str, message: str, hint: str) -> None:
        self.problems.append(Problem(message, element=f"setting {name}", hint=hint))

    def lan(self, lan: _Lan, message: str, hint: str = "") -> None:
        self.problems.append(Problem(message, self.source, lan.substrate.line, f"substrate {lan.substrate.name}", hint))


def _read(topology: Topology, log: _Log) -> list[_Lan]:
    lans = {substrate.name: _Lan(substrate) for substrate in topology.substrates}
    for computer in topology.computers:
        for interface in computer.interfaces:
            member = _Member(computer, interface)
            lans[interface.substrate].members.append(member)
            _read_fixed(member, log)
    return list(lans.values())


def _read_fixed(member: _Member, log: _Log) -> None:
    mask, address = member.interface.attribute(IP4_NETMASK), member.interface.attribute(IP4_ADDRESS)
    if mask:
        member.length = _length_of(mask)
        if member.length is None:
            log.member(member, f"{mask!r} is not a netmask", f"from {dotted(netmask(_LENGTHS[0]))} to {dotted(netmask(_LENGTHS[-1]))}")
    if address:
        try:
            member.address = int(ipaddress.IPv4Address(address))
        except ValueError:
            log.member(member, f"{address!r} is not an IPv4 address", "four numbers from 0 to 255; the netmask goes into ip4_netmask")


def _length_of(mask: str) -> int | None:
    try:
        value = int(ipaddress.IPv4Address(mask))
    except ValueError:
        return None
    length = value.bit_count()
    return length if length in _LENGTHS and value == netmask(length) else None


def _fix_subnet(lan: _Lan, owners: dict[int, _Member], log: _Log) -> None:
    """Take the subnet and prefix length from the members that fix one. Log a problem for each impossible or repeated address.

    owners  {fixed address: its first member}, of all substrates so far; completed here
    """
    stated = [(member, member.length) for member in lan.members if member.length is not None]
    if stated:
        first, lan.length = stated[0]
        for member, length in stated[1:]:
            if length != lan.length:
                message = f"its netmask {dotted(netmask(length))} is not that of {first.element}, {dotted(netmask(lan.length))}"
                log.member(member, message, f"all members of {lan.substrate.name} have one netmask")
    lan.start = next(iter(lan.fixed_starts()), None)
    for member in lan.members:
        if member.address is None:
            continue
        start = network_of(member.address, lan.length)
        if not is_host(member.address, start, lan.length):
            log.member(member, f"{dotted(member.address)} is not a host address of {dotted(start)}/{lan.length}")
        elif member.address in owners:
            log.member(member, f"{dotted(member.address)} is taken by {owners[member.address].element}", "every address is given once")
        else:
            owners[member.address] = member


def _claim_fixed(lan: _Lan, fixed: set[tuple[int, int]], pool: Pool, log: _Log) -> None:
    """Put the subnets of a substrate's fixed addresses in use, unless an earlier substrate is in the same subnet.

    fixed  (first address, prefix length) of all fixed subnets so far; completed here
    """
    for start in lan.fixed_starts():
        if (start, lan.length) in fixed:
            continue
        owner = pool.claim(start, lan.length, f"substrate {lan.substrate.name}")
        if owner is None:
            fixed.add((start, lan.length))
        else:
            log.lan(lan, f"its subnet {dotted(start)}/{lan.length} overlaps {owner}", "every substrate has a subnet of its own")


def _choose_subnets(topology: Topology, lans: list[_Lan], rules: AddressProfile, pool: Pool, log: _Log) -> None:
    waiting = [lan for lan in lans if lan.start is None and lan.members]
    for lan in waiting:
        if not any(member.length is not None for member in lan.members):
            lan.length = smallest_prefix(len(lan.members) + rules.first_host - 1, rules.longest)
    wanted = rules.layout(topology, {lan.substrate.name: 1 << (32 - lan.length) for lan in waiting})
    begin = int(pool.base.network_address)
    for lan in waiting:
        name = lan.substrate.name
        if name in wanted and pool.try_claim(begin + wanted[name], lan.length, f"substrate {name}"):
            lan.start = begin + wanted[name]
    for lan in waiting:
        if lan.start is None:
            with contextlib.suppress(PoolExhausted):
                lan.start = pool.take(lan.length, f"substrate {lan.substrate.name}")
    if any(lan.start is None for lan in waiting):
        _run_out(waiting, rules, pool, log)


def _run_out(waiting: list[_Lan], rules: AddressProfile, pool: Pool, log: _Log) -> None:
    """Log one problem: how many subnets are needed, how many there are, and what to change."""
    counts = Counter(lan.length for lan in waiting)
    sizes = " and ".join(f"{count} of /{length}" for length, count in sorted(counts.items(), reverse=True))
    placed = sum(lan.start is not None for lan in waiting)
    space = f"{dotted(int(pool.base.network_address))} to {pool.block.broadcast_address}"
    whole = int(pool.base.network_address) == int(_LARGEST.network_address)
    hint = "fewer substrates, or fixed addresses elsewhere for some of them" if whole else f"a larger one, such as {_LARGEST}"
    if rules.longest < _LENGTHS[-1]:
        small = sum(1 << (32 - smallest_prefix(len(lan.members), _LENGTHS[-1])) for lan in waiting)
        hint += f"; with address_profile hierarchical they take {small:,} addresses in all"
    message = f"the topology needs {len(waiting)} subnets ({sizes}), but from {space} there is room for {placed} of them"
    log.setting("address_base", message, hint)


def _number_hosts(lan: _Lan, rules: AddressProfile, taken: set[int], log: _Log) -> None:
    """Give every member without an address a free one. ``taken`` has the addresses in use; completed here."""
    waiting = [member for member in lan.members if member.address is None]
    if not waiting:
        return
    hosts = (address for address in _hosts(lan, rules.first_host) if address not in taken)
    for count, member in enumerate(waiting):
        member.address = next(hosts, None)
        if member.address is None:
            log.lan(lan, f"{lan.prefix} has no room for {len(waiting) - count} of its {len(lan.members)} members", "a shorter ip4_netmask")
            return
        taken.add(member.address)


def _hosts(lan: _Lan, first: int) -> Iterator[int]:
    """Iterate over the host addresses of a subnet. Those before host number ``first`` come last, as a reserve."""
    start = lan.start
    if start is None:
        return iter(())
    early = [address for address in range(start + 1, start + first) if address < start + (1 << (32 - lan.length)) - 1]
    return itertools.chain(itertools.dropwhile(lambda address: address < start + first, free_hosts(start, lan.length)), early)


def _write(topology: Topology, lans: list[_Lan]) -> Topology:
    chosen = {(m.computer.name, m.interface.name): (_text(m.address), dotted(netmask(lan.length))) for lan in lans for m in lan.members}

    def with_addresses(computer: Computer) -> Computer:
        interfaces = tuple(_with_address(interface, *chosen[computer.name, interface.name]) for interface in computer.interfaces)
        return dataclasses.replace(computer, interfaces=interfaces) if interfaces != computer.interfaces else computer

    return map_computers(topology, with_addresses)


def _with_address(interface: Interface, address: str, mask: str) -> Interface:
    if interface.attribute(IP4_ADDRESS) == address and interface.attribute(IP4_NETMASK) == mask:
        return interface
    others = tuple(a for a in interface.attributes if a.name not in (IP4_ADDRESS, IP4_NETMASK))
    return dataclasses.replace(interface, attributes=(*others, Attribute(IP4_ADDRESS, address), Attribute(IP4_NETMASK, mask)))
