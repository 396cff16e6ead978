# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of output formats and their writers. A new format needs one writer and one line here."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import InputError, Problem
from .graphml.writer import write_graphml
from .model import Topology
from .ns.writer import write_ns
from .topdl.writer import write_topdl

# {suffixes: function from Topology to (text, warnings)}
_WRITERS: dict[tuple[str, ...], Callable[[Topology], tuple[str, tuple[Problem, ...]]]] = {
    (".xml",): lambda topology: (write_topdl(topology), ()),
    (".tcl", ".ns"): write_ns,
    (".graphml",): write_graphml,
}
SUFFIXES = tuple(suffix for suffixes in _WRITERS for suffix in suffixes)


def written(topology: Topology, name: str) -> tuple[str, tuple[Problem, ...]]:
    """Return (the text of a topology file called ``name``, warnings about content that the format cannot express).

    Raises InputError if the name has no known ending, or if the format cannot represent the topology.
    """
    for suffixes, write in _WRITERS.items():
        if name.lower().endswith(suffixes):
            return write(topology)
    raise InputError(Problem("is no name of a topology that is written", name, hint=f"one that ends with {', '.join(SUFFIXES)}"))
