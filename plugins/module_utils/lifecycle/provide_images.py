# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Having every image that an experiment's nodes are made of, before any machine is asked for: chosen, built or fetched, written down."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..embedding.node_view import read_nodes
from ..embedding.placement.images import DISK, CatalogueImage, catalogue, choose_images
from ..embedding.placement.machines import machines
from ..embedding.placement.resources import node_resources
from ..errors import BenitoError
from ..experiment.directory import ACTIVATING, ACTIVE, ExperimentDirectory
from ..hostplan import ImagePlan
from ..images.build import build, lacking, needed_commands
from ..images.fetch import NEEDED_COMMANDS, fetch, fetched_plan
from ..images.recipe import recipe
from ..images.store import ImageStore
from ..settings.site_settings import load_site
from ..topology.topdl.reader import read_topdl
from .allocate import abandon

FILE = "images.json"


@dataclass(frozen=True)
class Provided:
    """changes and warnings in words, missing: those of the changes that make an image; images: {digest: ImagePlan}; nodes: {node: digest}; packages: what
    this machine lacks to make what is not there."""

    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    images: dict[str, ImagePlan]
    nodes: dict[str, str]
    packages: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def result_of(provided: Provided, does: bool) -> dict:
    """The task's result; ``does``: whether it had more to do than to look."""
    return {"changed": bool(provided.changes) and does, "changes": list(provided.changes), "missing": list(provided.missing),
            "packages": list(provided.packages), "nodes": provided.nodes}


def store_of(home: str) -> ImageStore:
    """The cache of images of the controller whose BENITO_HOME is ``home``."""
    return ImageStore(os.path.join(home, "cache", "images"))


def provide(directory: ExperimentDirectory, dry_run: bool = False, check_mode: bool = False) -> Provided:
    """Have the images of an experiment in the cache, write images.json: ``nodes``, ``images`` and ``resources``.

    dry_run     only tell
    check_mode  besides, a swap-in that had begun is not ended by a failure: it was not begun by this run
    Raises BenitoError: an unknown image, a checksum that is wrong, a machine that cannot build. Then images.json is as it was.
    """
    try:
        return _provide(directory, dry_run)
    except BenitoError as exc:
        if not check_mode and directory.read_state().state == ACTIVATING:
            abandon(directory, str(exc).splitlines()[0])
        raise


def _provide(directory: ExperimentDirectory, dry_run: bool) -> Provided:
    settings = load_site(directory.site)
    topology, _warnings = read_topdl(directory.partitioned)
    nodes = read_nodes(topology)
    hidden = [name for machine in machines(nodes) for name in machine.hidden]
    choice = choose_images(topology, catalogue(settings.images), settings.default_image, hidden, settings.openvz_template)
    resources = node_resources(nodes, settings, hidden)
    store, kept, now = store_of(directory.home), _kept(directory), time.gmtime()
    changes, plans, commands = [], {}, {}
    for image, form in dict.fromkeys(choice.images.values()):
        way = _source(image, form, now)
        plan = kept.get((image.name, form), way.plan)
        plans[image, form] = plan
        if not store.has(plan.digest):
            changes.append(way.words)
            commands.update(way.commands)
        if not dry_run:
            store.ensure(plan, way.make)
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
    return Provided(tuple(changes), tuple(str(warning) for warning in choice.warnings), images, nodes, tuple(lacking(commands)), missing)


def _kept(directory: ExperimentDirectory) -> dict[tuple[str, str], ImagePlan]:
    """{(name, form): image} that the nodes of an active experiment stand on: a new week is no reason to make them anew."""
    if directory.read_state().state != ACTIVE or not os.path.exists(directory.file(FILE)):
        return {}
    fields = {field.name for field in dataclasses.fields(ImagePlan)}
    store = store_of(directory.home)
    images = [ImagePlan(**{name: value for name, value in image.items() if name in fields}) for image in json.loads(directory.read(FILE))["images"].values()]
    return {(image.name, image.form): image for image in images if store.has(image.digest)}


@dataclass(frozen=True)
class ImageSource:
    """How to have an image: its plan, what fills a directory with it, that in words, what commands it takes."""

    plan: ImagePlan
    make: Callable[[str], None]
    words: str
    commands: dict[str, str]


def _source(image: CatalogueImage, form: str, now: time.struct_time) -> ImageSource:
    words = f"image {image.name} ({'disk' if form == DISK else 'root directory'})"
    if image.suite:
        made_of = recipe(image.name, form, image.suite, image.packages)
        return ImageSource(made_of.plan(now), lambda directory: build(made_of, directory), f"{words}: built", needed_commands(form))
    return ImageSource(fetched_plan(image), lambda directory: fetch(image, directory), f"{words}: fetched from {image.url or image.path}", NEEDED_COMMANDS)
