# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The images on a vhost, on the host's side: what a plan needs and is not there, and taking in what has arrived, proven.

Files arrive in ``/var/cache/benito/images/.arriving-DIGEST-PID.EID/``; a complete image is renamed to ``DIGEST/``. Images stay when the experiment goes.
``proven.json`` in it has what tells each file from a changed one, as it was when its checksum was right: what has not changed is not read again.
Python 3.9 and its standard library.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass

from ...errors import HostError
from ...hostplan import ImagePlan, from_json
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
    """An image to be brought here: its ``files`` belong into the directory ``arriving``, which only root gets into."""

    digest: str
    name: str
    arriving: str
    files: tuple[str, ...]


def run_task(options: dict) -> dict:
    """The host's part of the module ``node_images``: tells what has to be brought here, or takes in what was.

    options  "experiment"; "check_mode"; "brought", whether the controller has brought what was missing
    Returns {"missing": [{"digest", "name", "arrived": {file: SHA-256} of what an interrupted run has brought}], "changes": [words]}. Raises HostError, OSError.
    """
    paths = ExperimentPaths(options["experiment"])
    missing = [] if options["brought"] else missing_images(paths, options["check_mode"])
    if options["check_mode"]:
        return {"missing": [], "changes": [f"image {image.name} ({image.digest}): to be brought here" for image in missing]}
    told = [{"digest": image.digest, "name": image.name, "arrived": arrived(image)} for image in missing]
    return {"missing": told, "changes": [] if missing else take_in(paths)}


def arriving_at(digest: str, experiment: str) -> str:
    """The directory that the files of an image are brought to."""
    return f"{IMAGES}/{_ARRIVING}{digest}-{experiment}"


def planned_images(paths: ExperimentPaths) -> tuple[ImagePlan, ...]:
    """The images that the plan of the experiment needs here. Raises HostError."""
    try:
        with open(paths.plan, encoding="utf-8") as stream:
            return from_json(stream.read(), paths.plan).images
    except FileNotFoundError as exc:
        raise HostError(f"{paths.experiment} has no host plan here: the role deter.benito.vhost brings it") from exc


def missing_images(paths: ExperimentPaths, dry_run: bool = False) -> list[Missing]:
    """What is not here yet, with a directory made for each. Raises HostError."""
    found = []
    for image in planned_images(paths):
        if _is_whole(image, dry_run):
            continue
        missing = Missing(image.digest, image.name, arriving_at(image.digest, paths.experiment), files_of(image))
        found.append(missing)
        if not dry_run:
            os.makedirs(missing.arriving, mode=0o700, exist_ok=True)  # what an interrupted run brought is not brought again
            os.chmod(missing.arriving, 0o700)  # whoever made it
    if not dry_run:
        _sweep()
    return found


def arrived(missing: Missing) -> dict[str, str]:
    """{file: SHA-256} of what an interrupted run has brought, whole or in part; image.json always comes."""
    found = {}
    for name in missing.files[:-1]:
        try:
            found[name] = _sha256(f"{missing.arriving}/{name}")
        except FileNotFoundError:
            pass
    return found


def take_in(paths: ExperimentPaths) -> list[str]:
    """Make images of what has arrived, each file with the checksum in image.json. Returns changes in words.

    Raises HostError for a file that is absent or damaged (what arrived of that image is removed), and for a
    container's image that cannot start here.
    """
    changes = []
    for image in planned_images(paths):
        if not _is_whole(image):
            _prove_and_rename(image, arriving_at(image.digest, paths.experiment))
            changes.append(f"image {image.name} ({image.digest}): brought here")
        _refuse_what_cannot_start(image)
    return changes


def files_of(image: ImagePlan) -> tuple[str, ...]:
    """The files of an image, image.json last."""
    if image.form == "root":
        return ("root.tar.zst", NOTE)
    return ("disk", "kernel", "initrd", NOTE) if image.kernel else ("disk", NOTE)


def _is_whole(image: ImagePlan, dry_run: bool = False) -> bool:
    """Whether the image is here with every file as it was made. Only what has changed since that was proven is read."""
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
    write_atomically(f"{directory}/{PROVEN}", json.dumps(found), 0o644)


def _proven(directory: str) -> dict:
    try:
        return read_json(f"{directory}/{PROVEN}", {})
    except HostError:
        return {}


def _stamp(path: str) -> list[int]:
    """What no change of a file leaves as it was: nobody can set the time of its last change of state."""
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _prove_and_rename(image: ImagePlan, arriving: str) -> None:
    try:
        note = read_note(f"{arriving}/{NOTE}")
        if (note.get("digest"), note.get("form")) != (image.digest, image.form):
            raise HostError(f"image {image.name}: what arrived is {note.get('digest')} of form {note.get('form')}, the plan wants {image.digest}, {image.form}")
        for name in files_of(image)[:-1]:
            expected = note["files"].get(name, {}).get("sha256")
            if _sha256(f"{arriving}/{name}") != expected:
                raise HostError(f"image {image.name}: the file {name} was damaged on its way here: swap in again. "
                                f"If it stays so, it is damaged on the controller: remove cache/images/{image.digest} there")
            os.chmod(f"{arriving}/{name}", 0o644)
    except FileNotFoundError as exc:
        raise HostError(f"image {image.name}: {exc.filename} has not arrived") from exc
    except HostError:
        shutil.rmtree(arriving, ignore_errors=True)
        raise
    os.chmod(f"{arriving}/{NOTE}", 0o644)
    os.chmod(arriving, 0o755)
    for name in files_of(image):
        with open(f"{arriving}/{name}", "rb") as stream:
            os.fsync(stream.fileno())
    directory = f"{IMAGES}/{image.digest}"
    try:
        os.rename(arriving, directory)
    except OSError as exc:
        if exc.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        for name in files_of(image):  # one by one: what was made of a damaged image, and stands on it now, stays
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
    """What an image.json says, with the files that it names. Raises HostError, OSError."""
    with open(path, encoding="utf-8") as stream:
        try:
            note = json.load(stream)
        except ValueError as exc:
            raise HostError(f"{path} is damaged: {exc}") from exc
    files = note.get("files") if isinstance(note, dict) else None
    if not isinstance(files, dict) or not all(isinstance(known, dict) for known in files.values()):
        raise HostError(f"{path} is damaged: it names no files")
    return note


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while True:
            block = stream.read(1 << 20)
            if not block:
                return digest.hexdigest()
            digest.update(block)


def _sweep() -> None:
    """Remove what runs that never came back have brought."""
    try:
        names = os.listdir(IMAGES)
    except FileNotFoundError:
        return
    for name in names:
        path = f"{IMAGES}/{name}"
        if name.startswith(_ARRIVING) and time.time() - max([os.stat(path).st_mtime, *(entry.stat().st_mtime for entry in os.scandir(path))]) > _STALE_S:
            shutil.rmtree(path, ignore_errors=True)
