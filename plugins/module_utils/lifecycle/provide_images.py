# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the images of an experiment's nodes before anything is built on a machine: choose them, build or fetch them, and write images.json."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass
from typing import Any

from ..embedding.node_view import read_nodes
from ..embedding.placement.catalogue import CatalogueImage, catalogue
from ..embedding.placement.images import choose_images
from ..embedding.placement.machines import machines
from ..embedding.placement.resources import node_resources
from ..experiment.directory import ACTIVE, ExperimentDirectory
from ..hostplan import ImagePlan
from ..images.build import Report, lacking, silent
from ..images.sources import making_of
from ..images.store import ImageStore
from ..settings.site_settings import load_site
from ..topology.topdl.reader import read_topdl

FILE = "images.json"


@dataclass(frozen=True)
class Provided:
    """The images of an experiment.

    changes   what was done, or would be, as text
    warnings  about images that replace unavailable ones
    images    {digest: image}
    nodes     {node: digest}
    packages  packages that this machine lacks to provide the missing images
    missing   those of the changes that provide an image
    text      the content of images.json
    """

    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    images: dict[str, ImagePlan]
    nodes: dict[str, str]
    packages: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    text: str = ""

    def result(self, changing: bool) -> dict[str, Any]:
        """Return the task's result. ``changing``: whether the task was meant to change anything."""
        return {"changed": bool(self.changes) and changing, "changes": list(self.changes), "missing": list(self.missing),
                "packages": list(self.packages), "nodes": self.nodes}


def store_of(home: str) -> ImageStore:
    """Return the cache of images of the controller whose BENITO_HOME is ``home``."""
    return ImageStore(os.path.join(home, "cache", "images"))


def plan_images(directory: ExperimentDirectory) -> None:
    """Choose the images of an experiment, and write images.json. No image is made. Raises BenitoError."""
    directory.write(FILE, provide(directory, dry_run=True).text)


def provide(directory: ExperimentDirectory, dry_run: bool = False, report: Report = silent) -> Provided:
    """Provide the images of an experiment in the cache, and write images.json: ``nodes``, ``images`` and ``resources``.

    dry_run  build, fetch and write nothing
    report   called with the name of each phase of building or fetching an image

    Raises BenitoError: an unknown image, a wrong checksum, a machine that cannot build. Then images.json is as it was.
    """
    settings = load_site(directory.site)
    topology, _warnings = read_topdl(directory.partitioned)
    views = read_nodes(topology)
    hidden = [name for machine in machines(views) for name in machine.hidden]
    choice = choose_images(views, catalogue(settings.images), settings.default_image, hidden, settings.openvz_template)
    resources = node_resources(views, settings, hidden)
    store, kept, now = store_of(directory.home), _kept(directory), time.gmtime()
    changes: list[str] = []
    plans: dict[tuple[CatalogueImage, str], ImagePlan] = {}
    commands: dict[str, str] = {}
    for image, form in dict.fromkeys(choice.images.values()):
        making = making_of(image, form, now, report)
        plan = kept.get((image.name, form), making.plan)
        plans[image, form] = plan
        if not store.has(plan.digest):
            changes.append(making.message)
            commands.update(making.commands)
        if not dry_run:
            store.ensure(plan, making.make)
            store.touch(plan.digest)
    missing, images = tuple(changes), {plan.digest: plan for plan in plans.values()}
    nodes = {node: plans[chosen].digest for node, chosen in choice.images.items()}
    text = json.dumps({
        "nodes": nodes,
        "images": {digest: {**dataclasses.asdict(plan), "path": store.path(digest)} for digest, plan in images.items()},
        "resources": {node: dataclasses.asdict(own) for node, own in resources.items()},
    }, indent=1) + "\n"
    if (directory.differs if dry_run else directory.write)(FILE, text):
        changes.append(f"{FILE}: written")
    return Provided(tuple(changes), tuple(str(warning) for warning in choice.warnings), images, nodes, tuple(lacking(commands)), missing, text)


def _kept(directory: ExperimentDirectory) -> dict[tuple[str, str], ImagePlan]:
    """Return {(name, form): image} of an active experiment's nodes. They run on these images, so a new week does not replace them."""
    if directory.read_state().state != ACTIVE or not os.path.exists(directory.file(FILE)):
        return {}
    fields = {field.name for field in dataclasses.fields(ImagePlan)}
    store = store_of(directory.home)
    images = [ImagePlan(**{name: value for name, value in image.items() if name in fields}) for image in json.loads(directory.read(FILE))["images"].values()]
    return {(image.name, image.form): image for image in images if store.has(image.digest)}
