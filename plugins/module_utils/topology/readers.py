# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of input formats and their readers. A new format needs one reader and one line here."""

from __future__ import annotations

import os
import re
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
from .recognition import TCL, XML, YAML, Sign, named_signs, recognise
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

    sign  how its files are recognised
    kept  the name of such a file in an experiment directory
    read  from a Source to (topology, warnings, {path of a file that it names: content}); raises InputError
    """

    sign: Sign
    kept: str
    read: Callable

    @property
    def name(self) -> str:
        return self.sign.name


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


_OF_TOPDL = Sign(
    "TopDL",
    (".xml", ".topdl"),
    XML,
    re.compile(rb"experiment|topology"),
    "with <experiment> or <topology>",
    re.compile(rb"<(?:\w+:)?(?:experiment|substrates|elements|fragments|namemaps)[\s>/]"),
)
_OF_NS = Sign(
    "NS",
    (".tcl", ".ns"),
    TCL,
    re.compile(
        rb"^[^#\n]*\bnew[ \t]+Simulator\b|^[ \t]*source[ \t]+\S*tb_compat\.tcl\b"
        rb"|^[ \t]*\$\w+[ \t]+(?:duplex-link|make-lan|rtproto|run)\b|\[[ \t]*\$\w+[ \t]+(?:node|duplex-link|make-lan)\b",
        re.MULTILINE,
    ),
    "with 'new Simulator'",
)
_OF_GRAPHML = Sign("GraphML", (".graphml", ".xml"), XML, re.compile(rb"graphml"), "with <graphml>", re.compile(rb"<(?:\w+:)?graphml[\s>/]"))
_OF_CONTAINERLAB = Sign(
    "containerlab",
    (".clab.yml", ".clab.yaml", ".yml", ".yaml"),
    YAML,
    re.compile(rb"""^(?:\{[ \t]*)?["']?topology["']?[ \t]*:(?:\s|$)""", re.MULTILINE),
    "with topology: and below it nodes:",
)
TOPDL = Form(_OF_TOPDL, "experiment.xml", _plain(read_topdl_text))
FORMS = (
    TOPDL,
    Form(_OF_NS, "experiment.tcl", lambda source: read_ns_text(source.text, source.name, source.folder, source.profile)),
    Form(_OF_GRAPHML, "experiment.graphml", _plain(read_graphml_text)),
    Form(_OF_CONTAINERLAB, "experiment.clab.yml", _plain(read_containerlab_text)),
)
_SIGNS = tuple(form.sign for form in FORMS)


def form_of(text: bytes, name: str) -> tuple[Form, tuple[Problem, ...]]:
    """Return (the format of a file with the content ``text``, a warning if its ``name`` is that of another one).

    Raises InputError if the content is in no known format.
    """
    sign = recognise(text, name, _SIGNS)
    by_name = named_signs(name, _SIGNS)
    form = next(form for form in FORMS if form.sign is sign)
    if not by_name or sign in by_name:
        return form, ()
    return form, (Problem(f"its name says {by_name[0].name}, its content {sign.name}: it is read as {sign.name}", name),)


def read_input(path: str, name: str | None = None, profile: str = "default") -> Input:
    """Read the topology file ``path`` in any of the formats.

    name     the name of the file in messages; the path by default
    profile  the rules for NS files

    Raises InputError with all errors of the file, and BenitoError if a required program or library is missing.
    """
    name = str(path) if name is None else name
    return read_content(_content(str(path), name), str(path), name, profile)


def read_content(text: bytes, path: str, name: str, profile: str = "default") -> Input:
    """Read the content of the topology file ``path``; see ``read_input``."""
    form, odd = form_of(text, name)
    try:
        topology, warnings, also = form.read(Source(name, text, folder_of_sources(path), profile))
    except InputError as exc:
        raise InputError([*odd, *exc.problems]) from exc
    return Input(form, text, topology, (*odd, *warnings), also)


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
