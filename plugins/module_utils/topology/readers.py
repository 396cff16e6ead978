# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of input formats: which file is read how. A new format is one reader and one line here."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import InputError, Problem
from .model import Topology
from .ns.reader import read_ns_text
from .topdl_reader import read_topdl_text
from .xml_source import load


@dataclass(frozen=True)
class Form:
    """An input format.

    suffixes  how names of its files end
    kept      what such a file is called in an experiment directory
    read      from (text, name, folder of the file, profile) to (topology, warnings); raises InputError
    """

    name: str
    suffixes: tuple[str, ...]
    kept: str
    read: Callable


@dataclass(frozen=True)
class Input:
    """A topology file that was read."""

    form: Form
    text: bytes
    topology: Topology
    warnings: tuple[Problem, ...]

    def kept(self) -> dict[str, bytes]:
        """{file of an experiment directory: content} of what the user gave, untouched."""
        return {self.form.kept: self.text}


TOPDL = Form("TopDL", (".xml",), "experiment.xml", lambda text, name, _folder, _profile: read_topdl_text(text, name))
NS = Form("NS", (".tcl", ".ns"), "experiment.tcl", read_ns_text)
FORMS = (TOPDL, NS)


def form_of(name: str) -> Form:
    """The format of a file by its name; TopDL where the name says nothing, as in the original."""
    return next((form for form in FORMS if name.endswith(form.suffixes)), TOPDL)


def read_input(path: str, name: str | None = None, profile: str = "default") -> Input:
    """The topology in the file ``path``, whatever its format.

    name     what to call the file in messages; the path by default
    profile  the rules for NS files

    Raises InputError with every error of the file, BenitoError when a program or library that reading it takes is missing.
    """
    name = str(path) if name is None else name
    text = _content(str(path), name)
    form = form_of(name)
    topology, warnings = form.read(text, name, os.path.dirname(os.path.abspath(path)), profile)
    return Input(form, text, topology, warnings)


def _content(path: str, name: str) -> bytes:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return load(path, name)  # which says what is wrong with it
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(Problem("is not a regular file", file=name))
    return load(path, name)
