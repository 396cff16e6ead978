# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
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

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...errors import InputError, Problem
from ...topology.attributes import IMAGE, MAVERICK_URL, OPENVZ_TEMPLATE, QEMU_ARCH, QEMU_URL, containers_attribute
from ...topology.model import Computer, Topology
from ..computers import problem_of
from ..kinds import OPENVZ, QEMU
from ..nesting import hidden_carriers
from ..node_view import read_nodes
from .catalogue import ARCHITECTURES, DISK, ROOT, TEMPLATE, URL, CatalogueImage, names_of, template_image

FORM_OF = {QEMU: DISK, OPENVZ: ROOT}
SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Choice:
    """The images of an experiment.

    images    {node: (its image, the form)}
    warnings  in document order
    """

    images: dict[str, tuple[CatalogueImage, str]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()


def choose_images(topology: Topology, images: Mapping[str, CatalogueImage], default: str, hidden: Iterable[str] = (), template: str = "") -> Choice:
    """Return the image of every computer of kind qemu or openvz, and of the virtual machines ``hidden`` that are no computers.

    template  the image of openvz nodes that ask for none, "" for ``default``; a DETER template that the catalogue lacks also means ``default``

    A hidden virtual machine gets the image that its processes name as ``containers:image``. All processes that name one must name the same.
    Raises InputError with a Problem for each node that can have no image.
    """
    chooser = _Chooser(topology, images, {QEMU: default, OPENVZ: template if template in images else default})
    for computer in topology.computers:
        if chooser.nodes[computer.name].kind in FORM_OF:
            chooser.choose(computer)
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

    def __init__(self, topology: Topology, images: Mapping[str, CatalogueImage], defaults: Mapping[str, str]):
        self.topology, self.images, self.defaults = topology, images, defaults
        self.by_lower = {name.lower(): image for name, image in images.items()}
        self.nodes = read_nodes(topology)
        self.carried = hidden_carriers(self.nodes)
        self.chosen: dict[str, tuple[CatalogueImage, str]] = {}
        self.warnings: list[Problem] = []
        self.problems: list[Problem] = []

    def choose(self, computer: Computer) -> None:
        kind = self.nodes[computer.name].kind
        form = FORM_OF[kind]
        try:
            image = self._image_of(computer, kind)
            if not image.has_form(form):
                usable = {name: other for name, other in self.images.items() if other.has_form(form)}
                raise self._fault(computer, f"the image {image.name} is no image for kind {kind}", names_of(usable))
            self.chosen[computer.name] = (image, form)
        except InputError as exc:
            self.problems += exc.problems

    def choose_hidden(self, name: str) -> None:
        asking = [computer for computer in self.topology.computers if computer.name in self.carried.get(name, ()) and containers_attribute(computer, IMAGE)]
        try:
            asked = list(dict.fromkeys(self._image_of(computer, QEMU) for computer in asking)) or [self.images[self.defaults[QEMU]]]
            if len(asked) > 1:
                several = " and ".join(image.name for image in asked)
                raise self._fault(asking[-1], f"its vhost {name} would be made of {several}", "one image for all that it carries")
            if not asked[0].has_form(DISK):
                raise InputError(Problem(f"virtual machine {name} is made of the image {asked[0].name}, which is no disk", self.topology.source))
            self.chosen[name] = (asked[0], DISK)
        except InputError as exc:
            self.problems += exc.problems

    def _image_of(self, computer: Computer, kind: str) -> CatalogueImage:
        """Return the image that the first of the computer's attributes names. Raises InputError."""
        name = containers_attribute(computer, IMAGE)
        if name:
            return self._by_name(computer, name)
        url = containers_attribute(computer, QEMU_URL) or containers_attribute(computer, MAVERICK_URL)
        if url and kind == QEMU:
            return self._by_url(computer, url)
        template = containers_attribute(computer, OPENVZ_TEMPLATE)
        if template and kind == OPENVZ:
            return self._by_template(computer, template)
        return self._by_operating_system(computer, kind)

    def _by_name(self, computer: Computer, name: str) -> CatalogueImage:
        if name.lower() not in self.by_lower:
            raise self._fault(computer, f"there is no image {name!r}", names_of(self.images))
        return self.by_lower[name.lower()]

    def _by_url(self, computer: Computer, url: str) -> CatalogueImage:
        """Return the image that ``containers:qemu_url`` names, with its checksum after a # sign."""
        address, _sign, mark = url.strip().partition("#")
        sha256 = mark.removeprefix("sha256=")
        if not re.match(r"(https?|file):/", address):
            raise self._fault(computer, f"qemu_url {address!r} is no URL of an image", "http://, https:// or file:///")
        if not SHA256.fullmatch(sha256):
            raise self._fault(computer, f"qemu_url {address} comes without its checksum",
                              f"{address}#sha256=… with the 64 digits that sha256sum prints, or an image of the site's catalogue")
        architecture = containers_attribute(computer, QEMU_ARCH) or "x86_64"
        if architecture not in ARCHITECTURES:
            raise self._fault(computer, f"qemu_arch {architecture!r} is not known", f"one of {', '.join(ARCHITECTURES)}")
        return CatalogueImage(address.rsplit("/", 1)[-1] or address, URL, address, sha256=sha256.lower(), architecture=architecture)

    def _by_template(self, computer: Computer, template: str) -> CatalogueImage:
        image = self.by_lower.get(template.lower()) or template_image(template)
        if image is None:
            raise self._fault(computer, f"there is no template {template!r}", names_of(self.images))
        if image.source == TEMPLATE:
            return self._default_for(computer, OPENVZ, f"DETER's template {template}")
        return image

    def _by_operating_system(self, computer: Computer, kind: str) -> CatalogueImage:
        names = _operating_systems(computer)
        for name in names:
            if name.lower() in self.by_lower:
                return self.by_lower[name.lower()]
        return self._default_for(computer, kind, f"the operating system {names[0]}") if names else self.images[self.defaults[kind]]

    def _default_for(self, computer: Computer, kind: str, missing: str) -> CatalogueImage:
        default = self.defaults[kind]
        self.warnings.append(problem_of(self.topology, computer, f"{missing} is not in the catalogue: the node is made of {default}"))
        return self.images[default]

    def _fault(self, computer: Computer, message: str, hint: str) -> InputError:
        return InputError(problem_of(self.topology, computer, message, hint))


def _operating_systems(computer: Computer) -> list[str]:
    """Return the possible names of the computer's operating systems, best first."""
    names: list[str | None] = []
    for system in computer.operating_systems:
        names.append(system.attribute("osid", ""))
        names += [f"{name}-{version}" if version else name
                  for name, version in ((system.distribution, system.distributionversion), (system.name, system.version)) if name]
    return [name.strip() for name in names if name and name.strip()]
