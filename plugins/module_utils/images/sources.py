# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get images from where they come: one entry for each kind of source that the catalogue knows (embedding/placement/catalogue.py)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..embedding.placement.catalogue import BUILD, DISK, CatalogueImage
from ..hostplan import ImagePlan
from .build import Report, build, needed_commands, silent
from .fetch import NEEDED_COMMANDS, fetch, fetched_plan
from .opening import OPENERS
from .recipe import Recipe, recipe


@dataclass(frozen=True)
class Making:
    """How one image comes to be in the cache.

    plan      the image as host plans name it
    make      puts its files into an empty directory and returns the version of its systemd, 0 for unknown
    commands  {command: Debian package} that this takes
    message   what was done, or would be, for people
    """

    plan: ImagePlan
    make: Callable[[str], int]
    commands: Mapping[str, str]
    message: str


def making_of(image: CatalogueImage, form: str, now: time.struct_time, report: Report = silent) -> Making:
    """Return how to have the image in the form ``root`` or ``disk``. Raises HostError: a file that cannot be read, a machine that builds none.

    report  called with the name of each phase, when the image is made
    """
    return SOURCES[image.source](image, form, now, lambda phase: report(f"{_title(image, form)}: {phase}"))


def _build(image: CatalogueImage, form: str, now: time.struct_time, report: Report) -> Making:
    made_of: Recipe = recipe(image.name, form, image.reference, image.packages)
    return Making(made_of.plan(now), lambda directory: build(made_of, directory, report), needed_commands(form), f"{_title(image, form)}: built")


def _fetch(image: CatalogueImage, form: str, _now: time.struct_time, report: Report) -> Making:
    message = f"{_title(image, form)}: fetched from {image.reference}"
    return Making(fetched_plan(image), lambda directory: fetch(image, directory, report), NEEDED_COMMANDS, message)


SOURCES: dict[str, Callable[[CatalogueImage, str, time.struct_time, Report], Making]] = {BUILD: _build, **dict.fromkeys(OPENERS, _fetch)}


def _title(image: CatalogueImage, form: str) -> str:
    return f"image {image.name} ({'disk' if form == DISK else 'root directory'})"
