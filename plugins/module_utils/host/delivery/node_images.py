# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of bringing images to a vhost: listing the missing ones, and installing those that have arrived, after checking them.

Files arrive in ``/var/cache/benito/images/.arriving-DIGEST-PID.EID/``. A complete image is renamed to ``DIGEST/`` and stays after swap-out.
Only root can enter these directories: QEMU opens its files before it changes its user, and root mounts the trees of containers.
Its ``proven.json`` holds size and times of each file at its last successful check, so that unchanged files are not read again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass

from ...errors import HostError
from ...hostplan import ImagePlan, from_json
from ..base.free_space import room
from ..base.paths import IMAGES, ExperimentPaths, read_json, write_atomically

NOTE = "image.json"
PROVEN = "proven.json"
_ARRIVING = ".arriving-"
_STALE_S = 86400
_UNIFIED = "/sys/fs/cgroup/cgroup.controllers"
_LAST_LEGACY_SYSTEMD = 255
"""The last systemd that starts under control groups of version 1 without being forced."""


@dataclass(frozen=True)
class Missing:
    """An image that has to be brought here. Its ``files`` belong in the directory ``arriving``, which only root can enter."""

    digest: str
    name: str
    arriving: str
    files: tuple[str, ...]


def run_task(options: dict) -> dict:
    """Do the host's part of the module ``node_images``: list the missing images, or install those that have arrived.

    options  "experiment"; "check_mode"; "brought", whether the controller has brought the missing images
    Return {"missing": [{"digest", "name", "arrived": {file: SHA-256} of files from an interrupted run}], "changes": [text]}, and if images are missing
    "room", how many bytes of them can be brought. Raises HostError, OSError.
    """
    paths = ExperimentPaths(options["experiment"])
    missing = [] if options["brought"] else missing_images(paths, options["check_mode"])
    if options["check_mode"]:
        return {"missing": [], "changes": [f"image {image.name} ({image.digest}): to be brought here" for image in missing]}
    listed = [{"digest": image.digest, "name": image.name, "arrived": arrived(image)} for image in missing]
    return {"missing": listed, "changes": [], "room": room(IMAGES)} if missing else {"missing": [], "changes": take_in(paths)}


def arriving_at(digest: str, experiment: str) -> str:
    """Return the directory in which the files of an image arrive."""
    return f"{IMAGES}/{_ARRIVING}{digest}-{experiment}"


def planned_images(paths: ExperimentPaths) -> tuple[ImagePlan, ...]:
    """Return the images that the experiment's plan needs on this host. Raises HostError."""
    try:
        with open(paths.plan, encoding="utf-8") as stream:
            return from_json(stream.read(), paths.plan).images
    except FileNotFoundError as exc:
        raise HostError(f"{paths.experiment} has no host plan on this host: the role deter.benito.vhost brings it") from exc


def missing_images(paths: ExperimentPaths, dry_run: bool = False) -> list[Missing]:
    """Return the images that are missing or damaged here. A directory is made for each. Raises HostError."""
    found = []
    for image in planned_images(paths):
        if _is_whole(image, dry_run):
            continue
        missing = Missing(image.digest, image.name, arriving_at(image.digest, paths.experiment), files_of(image))
        found.append(missing)
        if not dry_run:
            os.makedirs(missing.arriving, mode=0o700, exist_ok=True)  # files from an interrupted run are kept
    if not dry_run:
        _close()
        _sweep()
    return found


def arrived(missing: Missing) -> dict[str, str]:
    """Return {file: SHA-256} of the files that an interrupted run has brought, wholly or in part, without image.json, which is always sent."""
    found = {}
    for name in missing.files[:-1]:
        try:
            found[name] = _sha256(f"{missing.arriving}/{name}")
        except FileNotFoundError:
            pass
    return found


def take_in(paths: ExperimentPaths) -> list[str]:
    """Install the images that have arrived, if each file has the checksum in image.json. Return the changes as text.

    Raises HostError for a missing or damaged file; a damaged image is removed. Raises HostError for a container's image that cannot boot here.
    """
    changes = []
    for image in planned_images(paths):
        if not _is_whole(image):
            _prove_and_rename(image, arriving_at(image.digest, paths.experiment))
            changes.append(f"image {image.name} ({image.digest}): brought here")
        _refuse_what_cannot_start(image)
    return changes


def files_of(image: ImagePlan) -> tuple[str, ...]:
    """Return the names of an image's files, image.json last."""
    if image.form == "root":
        return ("root.tar.zst", NOTE)
    return ("disk", "kernel", "initrd", NOTE) if image.kernel else ("disk", NOTE)


