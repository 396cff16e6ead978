# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""containerize: from a topology file to an experiment directory, or to everything that is wrong.

All that the user gave is looked at before anything is refused, and nothing is written before all of
it is known to be good.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ..embedding.embed import embed
from ..embedding.partitioning.passes import machine_types
from ..embedding.placement.images import Choice, catalogue, choose_images
from ..embedding.placement.memory import refuse_cramped_carriers
from ..embedding.placement.resources import node_resources
from ..errors import InputError, Problem
from ..experiment.directory import SWAPPED, ExperimentDirectory, activity_lines, benito_home, state_json
from ..experiment.physical_topology import physical_files
from ..settings.option_syntax import disk_mebibytes, truth
from ..settings.site_conf import read_site_conf
from ..settings.site_settings import load_site, site_yaml
from ..topology.checks import check_deployable
from ..topology.readers import TOPDL, Input, read_input
from ..topology.topdl.writer import write_topdl
from .experiment_files import experiment_files
from .picture import creation_pictures


@dataclass(frozen=True)
class Request:
    """What the user asked for, as given.

    home      BENITO_HOME, None for the default
    topology  the file's path, relative to ``chdir``
    site      a settings file that has to exist, None for the one of BENITO_HOME
    settings  {setting: value, None where not given}
    chdir     folder of relative paths, "" for the working directory
    config    a ``site.conf`` of the original, None for none
    original  {option of the original that is a setting by another name: value, None where not given}: openvz_diskspace, no_image
    """

    pid: str
    eid: str
    topology: str
    home: str | None = None
    site: str | None = None
    settings: dict = field(default_factory=dict)
    chdir: str = ""
    config: str | None = None
    original: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Creation:
    """An experiment that can be created.

    files     {path inside the directory: content}
    carried   {pnode: its vnodes}
    warnings  what is odd about the input and yet allowed
    """

    directory: ExperimentDirectory
    files: dict
    carried: dict
    warnings: tuple[Problem, ...]

    def write(self) -> None:
        """Create the directory. Raises ExperimentError; then nothing is left."""
        self.directory.create(self.files)

    def message(self, would: bool = False) -> str:
        """What the user reads at the end: that it is there, or would be, where, and what to do next."""
        name = str(self.directory)
        head = f"Benito experiment {name} would be created." if would else f"Benito experiment {name} successfully created!"
        count = sum(len(nodes) for nodes in self.carried.values())
        where = f"{count} {_plural('node', count)} on {len(self.carried)} {_plural('pnode', len(self.carried))}, in {self.directory.path}"
        after = f"Next: ansible-playbook deter.benito.swapin -e pid={self.directory.project} -e eid={self.directory.eid}"
        return "\n".join([head, where] + ([] if would else [after]))

    def summary(self) -> str:
        """What there is, or would be: a line for each pnode and each file (secrets are only counted)."""
        pnodes = [f"{name}: {len(nodes)} {_plural('node', len(nodes))}: {_some(nodes)}" for name, nodes in self.carried.items()]
        top = [name for name in self.files if os.sep not in name]
        folders: dict[str, int] = {}
        for name in self.files:
            if os.sep in name:
                folders[name.split(os.sep)[0]] = folders.get(name.split(os.sep)[0], 0) + 1
        listed = sorted(top) + sorted(f"{folder}{os.sep} ({count} {_plural('file', count)})" for folder, count in folders.items())
        return "\n".join([f"experiment {self.directory}", *pnodes, *(os.path.join(self.directory.path, name) for name in listed), ""])


