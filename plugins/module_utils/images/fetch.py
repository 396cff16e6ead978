# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch images that others made: read them from where they are, compare their checksum, unpack them, look into them."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import http.client
import json
import lzma
import os
import re
import shutil
import subprocess
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, cast

from ansible.module_utils.urls import ConnectionError as TransportError
from ansible.module_utils.urls import open_url

from ..commands import PATH, run
from ..embedding.placement.catalogue import DISK, URL, CatalogueImage
from ..embedding.placement.catalogue import PATH as LOCAL_PATH
from ..errors import HostError
from ..hostplan import ImagePlan
from .build import require, systemd_version
from .store import sha256_of

MOST_BYTES = 64 << 30
NEEDED_COMMANDS = {"qemu-img": "qemu-utils", "tar": "tar", "zstd": "zstd"}
_CHUNK = 1 << 20
_TIMEOUT_S = 60
_INIT = re.compile(r"(\./)?(sbin/init|(usr/)?lib/systemd/systemd)")
_MAGIC = ((b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open), (b"\x1f\x8b", gzip.open))
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class OpenedImage:
    """A file that is being fetched.

    size   in bytes, 0 for unknown
    place  where it comes from, for messages
    """

    stream: BinaryIO
    size: int
    place: str


def fetched_plan(image: CatalogueImage) -> ImagePlan:
    """Return the image as a host plan names it. A file on this machine without a checksum is read. Raises HostError."""
    sha256 = image.sha256 or sha256_of(_local_path(image))
    disk = image.form == DISK
    content = json.dumps([sha256, image.form, image.format if disk else "", image.architecture, image.cloud_init and disk])
    return ImagePlan(
        digest=hashlib.sha256(content.encode()).hexdigest()[:32], name=image.name, form=image.form, disk_format=image.format if disk else "",
        architecture=image.architecture, cloud_init=disk and image.cloud_init,
    )


def fetch(image: CatalogueImage, directory: str) -> int:
    """Put the image's one file, ``disk`` or ``root.tar.zst``, into ``directory``.

    Returns the version of its systemd, 0 for unknown. Raises HostError.
    """
    require(NEEDED_COMMANDS)
    packed = os.path.join(directory, "fetched")
    with OPENERS[image.source](image) as source:
        _require_room(image, packed, source.size)
        _copy_checked(image, source, packed)
    version = 0
    if image.form == DISK:
        target = os.path.join(directory, "disk")
        _unpack(image, packed, target)
        _check_disk(image, target)
    else:
        version = _keep_root(image, packed, os.path.join(directory, "root.tar.zst"))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(packed)
    return version


@contextlib.contextmanager
def _open_url(image: CatalogueImage) -> Iterator[OpenedImage]:
    url = image.reference
    try:
        with open_url(url, timeout=_TIMEOUT_S) as stream:
            size = int(stream.headers.get("Content-Length") or 0)
            if size > MOST_BYTES:
                raise HostError(f"image {image.name}: {url} has {size >> 30} GiB, more than {MOST_BYTES >> 30}")
            yield OpenedImage(stream, size, url)
    except urllib.error.HTTPError as exc:
        raise HostError(f"image {image.name}: {url} cannot be fetched: the server says {exc.code} {exc.reason}") from exc
    except (OSError, http.client.HTTPException, ValueError, TransportError) as exc:
        raise HostError(f"image {image.name}: {url} cannot be fetched: {getattr(exc, 'reason', None) or exc}") from exc


@contextlib.contextmanager
def _open_path(image: CatalogueImage) -> Iterator[OpenedImage]:
    path = _local_path(image)
    try:
        with open(path, "rb") as stream:
            yield OpenedImage(stream, os.fstat(stream.fileno()).st_size, path)
    except OSError as exc:
        raise HostError(f"image {image.name}: {path} cannot be read: {exc.strerror}") from exc


OPENERS: dict[str, Callable[[CatalogueImage], AbstractContextManager[OpenedImage]]] = {URL: _open_url, LOCAL_PATH: _open_path}
"""What opens the file of an image, by the kind of its source."""


def _local_path(image: CatalogueImage) -> str:
    return os.path.expanduser(image.reference)


def _require_room(image: CatalogueImage, target: str, size: int) -> None:
    free = shutil.disk_usage(os.path.dirname(target)).free
    if size > free:
        raise HostError(f"image {image.name} has {size >> 20} MiB; {os.path.dirname(os.path.dirname(target))} has {free >> 20} MiB free")


