# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of an image for each node with a system of its own, from the site's catalogue and the topology. Pure.

The first of these that is given wins:

1. ``containers:image``
2. ``containers:qemu_url`` (qemu) or ``containers:openvz_template`` (openvz)
3. the computer's operating system, by ``osid``, then by name and version
4. the site's default; for openvz, ``openvz_template`` comes before it

An image that ``containers:image`` names must be in the catalogue. Files written for DETER name its operating systems and templates.
If such a name is not in the catalogue, the node gets the default image, with a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...errors import InputError, Problem
from ...topology.attributes import QEMU_URL
from ..attribute_values import ImageUrl
from ..kinds import OPENVZ, QEMU
from ..nesting import hidden_carriers
from ..node_view import Nodes, NodeView
from .catalogue import ARCHITECTURES, DISK, ROOT, TEMPLATE, URL, CatalogueImage, names_of, template_image

FORM_OF = {QEMU: DISK, OPENVZ: ROOT}


@dataclass(frozen=True)
class Choice:
    """The images of an experiment.

    images    {node: (its image, the form)}
    warnings  in document order
    """

    images: dict[str, tuple[CatalogueImage, str]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()


def choose_images(nodes: Nodes, images: Mapping[str, CatalogueImage], default: str, hidden: Iterable[str] = (), template: str = "") -> Choice:
    """Return the image of every computer of kind qemu or openvz, and of the virtual machines ``hidden`` that are no computers.

    template  the image of openvz nodes that ask for none, "" for ``default``; a DETER template that the catalogue lacks also means ``default``

    A hidden virtual machine gets the image that its processes name as ``containers:image``. All processes that name one must name the same.
    Raises InputError with a Problem for each node that can have no image.
    """
    chooser = _Chooser(nodes, images, {QEMU: default, OPENVZ: template if template in images else default})
    for node in nodes.values():
        if node.kind in FORM_OF:
            chooser.choose(node)
    for name in hidden:
        chooser.choose_hidden(name)
    if chooser.problems:
        raise InputError(chooser.problems)
    if template and template not in images:
        message = f"DETER's template {template} is not in the catalogue: openvz nodes that ask for none are made of {default}"
        chooser.warnings.append(Problem(message, element="setting openvz_template"))
    return Choice(chooser.chosen, tuple(chooser.warnings))


class _Chooser:
    """A chooser that goes from node to node, and collects problems.

    defaults  {kind: the image of its nodes that ask for none}
    """

    def __init__(self, nodes: Nodes, images: Mapping[str, CatalogueImage], defaults: Mapping[str, str]):
        self.nodes, self.images, self.defaults = nodes, images, defaults
        self.by_lower = {name.lower(): image for name, image in images.items()}
        self.carried = hidden_carriers(nodes)
        self.chosen: dict[str, tuple[CatalogueImage, str]] = {}
        self.warnings: list[Problem] = []
        self.problems: list[Problem] = []

    def choose(self, node: NodeView) -> None:
        form = FORM_OF[node.kind]
        try:
            image = self._image_of(node, node.kind)
            if not image.has_form(form):
                usable = {name: other for name, other in self.images.items() if other.has_form(form)}
                raise _fault(node, f"the image {image.name} is no image for kind {node.kind}", names_of(usable))
            self.chosen[node.name] = (image, form)
        except InputError as exc:
            self.problems += exc.problems

    def choose_hidden(self, name: str) -> None:
        processes = [self.nodes[process] for process in self.carried.get(name, ())]
        asking = [node for node in processes if node.image]
        try:
            asked = list(dict.fromkeys(self._image_of(node, QEMU) for node in asking)) or [self.images[self.defaults[QEMU]]]
            if len(asked) > 1:
                several = " and ".join(image.name for image in asked)
                raise _fault(asking[-1], f"its vhost {name} would be made of {several}", "one image for all that it carries")
            if not asked[0].has_form(DISK):
                source = processes[0].source if processes else ""
                raise InputError(Problem(f"virtual machine {name} is made of the image {asked[0].name}, which is no disk", source))
            self.chosen[name] = (asked[0], DISK)
        except InputError as exc:
            self.problems += exc.problems

    def _image_of(self, node: NodeView, kind: str) -> CatalogueImage:
        """Return the image that the first of the node's attributes names. Raises InputError."""
        if node.image:
            return self._by_name(node)
        if kind == QEMU and node.faults_of(QEMU_URL):
            raise InputError(node.faults_of(QEMU_URL))
        if kind == QEMU and node.image_url:
            return _fetched(node, node.image_url)
        if kind == OPENVZ and node.template:
            return self._by_template(node)
        return self._by_operating_system(node, kind)

    def _by_name(self, node: NodeView) -> CatalogueImage:
        if node.image.lower() not in self.by_lower:
            raise _fault(node, f"there is no image {node.image!r}", names_of(self.images))
        return self.by_lower[node.image.lower()]

    def _by_template(self, node: NodeView) -> CatalogueImage:
        image = self.by_lower.get(node.template.lower()) or template_image(node.template)
        if image is None:
            raise _fault(node, f"there is no template {node.template!r}", names_of(self.images))
        if image.source == TEMPLATE:
            return self._default_for(node, OPENVZ, f"DETER's template {node.template}")
        return image

    def _by_operating_system(self, node: NodeView, kind: str) -> CatalogueImage:
        names = node.operating_systems
        for name in names:
            if name.lower() in self.by_lower:
                return self.by_lower[name.lower()]
        return self._default_for(node, kind, f"the operating system {names[0]}") if names else self.images[self.defaults[kind]]

    def _default_for(self, node: NodeView, kind: str, missing: str) -> CatalogueImage:
        default = self.defaults[kind]
        self.warnings.append(node.problem(f"{missing} is not in the catalogue: the node is made of {default}"))
        return self.images[default]


def _fetched(node: NodeView, url: ImageUrl) -> CatalogueImage:
    """Return the image at a URL that the topology gives."""
    architecture = node.architecture or "x86_64"
    if architecture not in ARCHITECTURES:
        raise _fault(node, f"qemu_arch {architecture!r} is not known", f"one of {', '.join(ARCHITECTURES)}")
    return CatalogueImage(url.address.rsplit("/", 1)[-1] or url.address, URL, url.address, sha256=url.sha256, architecture=architecture)


def _fault(node: NodeView, message: str, hint: str) -> InputError:
    return InputError(node.problem(message, hint))
