# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw topologies and experiments: the pictures that creation makes, and those that a user requests."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from dataclasses import dataclass

from ..embedding.kinds import KINDS
from ..embedding.nesting import carriers
from ..embedding.node_view import read_nodes
from ..embedding.placement.machines import machines, pnode_of
from ..errors import BenitoError, ExperimentError, InputError, Problem
from ..experiment.directory import ExperimentDirectory, benito_home
from ..experiment.final_topology import PNODE
from ..files import replace_file
from ..settings.schema import setting
from ..topology.attributes import NODE_TYPE, VHOST, containers_attribute, with_containers_attribute
from ..topology.drawing.drawing import DRAW_BOXES, Placement, Wanted
from ..topology.drawing.layouts import attempts
from ..topology.drawing.rendering import FORMATS, Rendering, render
from ..topology.model import Computer, OtherElement, Topology
from ..topology.readers import read_topology
from ..topology.topdl.reader import read_topdl_text

SECONDS: float = setting("image_limit_s").default
AT_CREATION = {"svg": "visualization.svg", "png": "visualization.png"}
MOST_AT_CREATION = 5_000


@dataclass(frozen=True)
class PictureRequest:
    """The user's request for a picture, as given.

    experiment  PID/EID or PID/GID/EID, or "" for a topology
    topology    a topology file, relative to ``chdir``, or ""
    out         the file to write, relative to ``chdir``; its suffix is the format; "" for the name of the experiment or topology, as SVG
    partitions  whether there is a box for each pnode
    program     the layout program, None for one that suits the topology
    addresses   whether they are shown, None: if there is room
    seconds     the timeout of drawing
    """

    experiment: str = ""
    topology: str = ""
    out: str = ""
    partitions: bool = False
    program: str | None = None
    addresses: bool | None = None
    seconds: float = SECONDS
    home: str | None = None
    chdir: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture that was drawn.

    title    its heading
    path     of the file for it
    program  the layout program that was used
    """

    title: str
    path: str
    content: bytes
    program: str
    warnings: tuple[Problem, ...]

    def differs(self) -> bool:
        """Return whether ``write`` would change the file."""
        with contextlib.suppress(OSError), open(self.path, "rb") as handle:
            return handle.read() != self.content
        return True

    def message(self, would: bool = False) -> str:
        """Return the final message to the user."""
        return f"{self.title}, {'would be ' if would else ''}drawn by {self.program} in {self.path}"

    def write(self) -> None:
        """Write the file, whole or not at all. Raises BenitoError."""
        try:
            replace_file(os.path.realpath(self.path), self.content, like_before=True)
        except OSError as exc:
            raise BenitoError(f"cannot write {self.path}: {exc.strerror}") from exc


def creation_pictures(name: str, partitioned: Topology, seconds: float) -> tuple[dict[str, bytes], tuple[Problem, ...]]:
    """Return ({file of the experiment directory: content}, warnings). A picture that cannot be drawn becomes a warning."""
    hint = "image: false draws none"
    if len(partitioned.computers) > MOST_AT_CREATION:
        more = Problem(f"more than {MOST_AT_CREATION:,} nodes are not drawn at creation", element="picture", hint="the playbook image can try")
        return {}, (more,)
    try:
        drawn = _drawn(partitioned, _title(name, partitioned), tuple(AT_CREATION), Placement(carriers=_carriers(partitioned)), None, None, seconds)
    except BenitoError as exc:
        return {}, (Problem(f"none was drawn: {exc}", element="picture", hint=hint),)
    return {AT_CREATION[form]: content for form, content in drawn.files.items()}, _failures(drawn)


def experiment_named(experiment: str | None, pid: str | None, eid: str | None) -> str:
    """Return PID/EID, or PID/GID/EID, of an experiment; "" for none. Raises InputError if it is given both by one name and by pid and eid."""
    if experiment and eid:
        raise InputError(Problem("is given, and pid and eid are, too", element="experiment", hint="give one of them"))
    return f"{pid}/{eid}" if eid else experiment or ""


def picture(request: PictureRequest) -> Picture:
    """Draw the requested picture without writing it. Raises BenitoError, or InputError with every fault."""
    if bool(request.experiment) == bool(request.topology):
        given = "two things to draw are given" if request.experiment else "nothing to draw is given"
        raise InputError(Problem(given, hint="say -e experiment=PROJECT/EXPERIMENT, or -e pid=PROJECT -e eid=EXPERIMENT, or -e topology=FILE"))
    name, topology, odd = _experiment(request) if request.experiment else _file(request)
    path, form = _destination(request, name)
    topology, pnodes = _without_machines(topology)
    warnings = list(odd)
    if request.partitions and not pnodes:
        pnodes = _pnodes(topology)
        if not pnodes:
            warnings.append(Problem("has no partitions, so there are no boxes", request.topology, hint="an experiment has them"))
    placement = Placement(pnodes if request.partitions else {}, _carriers(topology))
    drawn = _drawn(topology, _title(name, topology), (form,), placement, request.program, request.addresses, request.seconds)
    if request.partitions and pnodes and drawn.program not in DRAW_BOXES:
        more = Problem(f"{drawn.program} draws no boxes: each node names its pnode", element="picture", hint=f"{' and '.join(DRAW_BOXES)} do")
        warnings.append(more)
    return Picture(_title(name, topology), path, drawn.files[form], drawn.program, (*warnings, *_failures(drawn)))


def _drawn(topology: Topology, title: str, formats: tuple[str, ...], placement: Placement, program: str | None, addresses: bool | None,
           seconds: float) -> Rendering:
    return render(attempts(topology, Wanted(title, addresses), placement, program), formats, seconds)


def _failures(drawn: Rendering) -> tuple[Problem, ...]:
    return tuple(Problem(f"{failed}, so {drawn.program} drew it{drawn.note}", element="picture") for failed in drawn.failed)


def _title(name: str, topology: Topology) -> str:
    count = len(topology.elements)
    return f"{name}: {count:,} {'node' if count == 1 else 'nodes'}"


# --- topologies ----------------------------------------------------------------------------------


def _experiment(request: PictureRequest) -> tuple[str, Topology, tuple[Problem, ...]]:
    """Return (name, its partitioned topology, warnings)."""
    project, slash, eid = request.experiment.rpartition("/")
    if not slash:
        raise InputError(Problem(f"{request.experiment!r} is no experiment", element="experiment", hint="PROJECT/EXPERIMENT, such as DeterTest/example1"))
    directory = ExperimentDirectory(benito_home(request.home, request.chdir), project, eid).require()
    text = directory.read("partitioned.xml").encode()
    try:
        return str(directory), read_topdl_text(text, directory.partitioned)[0], ()
    except InputError as exc:
        raise ExperimentError(f"experiment {directory} is broken: {exc}") from exc


def _file(request: PictureRequest) -> tuple[str, Topology, tuple[Problem, ...]]:
    """Return (name, the topology of a file, warnings about it)."""
    path = os.path.join(request.chdir, os.path.expanduser(request.topology))
    topology, warnings = read_topology(path, request.topology)
    return os.path.basename(request.topology), topology, warnings


def _without_machines(topology: Topology) -> tuple[Topology, dict[str, str]]:
    """Return (the topology without the machines of a topo.xml, {computer: the machine it is on})."""
    names = {computer.name for computer in topology.computers if containers_attribute(computer, NODE_TYPE) == PNODE}
    if not names:
        return topology, {}
    elements: list[Computer | OtherElement] = []
    pnodes: dict[str, str | None] = {}
    for element in topology.elements:
        vhost = containers_attribute(element, VHOST)
        if not isinstance(element, Computer) or element.name not in names:
            elements.append(with_containers_attribute(element, VHOST, None) if vhost in names else element)
            pnodes[element.name] = vhost
    for name, vhost in pnodes.items():  # a process in a virtual machine is on the pnode of that machine
        pnodes[name] = pnodes.get(vhost, vhost) if vhost else None
    theirs = {interface.substrate for computer in topology.computers if computer.name in names for interface in computer.interfaces}
    substrates = tuple(substrate for substrate in topology.substrates if substrate.name not in theirs)
    return dataclasses.replace(topology, elements=tuple(elements), substrates=substrates), {name: pnode for name, pnode in pnodes.items() if pnode}


def _pnodes(topology: Topology) -> dict[str, str]:
    """Return {computer: its pnode}.

    If a computer lacks a kind or a partition, pnodes have no numbers. Then return {computer: "partition P"}.
    """
    nodes = read_nodes(topology)
    if all(node.kind in KINDS and node.partition is not None for node in nodes.values()):
        return pnode_of(machines(nodes))
    return {name: f"partition {node.partition}" for name, node in nodes.items() if node.partition is not None}


def _carriers(topology: Topology) -> dict[str, str]:
    """Return {process: the virtual machine it is in}."""
    return carriers({name: node for name, node in read_nodes(topology).items() if node.kind in KINDS})


# --- the output ----------------------------------------------------------------------------------


def _destination(request: PictureRequest, name: str) -> tuple[str, str]:
    """Return (absolute path, format)."""
    given = request.out or os.path.splitext(os.path.basename(name))[0] + ".svg"
    form = os.path.splitext(given)[1].lstrip(".").lower()
    if form not in FORMATS:
        raise InputError(Problem(f"{given!r} does not end like a picture", element="out", hint="with ." + ", .".join(FORMATS)))
    path = os.path.abspath(os.path.join(request.chdir, os.path.expanduser(given)))
    if os.path.isdir(path):
        raise InputError(Problem(f"{given} is a folder", element="out", hint="a file in it"))
    if not os.path.isdir(os.path.dirname(path)):
        raise InputError(Problem(f"there is no folder {os.path.dirname(path)}", element="out"))
    return path, form
