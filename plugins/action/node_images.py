# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module node_images, whose file documents it. It copies files directly, without a module for each."""

from __future__ import annotations

import os
import re

from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.delivery.node_images import NOTE, arriving_at, read_note
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction, outcome

_DIGEST = re.compile(r"[0-9a-f]+")


class ActionModule(HostAction):
    options = {"cache": {"type": "path", "required": True}}

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        asked = {"experiment": paths.experiment, "check_mode": self.check_mode}
        answer = self.run_task("benito_host.host.delivery.node_images", {**asked, "brought": False})
        if answer["missing"]:
            cache = os.path.abspath(options["cache"])
            wanted = [(image, files_to_bring(cache, image)) for image in answer["missing"]]
            require_room(sum(size for _image, files in wanted for size in files.values()), answer["room"])
            for image, files in wanted:
                here, there = f"{cache}/{image['digest']}", arriving_at(image["digest"], paths.experiment)
                for file, size in files.items():
                    self.push_file(f"{here}/{file}", f"{there}/{file}", f"image {image['name']}: {file}, {-(-size >> 20)} MiB")
            with self.show_progress("images: checking the files"):
                answer = self.run_task("benito_host.host.delivery.node_images", {**asked, "brought": True})
        return outcome({"changed": bool(answer["changes"]), "changes": answer["changes"]})


def require_room(size: int, room: int) -> None:
    """Check that the vhost has ``room`` for ``size`` bytes. Raises HostError."""
    if size > room:
        raise HostError(f"the missing images have {-(-size >> 20)} MiB, and this host has room for {room >> 20} MiB below /var/cache/benito: "
                        "remove files there, or use smaller images")


def files_to_bring(cache: str, image: dict) -> dict[str, int]:
    """Return {file: size} of an image's files that the vhost lacks, without files that have already arrived; image.json last. Raises HostError."""
    digest, name, arrived = image["digest"], image["name"], image["arrived"]
    if not _DIGEST.fullmatch(digest):  # it becomes a path here, and a vhost may send anything
        raise HostError(f"{digest!r} is not the digest of an image")
    folder = f"{cache}/{digest}"
    try:
        known = read_note(f"{folder}/{NOTE}")["files"]
        sizes = {file: os.path.getsize(f"{folder}/{file}") for file in (*known, NOTE)}
        for file in known:
            if sizes[file] != known[file].get("size"):
                raise HostError(f"{folder}/{file} is damaged: it has {sizes[file]} bytes, not {known[file].get('size')}")
    except FileNotFoundError as exc:
        raise HostError(f"image {name}: {exc.filename} is not on the controller: swap in again, the role deter.benito.images makes it") from exc
    except HostError as exc:
        raise HostError(f"image {name}: {exc}: swap in again, the role deter.benito.images makes it again") from exc
    except OSError as exc:
        raise HostError(f"image {name}: {exc.filename} cannot be read: {exc.strerror}") from exc
    return {file: size for file, size in sizes.items() if file not in arrived or arrived[file] != known[file].get("sha256")}
