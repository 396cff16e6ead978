# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of output formats and their writers. A new format needs one writer and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import InputError, Problem
from .graphml.writer import write_graphml
from .model import Topology
from .ns.writer import write_ns
from .topdl.writer import write_topdl


@dataclass(frozen=True)
class OutputForm:
    """An output format.

    suffixes  endings of its file names, in lower case
    write     from a Topology to (text, warnings about content that the format cannot express); raises InputError
    fewest    the fewest members of a substrate that is written
    """

    name: str
    suffixes: tuple[str, ...]
    write: Callable[[Topology], tuple[str, tuple[Problem, ...]]]
    fewest: int = 0


@dataclass(frozen=True)
class Written:
    """A topology as text of another format: the warnings, and the numbers of nodes, and of links and LANs, in the text."""

    text: str
    warnings: tuple[Problem, ...]
    nodes: int
    links: int


TOPDL = OutputForm("TopDL", (".xml", ".topdl"), lambda topology: (write_topdl(topology), ()))
OUTPUT_FORMS = (TOPDL, OutputForm("NS", (".tcl", ".ns"), write_ns, fewest=2), OutputForm("GraphML", (".graphml",), write_graphml))


def output_form(name: str) -> OutputForm:
    """Return the format of a file that will be written, by its name. Raises InputError if the suffix is unknown; the error lists the formats."""
    form = next((form for form in OUTPUT_FORMS if name.lower().endswith(form.suffixes)), None)
    if form is None:
        known = "; ".join(f"{' or '.join(form.suffixes)} for {form.name}" for form in OUTPUT_FORMS)
        raise InputError(Problem("is no name of a topology that is written", name, hint=f"one that ends with {known}"))
    return form


def written(topology: Topology, name: str) -> Written:
    """Write a topology in the format of the file name ``name``.

    Raises InputError if the name has no known ending, or if the format cannot represent the topology.
    """
    form = output_form(name)
    text, warnings = form.write(topology)
    links = sum(len(members) >= form.fewest for members in topology.attachments().values())
    return Written(text, warnings, len(topology.computers), links)
