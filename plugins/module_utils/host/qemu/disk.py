# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks of virtual machines: layers over an image, which all its nodes share."""

from __future__ import annotations

import os
import subprocess

from ...errors import HostError
from ...hostplan import ImagePlan
from ..base.paths import IMAGES


def make_disk(image: ImagePlan, disk_mb: int, path: str) -> None:
    """Make a layer over the image, whole or not at all. It has the image's size, unless ``disk_mb`` is larger. Raises HostError."""
    base = f"{IMAGES}/{image.digest}/disk"
    size = [f"{disk_mb}M"] if disk_mb and disk_mb << 20 > _virtual_size(base, image.disk_format) else []
    command = ("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", image.disk_format, f"{path}.new", *size)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise HostError("qemu-img is not installed on this host: the role deter.benito.qemu_host installs it") from exc
    if done.returncode:
        raise HostError(f"{' '.join(command)}: {done.stderr.strip()}")
    os.rename(f"{path}.new", path)


def _virtual_size(path: str, disk_format: str) -> int:
    """Return the size of the disk in bytes, from the header of a qcow2 image or the size of a raw one."""
    if disk_format == "raw":
        return os.path.getsize(path)
    with open(path, "rb") as stream:
        return int.from_bytes(stream.read(32)[24:32], "big")