def prepare(request: Request) -> Creation:
    """Everything that creating the experiment takes, without writing anything.

    Raises InputError with all that is wrong with names, settings and topology; ExperimentError when the
    experiment exists.
    """
    faults = _Faults()
    home = benito_home(request.home, request.chdir)
    directory = faults.collect(lambda: ExperimentDirectory(home, request.pid, request.eid))
    config, config_warnings = faults.collect(lambda: _config(request)) or ({}, ())
    settings = faults.collect(lambda: _settings(request, home, config))
    profile = settings.ns_profile if settings else "default"
    if directory:
        directory.refuse_existing()
    read = faults.collect(lambda: read_input(_path(request, request.topology), request.topology, profile))
    topology, warnings = (read.topology, read.warnings) if read else (None, ())
    if settings is None and topology:
        faults.collect(lambda: check_deployable(topology))
    embedding = faults.collect(lambda: embed(topology, settings)) if settings and topology else None
    choice = faults.collect(lambda: _made_of(embedding, settings)) if embedding else None
    faults.raise_them()
    physical, odd = physical_files(embedding.partitioned, embedding.machines, machine_types(embedding.machines, embedding.nodes, settings))
    pictures, undrawn = creation_pictures(str(directory), embedding.partitioned, settings.image_limit_s) if settings.image else ({}, ())
    files = {**_inputs(read), **experiment_files(directory.pid, directory.eid, embedding), **physical, **pictures}
    warnings = tuple(dict.fromkeys((*config_warnings, *warnings, *embedding.warnings, *choice.warnings, *odd, *undrawn)))
    carried = {machine.vhost: machine.all_nodes for machine in embedding.machines}
    files["site.yml"] = site_yaml(settings)
    files["state.json"] = state_json(SWAPPED)
    files["activity.log"] = _first_activity(directory, request, carried, warnings)
    return Creation(directory, files, carried, warnings)


class _Faults:
    """Collects the problems of steps that do not depend on each other."""

    def __init__(self):
        self._problems = []

    def collect(self, step):
        """What ``step`` returns, None when it found problems."""
        try:
            return step()
        except InputError as exc:
            self._problems += exc.problems
            return None

    def raise_them(self) -> None:
        if self._problems:
            raise InputError(self._problems)


def _config(request: Request) -> tuple[dict, tuple[Problem, ...]]:
    return read_site_conf(_path(request, request.config), request.config) if request.config else ({}, ())


def _settings(request: Request, home: str, config: dict):
    path = _path(request, request.site) if request.site else os.path.join(home, "site.yml")
    faults = _Faults()
    given = faults.collect(lambda: {**request.settings, **_of_original(request)}) or request.settings
    settings = faults.collect(lambda: load_site(path, given, required=bool(request.site), config=config))
    faults.raise_them()
    return settings


def _of_original(request: Request) -> dict:
    """The settings that options of the original with other names mean. Raises InputError."""
    meant, problems = {}, []
    for option, setting, meaning, hint in (
        ("openvz_diskspace", "openvz_disk_mb", disk_mebibytes, "a number and G or M, like 2G; a bare number counts blocks of 1 KiB"),
        ("no_image", "image", _denied, "true or false"),
    ):
        value = request.original.get(option)
        if value is None:
            continue
        meant[setting] = meaning(value)
        if meant[setting] is None:
            problems.append(Problem(f"{value!r} is not one of its values", element=option, hint=hint))
        elif request.settings.get(setting) is not None:
            problems.append(Problem(f"is the same setting as {setting}, which is given too", element=option, hint="give one of them"))
    if problems:
        raise InputError(problems)
    return meant


def _denied(value) -> bool | None:
    said = truth(value)
    return not said if isinstance(said, bool) else None


def _inputs(read: Input) -> dict:
    """The file as it was given; of one that is not TopDL the topology in TopDL, too."""
    return read.kept() if read.form is TOPDL else {**read.kept(), TOPDL.kept: write_topdl(read.topology)}


def _path(request: Request, path: str) -> str:
    return os.path.join(request.chdir, os.path.expanduser(path))


def _made_of(embedding, settings) -> Choice:
    """What the nodes with a system of their own are made of, and that what they are to have is possible. Raises InputError."""
    hidden = [name for machine in embedding.machines for name in machine.hidden]
    refuse_cramped_carriers(embedding.nodes, node_resources(embedding.nodes, settings, hidden))
    return choose_images(embedding.partitioned, catalogue(settings.images), settings.default_image, hidden, settings.openvz_template)


def _first_activity(directory, request, carried, warnings) -> str:
    count = sum(len(nodes) for nodes in carried.values())
    summary = f"created from {request.topology}: {count} {_plural('node', count)} on {len(carried)} {_plural('pnode', len(carried))}"
    lines = [summary, *(f"warning: {warning}" for warning in warnings)]
    return activity_lines("\n".join(lines))


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _some(nodes, most=12) -> str:
    return " ".join(nodes[:most]) + (" …" if len(nodes) > most else "")
