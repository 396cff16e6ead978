# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that others made: fetched by URL or path, proven by their checksum, unpacked, looked into."""

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
import urllib.parse
import urllib.request

from ansible.module_utils.urls import ConnectionError as TransportError
from ansible.module_utils.urls import open_url

from ..commands import PATH, run
from ..embedding.placement.images import DISK, CatalogueImage
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


def fetched_plan(image: CatalogueImage) -> ImagePlan:
    """The image as a host plan names it. Of a path without a checksum the file is read. Raises HostError when it cannot be."""
    sha256 = image.sha256 or sha256_of(_local_path(image))
    disk = image.form == DISK
    content = json.dumps([sha256, image.form, image.format if disk else "", image.architecture, image.cloud_init and disk])
    return ImagePlan(
        digest=hashlib.sha256(content.encode()).hexdigest()[:32], name=image.name, form=image.form, disk_format=image.format if disk else "",
        architecture=image.architecture, cloud_init=disk and image.cloud_init,
    )


def fetch(image: CatalogueImage, directory: str) -> int:
    """Put the image's one file, ``disk`` or ``root.tar.zst``, into ``directory``. Returns the version of its systemd, 0: unknown. Raises HostError."""
    require(NEEDED_COMMANDS)
    packed = os.path.join(directory, "fetched")
    if image.url:
        _download(image, packed)
    else:
        _copy(image, packed)
    version = 0
    if image.form == DISK:
        target = os.path.join(directory, "disk")
        _unpack(image, packed, target)
        _look_into_disk(image, target)
    else:
        version = _pack_root(image, packed, os.path.join(directory, "root.tar.zst"))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(packed)
    return version


def _local_path(image: CatalogueImage) -> str:
    return os.path.expanduser(image.path) if image.path else urllib.request.url2pathname(urllib.parse.urlsplit(image.url).path)


def _download(image: CatalogueImage, target: str) -> None:
    try:
        with open_url(image.url, timeout=_TIMEOUT_S) as source:
            declared = int(source.headers.get("Content-Length") or 0)
            if declared > MOST_BYTES:
                raise HostError(f"image {image.name}: {image.url} has {declared >> 30} GiB, more than {MOST_BYTES >> 30}")
            _room(image, target, declared)
            _copy_checked(image, source, target, image.url)
    except urllib.error.HTTPError as exc:
        raise HostError(f"image {image.name}: {image.url} cannot be fetched: the server says {exc.code} {exc.reason}") from exc
    except (OSError, http.client.HTTPException, ValueError, TransportError) as exc:
        raise HostError(f"image {image.name}: {image.url} cannot be fetched: {getattr(exc, 'reason', None) or exc}") from exc


def _copy(image: CatalogueImage, target: str) -> None:
    path = _local_path(image)
    try:
        with open(path, "rb") as source:
            _room(image, target, os.fstat(source.fileno()).st_size)
            _copy_checked(image, source, target, path)
    except OSError as exc:
        raise HostError(f"image {image.name}: {path} cannot be read: {exc.strerror}") from exc


def _room(image: CatalogueImage, target: str, size: int) -> None:
    free = shutil.disk_usage(os.path.dirname(target)).free
    if size > free:
        raise HostError(f"image {image.name} has {size >> 20} MiB; {os.path.dirname(os.path.dirname(target))} has {free >> 20} MiB free")


def _copy_checked(image: CatalogueImage, source, target: str, what: str) -> None:
    digest, size = hashlib.sha256(), 0
    with open(target, "wb") as stream:
        while block := source.read(_CHUNK):
            size += len(block)
            if size > MOST_BYTES:
                raise HostError(f"image {image.name}: {what} has more than {MOST_BYTES >> 30} GiB")
            digest.update(block)
            stream.write(block)
    if image.sha256 and digest.hexdigest() != image.sha256:
        raise HostError(f"image {image.name}: {what} ({size} bytes) has the sha256 {digest.hexdigest()}, not {image.sha256}: "
                        "it was changed or damaged on its way, or the site's entry is wrong")


@contextlib.contextmanager
def _unpacked(image: CatalogueImage, packed: str):
    """The content of a file that may be compressed, as a stream to read."""
    with open(packed, "rb") as stream:
        head = stream.read(6)
    opener = next((opener for magic, opener in _MAGIC if head.startswith(magic)), None)
    if opener:
        with opener(packed, "rb") as stream:
            yield stream
    elif head.startswith(_ZSTD):
        with subprocess.Popen(["zstd", "-dcq", packed], stdout=subprocess.PIPE, env={"PATH": PATH}) as process:
            yield process.stdout
            process.stdout.close()
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


def _look_into_disk(image: CatalogueImage, disk: str) -> None:
    """A disk is what it is said to be, complete in itself: one that names other files would have vhosts open them."""
    with open(disk, "rb") as stream:
        is_qcow2 = stream.read(4) == b"QFI\xfb"
    if is_qcow2 != (image.format == "qcow2"):
        raise HostError(f"image {image.name} is {'a qcow2 disk' if is_qcow2 else 'no qcow2 disk'}, but its format is said to be {image.format}")
    found = json.loads(run("qemu-img", "info", "--output=json", "-f", image.format, disk, seconds=60).stdout)
    special = found.get("format-specific", {}).get("data", {})
    if "backing-filename" in found or "data-file" in special:
        raise HostError(f"image {image.name} is a disk that needs another file ({found.get('backing-filename') or special.get('data-file')}): "
                        "make it one with qemu-img convert")
    if not 0 < found["virtual-size"] <= 1 << 44:
        raise HostError(f"image {image.name} is a disk of {found['virtual-size']} bytes")


def _pack_root(image: CatalogueImage, packed: str, target: str) -> int:
    """A tar archive, compressed in whatever way, as root.tar.zst; it must hold a system that boots."""
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
            shutil.copyfileobj(stream, process.stdin, _CHUNK)
            process.stdin.close()
    except (OSError, EOFError, lzma.LZMAError) as exc:
        raise HostError(f"image {image.name} cannot be unpacked: {exc}") from exc
    if process.returncode:
        raise HostError(f"image {image.name} cannot be packed: zstd ended with {process.returncode}")
