# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which program of Graphviz lays a topology out: the one that does it best at its size, and a faster one for when that takes too long."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..errors import BenitoError
from .drawing import Placement, Size, Wanted, dot_text, size_of
from .model import Topology
from .rendering import Attempt

DRAW_BOXES = ("dot", "fdp")
FASTEST = "sfdp"
MOST_MARKS = 20_000
_MOST_FOR_NEATO, _MOST_FOR_BOXES = 160, 300


def attempts(topology: Topology, wanted: Wanted, placement: Placement, program: str | None = None) -> list[Attempt]:
    """The ways to draw a topology, the best one first.

    program  what is to be tried first, None for what suits it
    Raises BenitoError when it is too large for any.
    """
    size = size_of(topology)
    if size.marks > MOST_MARKS:
        raise BenitoError(f"{size.marks:,} nodes and LANs are too many for a picture: {MOST_MARKS:,} are the most")
    programs = dict.fromkeys([program or _best(size, placement), FASTEST])
    return [Attempt(name, partial(dot_text, topology, replace(wanted, boxes=name in DRAW_BOXES), placement)) for name in programs]


def _best(size: Size, placement: Placement) -> str:
    if (placement.pnodes or placement.carriers) and size.marks <= _MOST_FOR_BOXES:
        return "fdp"
    return "neato" if size.marks <= _MOST_FOR_NEATO else FASTEST
