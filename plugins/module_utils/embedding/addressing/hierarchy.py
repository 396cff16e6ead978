# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layout of substrates in an address space, in which the subnets behind one neighbour mostly form a single prefix.

Each component gets a tree of shortest paths. Its root is the computer with the most interfaces; levels alternate between computers
and substrates. The subtree of a computer is one stretch of addresses. The stretch consists of pieces by falling size, each aligned to
a power of two that holds it. The computer's own substrates are one piece. The subtree of each computer behind them is another piece.
In a tree nearly every neighbour then needs one route. In other topologies shortest paths mostly follow the same tree, since they meet
at computers with many links.
"""

from __future__ import annotations

from ...topology.model import Topology

_OWN = -1  # the piece of a computer's own substrates


def near_layout(topology: Topology, sizes: dict[str, int]) -> dict[str, int]:
    """Return {substrate: its offset from the beginning of the space}, in addresses.

    sizes  {substrate: its addresses, a power of two}; other substrates get no offset, nor do substrates without members
    """
    vtopo = _Vtopo(topology)
    numbered = {vtopo.number[name]: size for name, size in sizes.items() if vtopo.members[vtopo.number[name]]}
    offsets: dict[int, int] = {}
    begin = 0
    for root in sorted(range(len(vtopo.on)), key=lambda computer: -len(vtopo.on[computer])):
        if root not in vtopo.reached:
            begin = _lay_out(_Hanging(vtopo, root, numbered), begin, offsets)
    return {name: offsets[vtopo.number[name]] for name in sizes if vtopo.number[name] in offsets}


class _Vtopo:
    """The computers and substrates of a topology as numbers.

    on       the substrates of each computer
    members  the computers of each substrate
    reached  computers that are in a tree
    """

    def __init__(self, topology: Topology):
        self.number = {substrate.name: place for place, substrate in enumerate(topology.substrates)}
        self.on = [sorted({self.number[interface.substrate] for interface in computer.interfaces}) for computer in topology.computers]
        self.members: list[list[int]] = [[] for _substrate in topology.substrates]
        for computer, substrates in enumerate(self.on):
            for substrate in substrates:
                self.members[substrate].append(computer)
        self.reached: set[int] = set()


class _Hanging:
    """The tree of one component, as the subtree of each computer.

    root    the first computer
    own     {computer: its substrates that lie in its piece, as (size, substrate), the largest first}
    pieces  {computer: the pieces of its stretch, as (size, computer or _OWN), the largest first}
    length  {computer: addresses of its stretch}
    """

    def __init__(self, vtopo: _Vtopo, root: int, sizes: dict[int, int]):
        self.root = root
        order, self.own, behind = _tree(vtopo, root, sizes)
        self.pieces: dict[int, list[tuple[int, int]]] = {}
        self.length: dict[int, int] = {}
        for computer in reversed(order):
            pieces = [(self.length[other], other) for other in behind[computer] if self.length[other]]
            if self.own[computer]:
                pieces.append((_power(sum(size for size, _substrate in self.own[computer])), _OWN))
            self.pieces[computer] = sorted(pieces, key=lambda piece: (-piece[0], piece[1]))
            self.length[computer] = 0
            for size, _what in self.pieces[computer]:
                self.length[computer] = _aligned(self.length[computer], size) + size


def _tree(vtopo: _Vtopo, root: int, sizes: dict[int, int]) -> tuple[list[int], dict[int, list[tuple[int, int]]], dict[int, list[int]]]:
    """Return (the component's computers, {computer: its own substrates}, {computer: the computers behind these}).

    Computers are listed nearest first. A substrate belongs to the first computer that is on it, as (size, substrate), the largest first.
    """
    order = [root]
    own: dict[int, list[tuple[int, int]]] = {}
    behind: dict[int, list[int]] = {}
    taken: set[int] = set()
    vtopo.reached.add(root)
    for computer in order:
        nearest = [substrate for substrate in vtopo.on[computer] if substrate not in taken]
        taken.update(nearest)
        own[computer] = sorted(((sizes[substrate], substrate) for substrate in nearest if substrate in sizes), key=lambda item: (-item[0], item[1]))
        behind[computer] = []
        for substrate in nearest:
            for other in vtopo.members[substrate]:
                if other not in vtopo.reached:
                    vtopo.reached.add(other)
                    behind[computer].append(other)
        order.extend(behind[computer])
    return order, own, behind


def _lay_out(hanging: _Hanging, begin: int, offsets: dict[int, int]) -> int:
    """Add the offsets of one component from ``begin`` on. Return the address at which it ends."""
    begin = _aligned(begin, hanging.length[hanging.root])
    waiting = [(hanging.root, begin)]
    while waiting:
        computer, offset = waiting.pop()
        for size, what in hanging.pieces[computer]:
            offset = _aligned(offset, size)
            if what == _OWN:
                place = offset
                for own, substrate in hanging.own[computer]:
                    offsets[substrate] = place
                    place += own
            else:
                waiting.append((what, offset))
            offset += size
    return begin + hanging.length[hanging.root]


def _power(number: int) -> int:
    """Return the smallest power of two that is not below ``number``; 1 for 0."""
    return 1 << max(0, number - 1).bit_length()


def _aligned(offset: int, size: int) -> int:
    """Return the next multiple, from ``offset`` on, of the power of two that holds ``size``."""
    step = _power(size)
    return -(-offset // step) * step
