# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which image a node with a system of its own is made of, out of the site's catalogue and what the topology says. Pure.

The first that says something wins: ``containers:image``; ``containers:qemu_url`` (qemu) or ``containers:openvz_template`` (openvz);
the computer's operating system, by ``osid``, then by name and version; the site's default, for openvz first ``openvz_template``. A name
given for this collection that is not in the catalogue is an error. An operating system that is not is a warning and the default: files
written for DETER name its images.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import InputError, Problem
from ...topology.attributes import IMAGE, MAVERICK_URL, OPENVZ_TEMPLATE, QEMU_ARCH, QEMU_URL, containers_attribute
from ...topology.model import Computer, Topology
from ..computers import problem_of
from ..kinds import OPENVZ, QEMU
from ..nesting import hidden_carriers
from ..node_view import read_nodes

ROOT, DISK = "root", "disk"
FORM_OF = {QEMU: DISK, OPENVZ: ROOT}
ARCHITECTURES = ("x86_64", "i386", "aarch64")
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_DETER_TEMPLATES = re.compile(r"(centos-6|ubuntu-1[0-9]\.04)(-x86(_64)?)?")


@dataclass(frozen=True)
class CatalogueImage:
    """An entry of the catalogue. Either ``suite`` is set (built here, in both forms), or ``url`` or ``path`` (fetched, in the form ``form``).

    packages    beside those that every built image has
    sha256      of the file as it is fetched; may be "" for a path
    format      of a fetched disk: ``qcow2`` or ``raw``
    cloud_init  whether a fetched disk gets its identity by cloud-init
    """

    name: str
    suite: str = ""
    packages: tuple[str, ...] = ()
    url: str = ""
    path: str = ""
    sha256: str = ""
    format: str = "qcow2"
    architecture: str = "x86_64"
    form: str = DISK
    cloud_init: bool = True

    def has_form(self, form: str) -> bool:
        """Whether it can be had in the form ``root`` or ``disk``."""
        return bool(self.suite) or self.form == form


BUILT_IN = {name: CatalogueImage(name, suite=suite) for name, suite in (("debian-12", "bookworm"), ("debian-13", "trixie"))}


