# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of images: the sources of images, and the entries of site.yml. Pure.

A new source is one entry of SOURCE_KINDS here, and one of images/sources.py, which gets images from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROOT, DISK = "root", "disk"
BUILD, URL, PATH, TEMPLATE = "build", "url", "path", "template"
ARCHITECTURES = ("x86_64", "i386", "aarch64")
DETER_TEMPLATES = re.compile(r"(centos-6|ubuntu-1[0-9]\.04)(-x86(_64)?)?")


@dataclass(frozen=True)
class SourceKind:
    """A kind of source of images.

    rule            the JSON schema of its value in site.yml, under a key of its name; None if a site cannot name it
    both_forms      whether each of its images can be had as a disk and as a root directory; if not, an entry states its form
    needs_checksum  whether an entry must have the sha256 of the file
    """

    rule: Mapping[str, Any] | None
    both_forms: bool = False
    needs_checksum: bool = False


SOURCE_KINDS: dict[str, SourceKind] = {
    # made on the controller; the reference is a suite of Debian
    BUILD: SourceKind(
        {
            "description": "a minimal Debian, made with mmdebstrap, for qemu and openvz",
            "type": "object",
            "required": ["suite"],
            "additionalProperties": False,
            "properties": {
                "suite": {"enum": ["bookworm", "trixie"]},
                "packages": {"type": "array", "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9+.-]+$"}, "examples": [["tcpdump"]]},
            },
        },
        both_forms=True,
    ),
    URL: SourceKind({"type": "string", "pattern": "^(https?|file)://?[^ \\s#]+$", "examples": ["https://images.example/lab.qcow2"]}, needs_checksum=True),
    PATH: SourceKind({"type": "string", "pattern": "^(/|~/)[^\\n]+$", "examples": ["/images/lab.qcow2"]}),
    # a template that DETER had; an image of the catalogue replaces it
    TEMPLATE: SourceKind(None, both_forms=True),
}
_NAMED_BY_SITES = {name: kind.rule for name, kind in SOURCE_KINDS.items() if kind.rule}
CATALOGUE_RULE: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"description": "a name of an image", "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
    "additionalProperties": {
        "description": f"an image, with one of {', '.join(_NAMED_BY_SITES)}",
        "type": "object",
        "oneOf": [{"required": [name]} for name in _NAMED_BY_SITES],
        "additionalProperties": False,
        "properties": {
            **_NAMED_BY_SITES,
            "sha256": {"description": "the 64 digits that sha256sum prints", "type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
            "format": {"enum": ["qcow2", "raw"]},
            "architecture": {"enum": list(ARCHITECTURES)},
            "form": {"enum": [DISK, ROOT]},
            "cloud_init": {"type": "boolean"},
        },
    },
    "examples": [{"lab": {"path": "/images/lab.qcow2"}}],
}


@dataclass(frozen=True)
class CatalogueImage:
    """An image for nodes.

    source        a name of SOURCE_KINDS
    reference     what is taken from the source: a suite, a URL, a path, a template
    packages      of a built image, beside those that every one has
    sha256        of the file as it is fetched; may be "" for a path
    format        of a fetched disk: ``qcow2`` or ``raw``
    form          of a fetched image: ``disk`` or ``root``
    cloud_init    whether a fetched disk gets its identity by cloud-init
    """

    name: str
    source: str
    reference: str
    packages: tuple[str, ...] = ()
    sha256: str = ""
    format: str = "qcow2"
    architecture: str = "x86_64"
    form: str = DISK
    cloud_init: bool = True

    def has_form(self, form: str) -> bool:
        """Return whether the image can be had in the form ``root`` or ``disk``."""
        return SOURCE_KINDS[self.source].both_forms or self.form == form


BUILT_IN = {name: CatalogueImage(name, BUILD, suite) for name, suite in (("debian-12", "bookworm"), ("debian-13", "trixie"))}


def catalogue(images: Mapping[str, Mapping[str, Any]]) -> dict[str, CatalogueImage]:
    """Return the built-in images and those of the setting ``images``, which win. The setting must already match its schema."""
    return {**BUILT_IN, **{name: _image(name, entry) for name, entry in images.items()}}


def template_image(template: str) -> CatalogueImage | None:
    """Return the image of a template that DETER had, None if DETER had no template of that name."""
    return CatalogueImage(template, TEMPLATE, template) if DETER_TEMPLATES.fullmatch(template) else None


def catalogue_problems(images: Mapping[str, Mapping[str, Any]], default_image: str, openvz_template: str = "") -> list[tuple[list[str], str, str]]:
    """Return (path of keys, message, hint) of each fault that the schema cannot describe."""
    problems = []
    for name, entry in images.items():
        source = _source_of(entry)
        if SOURCE_KINDS[source].needs_checksum and not entry.get("sha256"):
            problems.append((["images", name], f"an image with a {source} needs its sha256", "sha256: the 64 digits that sha256sum prints"))
        if entry.get("form") == ROOT and entry.get("format"):
            problems.append((["images", name], "an image of form root is a tar archive and has no format", "qcow2 and raw are formats of disks"))
    known = catalogue(images)
    if default_image not in known:
        problems.append((["default_image"], f"there is no image {default_image!r}", names_of(known)))
    if openvz_template and openvz_template not in known and not template_image(openvz_template):
        problems.append((["openvz_template"], f"there is no template {openvz_template!r}", names_of(known)))
    return problems


def names_of(images: Mapping[str, CatalogueImage]) -> str:
    """Return the names of the images, for a message."""
    return "the images are " + ", ".join(sorted(images)) if images else "the catalogue has none"


def _source_of(entry: Mapping[str, Any]) -> str:
    return next(name for name in _NAMED_BY_SITES if name in entry)


def _image(name: str, entry: Mapping[str, Any]) -> CatalogueImage:
    source = _source_of(entry)
    if source == BUILD:
        return CatalogueImage(name, BUILD, entry[BUILD]["suite"], packages=tuple(entry[BUILD].get("packages", ())))
    own = {key: entry[key] for key in ("format", "architecture", "form", "cloud_init") if key in entry}
    return CatalogueImage(name, source, entry[source], sha256=entry.get("sha256", "").lower(), **own)
