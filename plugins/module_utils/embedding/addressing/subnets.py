# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic of prefixes and host addresses, and the pool of free prefixes. Addresses are integers."""

from __future__ import annotations

import bisect
import ipaddress
from collections.abc import Callable, Iterator

from ...errors import BenitoError

_PRIVATE = tuple(ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15"))
_HOSTS_OF_24 = 254


def dotted(address: int) -> str:
    """Format an address as text: 10.0.0.1."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def network_of(address: int, prefix_length: int) -> int:
    """Return the first address of the prefix that holds ``address``."""
    return address & netmask(prefix_length)


def netmask(prefix_length: int) -> int:
    """Return the netmask of a prefix length as an integer."""
    return 0xFFFFFFFF << (32 - prefix_length) & 0xFFFFFFFF


class PoolExhausted(BenitoError):
    """No free prefix of the wanted length is left."""


class Pool:
    """The prefixes in use, none overlapping another, and a search for the first free one from a base upward.

    base     IPv4 prefix where the search begins; it goes on to the end of the private block that holds
             the base (10.0.0.0/8 …), or of the base itself if that is not private
    avoid    prefixes that are in use by others from the beginning
    skipped  whether no free prefix may begin at an address
    """

    def __init__(self, base: str, avoid: tuple[str, ...] = (), skipped: Callable[[int], bool] = lambda _start: False):
        self._skipped = skipped
        self.base = ipaddress.IPv4Network(base)
        self.block = private_block(self.base) or self.base
        self._starts: list[int] = []
        self._used: list[tuple[int, str]] = []  # (end, owner) of the prefix at the same place in _starts
        self._next: dict[int, int] = {}
        for text in avoid:
            network = ipaddress.IPv4Network(text)
            self.claim(int(network.network_address), network.prefixlen, f"the control network {text}")

    def claim(self, start: int, length: int, owner: str) -> str | None:
        """Put a prefix in use and return None. If it overlaps another one, change nothing and return that one's owner."""
        end = start + (1 << (32 - length))
        place = self._overlapped(start, end)
        if place is not None:
            return self._used[place][1]
        place = bisect.bisect(self._starts, start)
        self._starts.insert(place, start)
        self._used.insert(place, (end, owner))
        return None

    def try_claim(self, start: int, length: int, owner: str) -> bool:
        """Put a prefix in use if it is valid, free, and between the base's beginning and the end of the private block. Return whether it was."""
        size = 1 << (32 - length)
        inside = int(self.base.network_address) <= start and start + size <= int(self.block.broadcast_address) + 1
        return inside and start % size == 0 and self.claim(start, length, owner) is None

    def take(self, length: int, owner: str) -> int:
        """Put the first free prefix of ``length`` in use and return its first address.

        Raises PoolExhausted.
        """
        size = 1 << (32 - length)
        start = _aligned(self._next.get(length, int(self.base.network_address)), size)
        while start + size <= int(self.block.broadcast_address) + 1:
            place = self._overlapped(start, start + size)
            if self._skipped(start):
                start += size
            elif place is None:
                self._next[length] = start + size
                self.claim(start, length, owner)
                return start
            else:
                start = _aligned(max(self._used[place][0], start + 1), size)
        self._next[length] = start
        raise PoolExhausted

    def _overlapped(self, start: int, end: int) -> int | None:
        place = bisect.bisect_left(self._starts, end) - 1
        return place if place >= 0 and self._used[place][0] > start else None


def private_block(network: ipaddress.IPv4Network) -> ipaddress.IPv4Network | None:
    """Return the private block that holds all of ``network``, None when none does."""
    return next((block for block in _PRIVATE if network.subnet_of(block)), None)


def smallest_prefix(hosts: int, longest: int = 24) -> int:
    """Return the length of the smallest prefix that has room for ``hosts``. It is at most ``longest`` (≤ 30)."""
    length = longest
    while length > 0 and _room(length) < hosts:
        length -= 1
    return length


def _room(length: int) -> int:
    """Return the number of ``free_hosts`` of a prefix."""
    return _HOSTS_OF_24 << (24 - length) if length <= 24 else (1 << (32 - length)) - 2


def is_host(address: int, start: int, length: int) -> bool:
    """Return whether an author may fix ``address`` in the prefix: it is neither its first nor its last address, and it is unicast."""
    return start < address < start + (1 << (32 - length)) - 1 and 1 <= address >> 24 <= 223 and address >> 24 != 127


def free_hosts(start: int, length: int) -> Iterator[int]:
    """Iterate over the host addresses to give away, ascending: never the first or last, never one that ends in 0 or 255."""
    for address in range(start + 1, start + (1 << (32 - length)) - 1):
        if address & 255 not in (0, 255):
            yield address


def _aligned(address: int, size: int) -> int:
    return -(-address // size) * size