def _is_whole(image: ImagePlan, dry_run: bool = False) -> bool:
    """Return whether every file of the image is here and undamaged. Only files that have changed since their last check are read."""
    directory = f"{IMAGES}/{image.digest}"
    try:
        expected = read_note(f"{directory}/{NOTE}")["files"]
        known, found = _proven(directory), {}
        for name in files_of(image)[:-1]:
            found[name] = _stamp(f"{directory}/{name}")
            if found[name] != known.get(name) and _sha256(f"{directory}/{name}") != expected.get(name, {}).get("sha256"):
                return False
    except (FileNotFoundError, HostError):
        return False
    if found != known and not dry_run:
        _remember(directory, found)
    return True


def _remember(directory: str, found: dict[str, list[int]]) -> None:
    write_atomically(f"{directory}/{PROVEN}", json.dumps(found), 0o600)


def _proven(directory: str) -> dict:
    try:
        return read_json(f"{directory}/{PROVEN}", {})
    except HostError:
        return {}


def _stamp(path: str) -> list[int]:
    """Return values of a file that every change of it alters: nobody can set the time of its last status change."""
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _prove_and_rename(image: ImagePlan, arriving: str) -> None:
    try:
        note = read_note(f"{arriving}/{NOTE}")
        if (note.get("digest"), note.get("form")) != (image.digest, image.form):
            raise HostError(f"image {image.name}: {note.get('digest')} of form {note.get('form')} arrived, the plan wants {image.digest} of form {image.form}")
        for name in files_of(image)[:-1]:
            expected = note["files"].get(name, {}).get("sha256")
            if _sha256(f"{arriving}/{name}") != expected:
                raise HostError(f"image {image.name}: the file {name} arrived damaged: swap in again. "
                                f"If that does not help, the controller's copy is damaged: remove cache/images/{image.digest} there")
            os.chmod(f"{arriving}/{name}", 0o600)
    except FileNotFoundError as exc:
        raise HostError(f"image {image.name}: {exc.filename} has not arrived") from exc
    except HostError:
        shutil.rmtree(arriving, ignore_errors=True)
        raise
    os.chmod(f"{arriving}/{NOTE}", 0o600)
    for name in files_of(image):
        with open(f"{arriving}/{name}", "rb") as stream:
            os.fsync(stream.fileno())
    directory = f"{IMAGES}/{image.digest}"
    try:
        os.rename(arriving, directory)
    except OSError as exc:
        if exc.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        for name in files_of(image):  # one by one, because what was made of the damaged image is in this directory, too, and in use
            os.replace(f"{arriving}/{name}", f"{directory}/{name}")
        shutil.rmtree(arriving)
    _remember(directory, {name: _stamp(f"{directory}/{name}") for name in files_of(image)[:-1]})


def _refuse_what_cannot_start(image: ImagePlan) -> None:
    if image.form != "root" or os.path.exists(_UNIFIED):
        return
    version = read_note(f"{IMAGES}/{image.digest}/{NOTE}").get("systemd", 0)
    if version > _LAST_LEGACY_SYSTEMD:
        raise HostError(f"image {image.name} cannot be an openvz node on this host: its systemd {version} needs control groups of version 2, and this host has "
                        "version 1. Use debian-12 there, or kind qemu, or boot the host with systemd.unified_cgroup_hierarchy=1")


def read_note(path: str) -> dict:
    """Read an image.json, which names the image's files. Raises HostError when it is damaged, OSError."""
    with open(path, encoding="utf-8") as stream:
        try:
            note = json.load(stream)
        except ValueError as exc:
            raise HostError(f"{path} is damaged: {exc}") from exc
    files = note.get("files") if isinstance(note, dict) else None
    if not isinstance(files, dict) or not all(isinstance(known, dict) for known in files.values()):
        raise HostError(f"{path} is damaged: it does not list the files")
    return note


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while True:
            block = stream.read(1 << 20)
            if not block:
                return digest.hexdigest()
            digest.update(block)


def _close() -> None:
    """Let only root enter the cache and the directories in it. An older version of this program may have made them."""
    with contextlib.suppress(FileNotFoundError):
        for path in (os.path.dirname(IMAGES), IMAGES, *(entry.path for entry in os.scandir(IMAGES) if entry.is_dir(follow_symlinks=False))):
            os.chmod(path, 0o700)


def _sweep() -> None:
    """Remove arrivals of runs that have not continued for a day."""
    try:
        names = os.listdir(IMAGES)
    except FileNotFoundError:
        return
    for name in names:
        path = f"{IMAGES}/{name}"
        if name.startswith(_ARRIVING) and time.time() - max([os.stat(path).st_mtime, *(entry.stat().st_mtime for entry in os.scandir(path))]) > _STALE_S:
            shutil.rmtree(path, ignore_errors=True)