@dataclass(frozen=True)
class Choice:
    """images: {node: (its image, the form)}; warnings in document order."""

    images: dict[str, tuple[CatalogueImage, str]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()


def catalogue(images: Mapping[str, dict]) -> dict[str, CatalogueImage]:
    """The built-in images and those of the setting ``images``, which win. The schema has been checked."""
    return {**BUILT_IN, **{name: _entry(name, entry) for name, entry in images.items()}}


def catalogue_problems(images: Mapping[str, dict], default_image: str, openvz_template: str = "") -> list[tuple[list[str], str, str]]:
    """(path of keys, what is wrong, what would be right) of what the schema cannot say."""
    problems = []
    for name, entry in images.items():
        if entry.get("url") and not entry.get("sha256"):
            problems.append((["images", name], "an image that comes by a URL needs its sha256", "sha256: the 64 digits that sha256sum prints"))
        if entry.get("form") == ROOT and entry.get("format"):
            problems.append((["images", name], "an image of form root is a tar archive and has no format", "qcow2 and raw are formats of disks"))
    if default_image not in {**BUILT_IN, **images}:
        problems.append((["default_image"], f"there is no image {default_image!r}", _names({**BUILT_IN, **images})))
    if openvz_template and openvz_template not in {**BUILT_IN, **images} and not _DETER_TEMPLATES.fullmatch(openvz_template):
        problems.append((["openvz_template"], f"there is no template {openvz_template!r}", _names({**BUILT_IN, **images})))
    return problems


def choose_images(topology: Topology, images: Mapping[str, CatalogueImage], default: str, hidden=(), template: str = "") -> Choice:
    """The image of every computer of kind qemu or openvz, and of the virtual machines ``hidden`` that are no computers.

    template  the image of openvz nodes that ask for none, "" for ``default``; one of DETER's that the catalogue does not have is ``default``, too

    Those are made of what any of their processes says as ``containers:image``, which all that say it say alike.
    Raises InputError with a Problem for each computer whose image cannot be had.
    """
    nodes = read_nodes(topology)
    chosen, warnings, problems = {}, [], []
    defaults = {QEMU: default, OPENVZ: template if template in images else default}
    for computer in topology.computers:
        kind = nodes[computer.name].kind
        if kind not in FORM_OF:
            continue
        try:
            image = _image_of(topology, computer, kind, images, defaults[kind], warnings)
            if not image.has_form(FORM_OF[kind]):
                able = {name: other for name, other in images.items() if other.has_form(FORM_OF[kind])}
                raise InputError(problem_of(topology, computer, f"the image {image.name} is no image for kind {kind}", _names(able)))
            chosen[computer.name] = (image, FORM_OF[kind])
        except InputError as exc:
            problems += exc.problems
    carried = hidden_carriers(nodes)
    for name in hidden:
        asked = [computer for computer in topology.computers if computer.name in carried.get(name, ()) and containers_attribute(computer, IMAGE)]
        try:
            made_of = {_image_of(topology, computer, QEMU, images, default, warnings): computer for computer in asked} or {images[default]: None}
            if len(made_of) > 1:
                what = " and ".join(image.name for image in made_of)
                raise InputError(problem_of(topology, asked[-1], f"its vhost {name} would be made of {what}", "one image for all that it carries"))
            image = next(iter(made_of))
            if not image.has_form(DISK):
                raise InputError(Problem(f"virtual machine {name} is made of the image {image.name}, which is no disk", topology.source))
            chosen[name] = (image, DISK)
        except InputError as exc:
            problems += exc.problems
    if problems:
        raise InputError(problems)
    if template and template not in images:
        message = f"DETER's template {template} is not in the catalogue: openvz nodes that ask for none are made of {default}"
        warnings.append(Problem(message, element="setting openvz_template"))
    return Choice(chosen, tuple(warnings))


def _image_of(topology, computer, kind, images, default, warnings) -> CatalogueImage:
    by_lower = {name.lower(): image for name, image in images.items()}
    asked = containers_attribute(computer, IMAGE)
    if asked:
        if asked.lower() in by_lower:
            return by_lower[asked.lower()]
        raise InputError(problem_of(topology, computer, f"there is no image {asked!r}", _names(images)))
    url = containers_attribute(computer, QEMU_URL) or containers_attribute(computer, MAVERICK_URL)
    if kind == QEMU and url:
        return _by_url(topology, computer, url)
    template = containers_attribute(computer, OPENVZ_TEMPLATE)
    if kind == OPENVZ and template:
        if template.lower() in by_lower:
            return by_lower[template.lower()]
        if not _DETER_TEMPLATES.fullmatch(template):
            raise InputError(problem_of(topology, computer, f"there is no template {template!r}", _names(images)))
        warnings.append(problem_of(topology, computer, f"DETER's template {template} is not in the catalogue: the node is made of {default}"))
        return images[default]
    spoken = _operating_systems(computer)
    for name in spoken:
        if name.lower() in by_lower:
            return by_lower[name.lower()]
    if spoken:
        warnings.append(problem_of(topology, computer, f"the operating system {spoken[0]} is not in the catalogue: the node is made of {default}"))
    return images[default]


def _operating_systems(computer: Computer) -> list[str]:
    """What the computer's operating systems may be called, best first."""
    names = []
    for system in computer.operating_systems:
        names.append(system.attribute("osid", ""))
        names += [f"{name}-{version}" if version else name
                  for name, version in ((system.distribution, system.distributionversion), (system.name, system.version)) if name]
    return [name.strip() for name in names if name and name.strip()]


def _by_url(topology, computer, url: str) -> CatalogueImage:
    """The image that ``containers:qemu_url`` names, with its checksum after a # sign."""
    address, _sign, mark = url.strip().partition("#")
    sha256 = mark.removeprefix("sha256=")
    if not re.match(r"(https?|file):/", address):
        raise InputError(problem_of(topology, computer, f"qemu_url {address!r} is no URL of an image", "http://, https:// or file:///"))
    if not SHA256.fullmatch(sha256):
        raise InputError(problem_of(topology, computer, f"qemu_url {address} comes without its checksum",
                                    f"{address}#sha256=… with the 64 digits that sha256sum prints, or an image of the site's catalogue"))
    architecture = containers_attribute(computer, QEMU_ARCH) or "x86_64"
    if architecture not in ARCHITECTURES:
        raise InputError(problem_of(topology, computer, f"qemu_arch {architecture!r} is not known", f"one of {', '.join(ARCHITECTURES)}"))
    return CatalogueImage(address.rsplit("/", 1)[-1] or address, url=address, sha256=sha256.lower(), architecture=architecture)


def _entry(name: str, entry: dict) -> CatalogueImage:
    build = entry.get("build")
    if build:
        return CatalogueImage(name, suite=build["suite"], packages=tuple(build.get("packages", ())))
    known = {key: value for key, value in entry.items() if key in ("url", "path", "format", "architecture", "form", "cloud_init")}
    return CatalogueImage(name, sha256=entry.get("sha256", "").lower(), **known)


def _names(images) -> str:
    return "the images are " + ", ".join(sorted(images)) if images else "the catalogue has none"
