# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep images in a directory, each in a directory of its own named by its digest, complete or not there at all. Only its owner can enter it.

    image.json   written last: the fields of ImagePlan, ``systemd`` (its version) and ``files``, {name: {sha256, size}}
    root.tar.zst | disk [, kernel, initrd]
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable

from ..errors import HostError
from ..files import locked, private_directory, read_text, write_text
from ..hostplan import ImagePlan

NOTE = "image.json"
_PARTIAL = ".partial-"
_KEPT_DAYS = 30
_LOCK_SECONDS = 3600


class ImageStore:
    """The images in ``directory``, which belongs to this machine's user."""

    def __init__(self, directory: str):
        self.directory = directory

    def path(self, digest: str) -> str:
        """Return the directory of the image, whether it is there or not."""
        return os.path.join(self.directory, digest)

    def has(self, digest: str) -> bool:
        """Return whether the image is there, complete, each file with its original size."""
        try:
            files = json.loads(read_text(os.path.join(self.path(digest), NOTE))).get("files", {})
            return bool(files) and all(os.path.getsize(os.path.join(self.path(digest), name)) == known["size"] for name, known in files.items())
        except (ValueError, OSError):
            return False

    def ensure(self, plan: ImagePlan, make: Callable[[str], int]) -> bool:
        """Provide the image ``plan``, which ``make`` makes if it is missing.

        make  puts its files into an empty directory and returns the version of its systemd, 0 for unknown

        Returns whether it was made. An exception of ``make`` leaves nothing. Raises HostError.
        """
        private_directory(self.directory)
        if self.has(plan.digest):
            return False
        with locked(os.path.join(self.directory, ".lock"), "the cache of images", limit_s=_LOCK_SECONDS):
            if self.has(plan.digest):
                return False
            self._sweep()
            partial = tempfile.mkdtemp(prefix=_PARTIAL, dir=self.directory)
            try:
                write_note(partial, plan, make(partial))
                shutil.rmtree(self.path(plan.digest), ignore_errors=True)  # a damaged one
                os.rename(partial, self.path(plan.digest))
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        return True

    def _sweep(self) -> None:
        """Remove what interrupted runs left, and images that no experiment asked for in a month. The caller holds the lock."""
        for entry in os.listdir(self.directory):
            path = os.path.join(self.directory, entry)
            if entry.startswith(_PARTIAL) or (entry[0] != "." and time.time() - _used(path) > _KEPT_DAYS * 86400):
                shutil.rmtree(path, ignore_errors=True)

    def touch(self, digest: str) -> None:
        """Note that an experiment wants the image."""
        with contextlib.suppress(OSError):
            os.utime(self.path(digest))


def _used(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return time.time()


def write_note(directory: str, plan: ImagePlan, systemd: int) -> None:
    """Write image.json about the files in ``directory``. ``systemd``: the version of the system's, 0 for unknown."""
    files = {name: {"sha256": sha256_of(path), "size": os.path.getsize(path)}
             for name, path in ((name, os.path.join(directory, name)) for name in sorted(os.listdir(directory)))}
    write_text(os.path.join(directory, NOTE), json.dumps({**dataclasses.asdict(plan), "systemd": systemd, "files": files}, indent=1) + "\n", 0o600)
    os.chmod(directory, 0o700)
    for name in files:
        os.chmod(os.path.join(directory, name), 0o600)


def sha256_of(path: str) -> str:
    """Return the SHA-256 of the file ``path`` in hexadecimal. Raises HostError: it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        raise HostError(f"{path} cannot be read: {exc.strerror}") from exc