def _copy_checked(image: CatalogueImage, source: OpenedImage, target: str) -> None:
    """Copy the file and compare its checksum, if the image has one. Raises HostError."""
    digest, size = hashlib.sha256(), 0
    with open(target, "wb") as stream:
        while block := source.stream.read(_CHUNK):
            size += len(block)
            if size > MOST_BYTES:
                raise HostError(f"image {image.name}: {source.place} has more than {MOST_BYTES >> 30} GiB")
            digest.update(block)
            stream.write(block)
    if image.sha256 and digest.hexdigest() != image.sha256:
        raise HostError(f"image {image.name}: {source.place} ({size} bytes) has the sha256 {digest.hexdigest()}, not {image.sha256}: "
                        "the file was changed or damaged, or the site's entry is wrong")


@contextlib.contextmanager
def _unpacked(image: CatalogueImage, packed: str) -> Iterator[BinaryIO]:
    """Open a file that may be compressed, to read its content."""
    with open(packed, "rb") as stream:
        head = stream.read(6)
    opener = next((opener for magic, opener in _MAGIC if head.startswith(magic)), None)
    if opener:
        with opener(packed, "rb") as stream:
            yield cast(BinaryIO, stream)
    elif head.startswith(_ZSTD):
        with subprocess.Popen(["zstd", "-dcq", packed], stdout=subprocess.PIPE, env={"PATH": PATH}) as process:
            content = cast(BinaryIO, process.stdout)
            yield content
            content.close()
        if process.returncode:
            raise HostError(f"image {image.name} cannot be unpacked: zstd ended with {process.returncode}")
    else:
        with open(packed, "rb") as stream:
            yield stream


def _unpack(image: CatalogueImage, packed: str, target: str) -> None:
    try:
        with _unpacked(image, packed) as stream:
            size = 0
            with open(target, "wb") as out:
                while block := stream.read(_CHUNK):
                    size += len(block)
                    if size > MOST_BYTES:
                        raise HostError(f"image {image.name} unpacks to more than {MOST_BYTES >> 30} GiB")
                    if block.count(0) == len(block):  # a raw disk is mostly holes
                        out.seek(len(block), os.SEEK_CUR)
                    else:
                        out.write(block)
                out.truncate(size)
    except (OSError, EOFError, lzma.LZMAError, ValueError) as exc:
        raise HostError(f"image {image.name} cannot be unpacked: {exc}") from exc


def _check_disk(image: CatalogueImage, disk: str) -> None:
    """Check that a disk has the format of its entry and needs no other file, which vhosts would open. Raises HostError."""
    with open(disk, "rb") as stream:
        is_qcow2 = stream.read(4) == b"QFI\xfb"
    if is_qcow2 != (image.format == "qcow2"):
        raise HostError(f"image {image.name} is {'a qcow2 disk' if is_qcow2 else 'no qcow2 disk'}, but its entry says format {image.format}")
    found = json.loads(run("qemu-img", "info", "--output=json", "-f", image.format, disk, seconds=60).stdout)
    special = found.get("format-specific", {}).get("data", {})
    if "backing-filename" in found or "data-file" in special:
        raise HostError(f"image {image.name} is a disk that needs another file ({found.get('backing-filename') or special.get('data-file')}): "
                        "make it one with qemu-img convert")
    if not 0 < found["virtual-size"] <= 1 << 44:
        raise HostError(f"image {image.name} is a disk of {found['virtual-size']} bytes")


def _keep_root(image: CatalogueImage, packed: str, target: str) -> int:
    """Keep a tar archive, compressed by any program, as root.tar.zst. Returns the version of its systemd. Raises HostError: no system that boots."""
    with open(packed, "rb") as stream:
        is_zstd = stream.read(4) == _ZSTD
    if is_zstd:
        os.rename(packed, target)
    else:
        _pack(image, packed, target)
    names = run("tar", "--list", "--use-compress-program", "zstd -d", "--file", target, seconds=600).stdout.splitlines()
    if not any(_INIT.fullmatch(name) for name in names):
        raise HostError(f"image {image.name} is a tar archive without /sbin/init: it must hold the root of a system")
    return systemd_version(names)


def _pack(image: CatalogueImage, packed: str, target: str) -> None:
    zstd = ["zstd", "-q", "-T0", "-o", target]
    try:
        with _unpacked(image, packed) as stream, subprocess.Popen(zstd, stdin=subprocess.PIPE, env={"PATH": PATH}) as process:
            packing = cast(BinaryIO, process.stdin)
            shutil.copyfileobj(stream, packing, _CHUNK)
            packing.close()
    except (OSError, EOFError, lzma.LZMAError) as exc:
        raise HostError(f"image {image.name} cannot be unpacked: {exc}") from exc
    if process.returncode:
        raise HostError(f"image {image.name} cannot be packed: zstd ended with {process.returncode}")
