# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert a topology, of a file or of an experiment, to a file in another format."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from ..errors import BenitoError, InputError, Problem
from ..experiment.directory import ExperimentDirectory, benito_home
from ..files import replace_file
from ..topology.model import Topology
from ..topology.readers import read_topology
from ..topology.writers import output_form, written

_MOST_DIFF_LINES = 2000


@dataclass(frozen=True)
class Request:
    """The user's request, as given.

    out       the file to be written; its suffix is the format
    topology  a topology file, or "" for the partitioned topology of the experiment ``project``/``eid``
    profile   the rules for NS files, ``default`` or ``emulab``
    force     whether a file with other content is replaced
    home      BENITO_HOME, None for the default
    chdir     folder of relative paths, "" for the working directory
    """

    out: str
    topology: str = ""
    project: str = ""
    eid: str = ""
    profile: str = "default"
    force: bool = False
    home: str | None = None
    chdir: str = ""


@dataclass(frozen=True)
class Conversion:
    """A converted topology that can be written.

    before  the content that the file has now, None for no file
    nodes   how many are in the file; links: how many links and LANs
    """

    path: str
    text: bytes
    before: bytes | None
    warnings: tuple[Problem, ...]
    nodes: int
    links: int

    @property
    def changed(self) -> bool:
        return self.before != self.text

    def message(self) -> str:
        counts = f"{self.nodes} {'node' if self.nodes == 1 else 'nodes'}, {self.links} {'link or LAN' if self.links == 1 else 'links and LANs'}"
        return f"{self.path}: {counts}"

    def diff(self) -> dict:
        """Return the file before and after. For long files, return only the numbers of lines."""
        before, after = ((text or b"").decode("utf-8", "replace") for text in (self.before, self.text))
        if before.count("\n") + after.count("\n") <= _MOST_DIFF_LINES:
            return {"before": before, "after": after, "before_header": self.path, "after_header": self.path}
        return {"prepared": f"{self.path}: {before.count(chr(10))} lines before, {after.count(chr(10))} after\n"}

    def write(self) -> None:
        """Write the file, whole or not at all. Raises BenitoError."""
        if not self.changed:
            return
        try:
            replace_file(self.path, self.text, like_before=True)
        except OSError as exc:
            raise BenitoError(f"{self.path} cannot be written: {exc.strerror or exc}") from exc


def prepare(request: Request) -> Conversion:
    """Read and convert, but write nothing.

    Raises InputError with every fault of the request and the topology. Raises BenitoError when the file may not be written.
    """
    problems: list[Problem] = []
    if bool(request.topology) == bool(request.project or request.eid):
        problems.append(Problem("give either a topology file, or pid and eid of an experiment", hint="-e topology=FILE, or -e pid=PROJECT -e eid=EXPERIMENT"))
    elif not request.topology and not (request.project and request.eid):
        problems.append(Problem("an experiment has both a pid and an eid", hint="-e pid=PROJECT -e eid=EXPERIMENT"))
    if problems:
        raise InputError(problems)
    output_form(request.out)
    topology, warnings = _read(request)
    result = written(topology, request.out)
    path = os.path.realpath(_path(request, request.out))
    data, before = result.text.encode(), _before(path, request.out)
    if before is not None and before != data and not request.force:
        raise BenitoError(f"{request.out} exists and has other content; it was left untouched (force=true replaces it)")
    return Conversion(path, data, before, tuple(dict.fromkeys((*warnings, *result.warnings))), result.nodes, result.links)


def _read(request: Request) -> tuple[Topology, tuple[Problem, ...]]:
    if request.topology:
        return read_topology(_path(request, request.topology), request.topology, request.profile)
    directory = ExperimentDirectory(benito_home(request.home, request.chdir), request.project, request.eid).require()
    return read_topology(directory.partitioned)


def _path(request: Request, path: str) -> str:
    return os.path.abspath(os.path.join(request.chdir, os.path.expanduser(path)))


def _before(path: str, shown: str) -> bytes | None:
    """Return the content of the file, None for no file. Raises BenitoError when no file can be written there."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BenitoError(f"{shown} is not a regular file")
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        _require_folder(path, shown)
        return None
    except (OSError, ValueError) as exc:
        raise BenitoError(f"{shown} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc


def _require_folder(path: str, shown: str) -> None:
    if not os.path.isdir(os.path.dirname(path)):
        raise BenitoError(f"{shown} cannot be written: there is no folder {os.path.dirname(path)}")
