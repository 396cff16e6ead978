# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A topology's file, in whichever of the formats: NS files are told from TopDL by their names, as the original did."""

from __future__ import annotations

import os
import stat

from .errors import InputError, Problem
from .topology.model import Topology
from .topology.ns.reader import read_ns_text
from .topology.topdl_reader import read_topdl_text
from .topology.xml_source import load


def is_ns(name: str) -> bool:
    """Whether a file of that name is an NS file."""
    return name.endswith((".tcl", ".ns"))


def topology_text(path: str, source: str) -> bytes:
    """The bytes of the file ``path``, which messages call ``source``. Raises InputError."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return load(path, source)  # which says what is wrong with it
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(Problem("is not a regular file", file=source))
    return load(path, source)


def read_topology(text: bytes, source: str, folder: str, profile: str) -> tuple[Topology, tuple[Problem, ...]]:
    """(topology, warnings) of a file's content.

    folder   the folder of the file: an NS file may read others below it
    profile  rules for NS files: ``default`` or ``emulab``
    """
    return read_ns_text(text, source, folder, profile) if is_ns(source) else read_topdl_text(text, source)
