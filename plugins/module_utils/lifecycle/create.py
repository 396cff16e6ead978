# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create an experiment: turn a topology file into an experiment directory, or report every fault.

All of the user's input is checked before an error is raised. Nothing is written before all of it is known to be valid.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..embedding.embed import Embedding, embed
from ..embedding.kind_counts import KindCount
from ..embedding.partitioning.passes import machine_types
from ..embedding.placement.catalogue import catalogue
from ..embedding.placement.images import Choice, choose_images
from ..embedding.placement.memory import refuse_cramped_carriers
from ..embedding.placement.resources import node_resources
from ..errors import InputError, Problem
from ..experiment import events
from ..experiment.directory import SWAPPED, ExperimentDirectory, activity_lines, benito_home, state_json
from ..experiment.physical_topology import physical_files
from ..experiment.service_address import page_line
from ..settings.original_options import without_original_options
from ..settings.site_conf import read_site_conf
from ..settings.site_settings import SiteSettings, load_site, site_yaml
from ..topology.checks import check_deployable
from ..topology.readers import TOPDL, Input, read_input
from ..topology.topdl.writer import write_topdl
from .experiment_files import experiment_files
from .picture import creation_pictures

Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """The user's request, as given.

    home      BENITO_HOME, None for the default
    topology  the file's path, relative to ``chdir``
    site      a settings file that has to exist, None for the one of BENITO_HOME
    settings  {setting, or option of the original that means one: value, None if not given}
    chdir     folder of relative paths, "" for the working directory
    config    a ``site.conf`` of the original, None for none
    """

    pid: str
    eid: str
    topology: str
    home: str | None = None
    site: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    chdir: str = ""
    config: str | None = None


@dataclass(frozen=True)
class Creation:
    """An experiment that can be created.

    files     {path inside the directory: content}
    carried   {pnode: its vnodes}
    kinds     how many nodes of which kind, and why
    warnings  about odd but allowed input
    url_base  the setting
    """

    directory: ExperimentDirectory
    files: dict[str, Any]
    carried: dict[str, tuple[str, ...]]
    kinds: tuple[KindCount, ...]
    warnings: tuple[Problem, ...]
    url_base: str = ""

    def write(self) -> None:
        """Create the directory, whole or not at all. Raises ExperimentError."""
        self.directory.create(self.files)

    def message(self, would: bool = False) -> str:
        """Return the final message to the user: that the experiment exists (or would), its page, directory and kinds, and the next command."""
        name = str(self.directory)
        head = f"Benito experiment {name} would be created." if would else f"Benito experiment {name} successfully created!"
        count = sum(len(nodes) for nodes in self.carried.values())
        where = f"{count} {_plural('node', count)} on {len(self.carried)} {_plural('pnode', len(self.carried))}, in {self.directory.path}"
        after = f"Next: ansible-playbook deter.benito.swapin -e pid={self.directory.project} -e eid={self.directory.eid}"
        page = [] if would else [page_line(self.directory, self.url_base)]
        return "\n".join([head, *page, where, *_kinds_line(self.kinds)] + ([] if would else [after]))

    def summary(self) -> str:
        """Return a line for each pnode, file and folder of the experiment."""
        pnodes = [f"{name}: {len(nodes)} {_plural('node', len(nodes))}: {_some(nodes)}" for name, nodes in self.carried.items()]
        top = [name for name in self.files if os.sep not in name]
        folders: dict[str, int] = {}
        for name in self.files:
            if os.sep in name:
                folders[name.split(os.sep)[0]] = folders.get(name.split(os.sep)[0], 0) + 1
        listed = sorted(top) + sorted(f"{folder}{os.sep} ({count} {_plural('file', count)})" for folder, count in folders.items())
        return "\n".join([f"experiment {self.directory}", *pnodes, *(os.path.join(self.directory.path, name) for name in listed), ""])


def prepare(request: Request) -> Creation:
    """Prepare everything for the experiment's creation, but write nothing.

    Raises InputError with every fault of names, settings and topology. Raises ExperimentError when the experiment exists.
    """
    checked = _check(request)
    embedding, settings, directory = checked.embedding, checked.settings, checked.directory
    types = machine_types(embedding.machines, embedding.nodes, settings)
    physical, not_written = physical_files(embedding.partitioned, embedding.machines, types)
    pictures, not_drawn = creation_pictures(str(directory), embedding.partitioned, settings.image_limit_s) if settings.image else ({}, ())
    warnings = tuple(dict.fromkeys((*checked.warnings, *not_written, *not_drawn)))
    carried = {machine.vhost: machine.all_nodes for machine in embedding.machines}
    files = {
        **_inputs(checked.read),
        **experiment_files(directory.pid, directory.eid, embedding),
        **physical,
        **pictures,
        "site.yml": site_yaml(settings),
        "state.json": state_json(SWAPPED),
        "activity.log": _first_activity(request, carried, embedding.kinds, warnings),
        events.FILE: events.text_of(events.state_event(SWAPPED)),
    }
    return Creation(directory, files, carried, embedding.kinds, warnings, settings.url_base)


