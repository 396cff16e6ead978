# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes with a system of their own (openvz, qemu) are made with, beside the topology and the machines."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import BenitoError
from ...hostplan import ImagePlan, UserPlan


@dataclass(frozen=True)
class Resources:
    """memory_mb and disk_mb in MiB, cpus in processors; 0: no limit, for the disk that of the image."""

    memory_mb: int = 0
    cpus: int = 0
    disk_mb: int = 0


@dataclass(frozen=True)
class Provisioning:
    """images and resources: {node: its own}; users: accounts on all of them; root_keys: SSH public keys that log in as root."""

    images: dict[str, ImagePlan] = field(default_factory=dict)
    resources: dict[str, Resources] = field(default_factory=dict)
    users: tuple[UserPlan, ...] = ()
    root_keys: tuple[str, ...] = ()

    def image(self, node: str) -> ImagePlan:
        """Raises BenitoError when the node has none."""
        if node not in self.images:
            raise BenitoError(f"node {node} has no image to be made of")
        return self.images[node]
