# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images, resources, accounts and keys of nodes with a system of their own (openvz, qemu)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import BenitoError
from ...hostplan import ImagePlan, UserPlan


@dataclass(frozen=True)
class Resources:
    """The resources of a node: ``memory_mb`` and ``disk_mb`` in MiB, ``cpus`` in processors. 0 means no limit; for the disk, the image's size.

    cpu_model  qemu: QEMU's name of its processor; "" for the widest
    """

    memory_mb: int = 0
    cpus: int = 0
    disk_mb: int = 0
    cpu_model: str = ""


@dataclass(frozen=True)
class Provisioning:
    """The parts of binding's input that come from neither the topology nor the machines.

    images     {node: its own}
    resources  {node: its own}
    users      accounts on all of these nodes
    root_keys  SSH public keys that may log in as root
    """

    images: dict[str, ImagePlan] = field(default_factory=dict)
    resources: dict[str, Resources] = field(default_factory=dict)
    users: tuple[UserPlan, ...] = ()
    root_keys: tuple[str, ...] = ()

    def image(self, node: str) -> ImagePlan:
        """Return the image of ``node``. Raises BenitoError when it has none."""
        if node not in self.images:
            raise BenitoError(f"node {node} has no image to be made of")
        return self.images[node]
