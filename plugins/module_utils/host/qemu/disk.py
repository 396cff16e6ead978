# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Disks of virtual machines: layers on an image, which all nodes of it share."""

from __future__ import annotations

import os
import subprocess

from ...errors import HostError
from ...hostplan import ImagePlan
from ..base.paths import IMAGES


def make_disk(image: ImagePlan, disk_mb: int, path: str) -> None:
    """A layer on the image, which appears whole or not at all; of the image's size, unless ``disk_mb`` is more. Raises HostError."""
    base = f"{IMAGES}/{image.digest}/disk"
    size = [f"{disk_mb}M"] if disk_mb and disk_mb << 20 > _virtual_size(base, image.disk_format) else []
    command = ("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", image.disk_format, f"{path}.new", *size)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise HostError("qemu-img is not installed on this host: the role deter.benito.qemu_host does it") from exc
    if done.returncode:
        raise HostError(f"{' '.join(command)}: {done.stderr.strip()}")
    os.rename(f"{path}.new", path)


def _virtual_size(path: str, disk_format: str) -> int:
    """Bytes. The header of a qcow2 image tells; a raw one is as large as it is."""
    if disk_format == "raw":
        return os.path.getsize(path)
    with open(path, "rb") as stream:
        return int.from_bytes(stream.read(32)[24:32], "big")
