# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch images that others made: open them (opening), compare their checksum, unpack them, look into them.

Any of them may be made to do harm: what they unpack to is limited.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import json
import lzma
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from ..commands import PATH, run
from ..embedding.placement.catalogue import DISK, CatalogueImage
from ..errors import HostError
from ..host.base.free_space import WriteLimit, copy
from ..hostplan import ImagePlan
from .build import Report, require, silent, systemd_version
from .opening import OpenedImage, opened

NEEDED_COMMANDS = {"qemu-img": "qemu-utils", "tar": "tar", "zstd": "zstd", "prlimit": "util-linux"}
_CHUNK = 1 << 20
_INIT = re.compile(r"(\./)?(sbin/init|(usr/)?lib/systemd/systemd)")
_MAGIC = ((b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open), (b"\x1f\x8b", gzip.open))
_ZSTD = b"\x28\xb5\x2f\xfd"
_LONGEST_NAME = 1 << 16
_TAR_MEMORY = 1 << 30
"""The most memory of tar, which reads whole headers into it, in bytes."""


def fetched_plan(image: CatalogueImage) -> ImagePlan:
    """Return the image as a host plan names it. A file on this machine without a checksum is read. Raises HostError."""
    disk = image.form == DISK
    content = json.dumps([image.sha256 or _read_sha256(image), image.form, image.format if disk else "", image.architecture, image.cloud_init and disk])
    return ImagePlan(
        digest=hashlib.sha256(content.encode()).hexdigest()[:32], name=image.name, form=image.form, disk_format=image.format if disk else "",
        architecture=image.architecture, cloud_init=disk and image.cloud_init,
    )


def _read_sha256(image: CatalogueImage) -> str:
    with opened(image) as source:
        return hashlib.file_digest(source.stream, "sha256").hexdigest()  # type: ignore[arg-type]  # a BinaryIO has what it reads by


def fetch(image: CatalogueImage, directory: str, report: Report = silent) -> int:
    """Put the image's one file, ``disk`` or ``root.tar.zst``, into ``directory``.

    report  called with the name of each phase

    Returns the version of its systemd, 0 for unknown. Raises HostError; then the caller removes ``directory``.
    """
    require(NEEDED_COMMANDS)
    packed = os.path.join(directory, "fetched")
    report("fetching")
    with opened(image) as source:
        _limit(image, packed).require(source.size)
        _copy_checked(image, source, packed)
    version = 0
    report("unpacking and checking")
    if image.form == DISK:
        target = os.path.join(directory, "disk")
        _unpack(image, packed, target)
        _check_disk(image, target)
    else:
        version = _keep_root(image, packed, os.path.join(directory, "root.tar.zst"))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(packed)
    return version


def _limit(image: CatalogueImage, target: str) -> WriteLimit:
    """Return a new count of the bytes of a file ``target``. Messages name the cache, not the directory of an unfinished image in it."""
    return WriteLimit(os.path.dirname(os.path.dirname(target)), f"image {image.name}")


def _copy_checked(image: CatalogueImage, source: OpenedImage, target: str) -> None:
    """Copy the file and compare its checksum, if the image has one. Raises HostError.

    The message has no checksum or size of a file of this machine: who reads it may not be allowed to read the file.
    """
    digest, size, limit = hashlib.sha256(), 0, _limit(image, target)
    with open(target, "wb") as stream:
        while block := source.stream.read(_CHUNK):
            size += len(block)
            limit.add(len(block))
            digest.update(block)
            stream.write(block)
    if image.sha256 and digest.hexdigest() != image.sha256:
        found = "does not have the sha256" if source.local else f"({size} bytes) has the sha256 {digest.hexdigest()}, not"
        raise HostError(f"image {image.name}: {source.place} {found} {image.sha256}: the file was changed or damaged, or the site's entry is wrong")


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
    size, limit = 0, _limit(image, target)
    try:
        with _unpacked(image, packed) as stream, open(target, "wb") as out:
            while block := stream.read(_CHUNK):
                size += len(block)
                limit.add(len(block))
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
        _count(image, packed)
        os.rename(packed, target)
    else:
        _pack(image, packed, target)
    names = list(_system_files(image, target))
    if not any(_INIT.fullmatch(name) for name in names):
        raise HostError(f"image {image.name} is a tar archive without /sbin/init: it must hold the root of a system")
    return systemd_version(names)


def _count(image: CatalogueImage, packed: str) -> None:
    """Unpack the file to nowhere, to learn that it does not unpack to too much for this machine. Raises HostError."""
    with _unpacked(image, packed) as stream, open(os.devnull, "wb") as nowhere:
        copy(stream, nowhere, _limit(image, packed))


def _pack(image: CatalogueImage, packed: str, target: str) -> None:
    zstd = ["zstd", "-q", "-T0", "-o", target]
    try:
        with _unpacked(image, packed) as stream, subprocess.Popen(zstd, stdin=subprocess.PIPE, env={"PATH": PATH}) as process:
            copy(stream, cast(BinaryIO, process.stdin), _limit(image, target))
    except (OSError, EOFError, lzma.LZMAError) as exc:
        raise HostError(f"image {image.name} cannot be unpacked: {exc}") from exc
    if process.returncode:
        raise HostError(f"image {image.name} cannot be packed: zstd ended with {process.returncode}")


def _system_files(image: CatalogueImage, archive: str) -> Iterator[str]:
    """Yield the names of those files in a tar archive that tell which init it has. Raises HostError.

    An archive may have any number of names, of any length, so they are never all in memory.
    """
    command = ["prlimit", f"--as={_TAR_MEMORY}", "tar", "--list", "--use-compress-program", "zstd -d", "--file", archive]
    with tempfile.TemporaryFile() as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env={"PATH": PATH}) as process:
        output = cast(BinaryIO, process.stdout)
        while line := output.readline(_LONGEST_NAME):
            name = os.fsdecode(line.rstrip(b"\n"))
            if _INIT.fullmatch(name) or systemd_version([name]):
                yield name
        if process.wait():
            errors.seek(0)
            message = errors.read(_LONGEST_NAME).decode(errors="replace").strip().splitlines()[-1:]
            raise HostError(f"image {image.name} is no tar archive that can be read: {' '.join(message)}")
