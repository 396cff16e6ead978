# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that benito-host runs on a vhost, and the distribution's packages that bring them."""

from __future__ import annotations

from collections.abc import Iterable

from .syscalls import installed

_COMMANDS = {"ip": "iproute2", "bridge": "iproute2", "nft": "nftables"}
_COMMANDS_OF_KIND = {"openvz": {"lxc-start": "lxc", "zstd": "zstd", "tar": "tar", "mkfs.ext4": "e2fsprogs"}}


def missing_packages(kinds: Iterable[str] = ()) -> list[str]:
    """Return the packages that benito-host needs for nodes of these kinds and that are not installed on this host."""
    needed = dict(_COMMANDS)
    for kind in kinds:
        needed.update(_COMMANDS_OF_KIND.get(kind, {}))
    return sorted({package for command, package in needed.items() if not installed(command)})
