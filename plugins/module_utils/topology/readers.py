# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of input formats and their readers. A new format needs one reader and one line here."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import InputError, Problem
from .containerlab.reader import read_containerlab_text
from .graphml.reader import read_graphml_text
from .model import Topology
from .ns.reader import read_ns_text
from .ns.sourced import SUFFIX as SOURCES
from .ns.sourced import folder_of_sources
from .topdl.reader import read_topdl_text
from .xml_source import load


@dataclass(frozen=True)
class Source:
    """A topology file before reading.

    name     the file as the user named it
    text     its content
    folder   the folder that contains all files it may refer to
    profile  the rules for NS files, ``default`` or ``emulab``
    """

    name: str
    text: bytes
    folder: str
    profile: str = "default"


@dataclass(frozen=True)
class Form:
    """An input format.

    name      its usual name
    suffixes  endings of its file names, in any case
    kept      the name of such a file in an experiment directory
    read      from a Source to (topology, warnings, {path of a file that it names: content}); raises InputError
    """

    name: str
    suffixes: tuple[str, ...]
    kept: str
    read: Callable


@dataclass(frozen=True)
class Input:
    """A topology file after reading.

    also  files that it names: {path below its folder: content}
    """

    form: Form
    text: bytes
    topology: Topology
    warnings: tuple[Problem, ...]
    also: dict[str, bytes] = field(default_factory=dict)

    def kept(self) -> dict[str, bytes]:
        """Return {file of an experiment directory: content} of the user's input, unchanged."""
        return {self.form.kept: self.text, **{os.path.join(self.form.kept + SOURCES, path): text for path, text in self.also.items()}}


def _plain(read: Callable) -> Callable:
    """Return a Form's ``read`` function for a format whose files name no other files."""
    return lambda source: (*read(source.text, source.name), {})


TOPDL = Form("TopDL", (".xml",), "experiment.xml", _plain(read_topdl_text))
NS = Form("NS", (".tcl", ".ns"), "experiment.tcl", lambda source: read_ns_text(source.text, source.name, source.folder, source.profile))
FORMS = (
    TOPDL,
    NS,
    Form("GraphML", (".graphml",), "experiment.graphml", _plain(read_graphml_text)),
    Form("containerlab", (".clab.yml", ".clab.yaml"), "experiment.clab.yml", _plain(read_containerlab_text)),
)


def form_of(name: str) -> Form:
    """Return the format of a file by its name; TopDL if the ending is unknown, as in the original."""
    return next((form for form in FORMS if name.lower().endswith(form.suffixes)), TOPDL)


def read_input(path: str, name: str | None = None, profile: str = "default") -> Input:
    """Read the topology file ``path`` in any of the formats.

    name     the name of the file in messages; the path by default
    profile  the rules for NS files

    Raises InputError with all errors of the file, and BenitoError if a required program or library is missing.
    """
    name = str(path) if name is None else name
    text = _content(str(path), name)
    form = form_of(name)
    topology, warnings, also = form.read(Source(name, text, folder_of_sources(str(path)), profile))
    return Input(form, text, topology, warnings, also)


def read_topology(path: str, name: str | None = None, profile: str = "default") -> tuple[Topology, tuple[Problem, ...]]:
    """Return (topology, warnings) of the topology file ``path``; see ``read_input``."""
    found = read_input(path, name, profile)
    return found.topology, found.warnings


def _content(path: str, name: str) -> bytes:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return load(path, name)  # it reports the error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(Problem("is not a regular file", file=name))
    return load(path, name)
