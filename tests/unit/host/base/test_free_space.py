# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a disk images may take, on a small file system of its own."""

from __future__ import annotations

import io
import os

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import free_space, syscalls
from ansible_collections.deter.benito.plugins.module_utils.host.base.free_space import WriteLimit, copy, require_room, room
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

MIB = 1 << 20


def small_disk(options):
    os.mkdir("/run/disk")
    syscalls.mount("tmpfs", "/run/disk", "tmpfs", 0, options)
    return "/run/disk"


@sandboxed
def test_copying_stops_while_the_reserve_is_still_free(monkeypatch):
    monkeypatch.setattr(free_space, "LEAST_RESERVE", 16 * MIB)
    disk = small_disk("size=64m")
    with open(f"{disk}/image", "wb") as target, pytest.raises(HostError, match=r"image big does not fit: .* MiB stay free for others"):
        copy(io.BytesIO(bytes(80 * MIB)), target, WriteLimit(disk, "image big"))
    free = os.statvfs(disk)
    assert 11 * MIB <= free.f_bavail * free.f_frsize <= 20 * MIB


@sandboxed
def test_an_image_of_known_size_is_refused_before_it_is_written(monkeypatch):
    monkeypatch.setattr(free_space, "LEAST_RESERVE", 16 * MIB)
    disk = small_disk("size=64m")
    require_room(disk, "image fits", 40 * MIB)
    with pytest.raises(HostError, match=r"image big needs 50 MiB: /run/disk has 64 MiB free, of which 16 MiB stay free for others"):
        require_room(disk, "image big", 50 * MIB)
    assert room(disk) == 48 * MIB


@sandboxed
def test_a_disk_without_inodes_takes_no_image(monkeypatch):
    monkeypatch.setattr(free_space, "LEAST_RESERVE", 0)
    disk = small_disk("size=64m,nr_inodes=100")
    for number in range(96):
        with open(f"{disk}/{number}", "wb"):
            pass
    with pytest.raises(HostError, match="has room for only 3 more files"):
        require_room(disk, "image one")


def test_the_reserve_of_a_large_disk_is_bounded(monkeypatch):
    class Large:
        f_bavail = f_blocks = 2 << 28  # 2 TiB
        f_frsize, f_files, f_favail = 4096, 0, 0

    monkeypatch.setattr(os, "statvfs", lambda _path: Large)
    assert room("/") == (2 << 40) - (10 << 30)