@dataclass(frozen=True)
class _Checked:
    """The user's request after all checks."""

    directory: ExperimentDirectory
    settings: SiteSettings
    read: Input
    embedding: Embedding
    warnings: tuple[Problem, ...]


def _check(request: Request) -> _Checked:
    """Check all of the user's input, each part as far as the others allow.

    Raises InputError with every fault. Raises ExperimentError when the experiment exists.
    """
    faults = _Faults()
    home = benito_home(request.home, request.chdir)
    directory = faults.collect(lambda: ExperimentDirectory(home, request.pid, request.eid))
    config, config_warnings = faults.collect(lambda: _config(request)) or ({}, ())
    settings = faults.collect(lambda: _settings(request, home, config))
    if directory:
        directory.refuse_existing()
    profile = settings.ns_profile if settings else "default"
    read = faults.collect(lambda: read_input(_path(request, request.topology), request.topology, profile))
    embedding, choice = None, None
    if read and settings:
        embedding = faults.collect(lambda: embed(read.topology, settings))
    elif read:
        faults.collect(lambda: check_deployable(read.topology))
    if embedding and settings:
        choice = faults.collect(lambda: _choose_images(embedding, settings))
    if faults.problems or directory is None or settings is None or read is None or embedding is None or choice is None:
        raise InputError(faults.problems)
    return _Checked(directory, settings, read, embedding, (*config_warnings, *read.warnings, *embedding.warnings, *choice.warnings))


class _Faults:
    """Collects the problems of steps that do not depend on each other."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def collect(self, step: Callable[[], Result]) -> Result | None:
        """Return the result of ``step``, None when it found problems."""
        try:
            return step()
        except InputError as exc:
            self.problems += exc.problems
            return None


def _config(request: Request) -> tuple[dict, tuple[Problem, ...]]:
    return read_site_conf(_path(request, request.config), request.config) if request.config else ({}, ())


def _settings(request: Request, home: str, config: dict[str, Any]) -> SiteSettings:
    path = _path(request, request.site) if request.site else os.path.join(home, "site.yml")
    given, problems = without_original_options(request.settings)
    try:
        settings = load_site(path, given, required=bool(request.site), config=config)
    except InputError as exc:
        raise InputError([*problems, *exc.problems]) from exc
    if problems:
        raise InputError(problems)
    return settings


def _inputs(read: Input) -> dict[str, Any]:
    """Return the input file as it was given. If it is not TopDL, add the topology in TopDL."""
    return read.kept() if read.form is TOPDL else {**read.kept(), TOPDL.kept: write_topdl(read.topology)}


def _path(request: Request, path: str) -> str:
    return os.path.join(request.chdir, os.path.expanduser(path))


def _choose_images(embedding: Embedding, settings: SiteSettings) -> Choice:
    """Return the images of the nodes with a system of their own. Raises InputError, also when their resources are impossible."""
    hidden = [name for machine in embedding.machines for name in machine.hidden]
    refuse_cramped_carriers(embedding.nodes, node_resources(embedding.nodes, settings, hidden))
    return choose_images(embedding.nodes, catalogue(settings.images), settings.default_image, hidden, settings.openvz_template)


def _first_activity(request: Request, carried: Mapping[str, Sequence[str]], kinds: Iterable[KindCount], warnings: Iterable[Problem]) -> str:
    count = sum(len(nodes) for nodes in carried.values())
    summary = f"created from {request.topology}: {count} {_plural('node', count)} on {len(carried)} {_plural('pnode', len(carried))}"
    lines = [summary, *_kinds_line(kinds), *(f"warning: {warning}" for warning in warnings)]
    return activity_lines("\n".join(lines))


def _kinds_line(kinds: Iterable[KindCount]) -> list[str]:
    """Return a line such as ``Kinds: 6 process (default_container), 2 qemu (in the topology)``; no line for an experiment without nodes."""
    text = ", ".join(map(str, kinds))
    return [f"Kinds: {text}"] if text else []


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _some(nodes: Sequence[str], most: int = 12) -> str:
    return " ".join(nodes[:most]) + (" …" if len(nodes) > most else "")
