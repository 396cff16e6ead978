# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of Graphviz's layout programs: the best one for the size of a topology, then a faster one if that takes too long."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ...errors import BenitoError
from ..model import Topology
from .drawing import NEATO, NODES, Placement, Size, Wanted, dot_text, size_of
from .label_places import places
from .rendering import Attempt

FASTEST = "sfdp"
MOST_MARKS = 20_000
_MOST_FOR_NEATO = 160
_MOST_SURELY_APART = 1000
_MOST_FOR_DOT, _MOST_FOR_FDP = 30, 400  # for pictures with boxes


def attempts(topology: Topology, wanted: Wanted, placement: Placement, program: str | None = None) -> list[Attempt]:
    """Return the attempts to draw a topology, the best one first.

    program  the program to try first, None for the most suitable one
    Raises BenitoError if the topology is too large for all programs.
    """
    size = size_of(topology)
    if size.marks > MOST_MARKS:
        raise BenitoError(f"{size.marks:,} nodes and LANs are too many for a picture: {MOST_MARKS:,} are the most")
    suitable = _with_boxes(size) if placement.pnodes or placement.carriers else _without_boxes(size)
    programs = dict.fromkeys([*([program] if program else suitable), FASTEST])
    found = [_attempt(topology, replace(wanted, program=name), placement, size) for name in programs]
    if size.marks > _MOST_SURELY_APART:
        rough = replace(wanted, program=FASTEST, apart=False)
        found.append(Attempt(FASTEST, partial(dot_text, topology, rough, placement), note=" with nodes over each other"))
    return found


def _attempt(topology: Topology, wanted: Wanted, placement: Placement, size: Size) -> Attempt:
    def again(told: dict) -> str:
        found = places(told)
        return dot_text(topology, wanted, placement, found) if found else ""

    with_texts = wanted.program != FASTEST and size.detail != NODES
    return Attempt(wanted.program, partial(dot_text, topology, wanted, placement), again if with_texts else None)


def _with_boxes(size: Size) -> list[str]:
    return (["dot"] if size.marks <= _MOST_FOR_DOT else []) + (["fdp"] if size.marks <= _MOST_FOR_FDP else [])


def _without_boxes(size: Size) -> list[str]:
    return [NEATO] if size.marks <= _MOST_FOR_NEATO else []
