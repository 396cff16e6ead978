# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of an image on a vhost: unpacked whole or not at all, however much the archive holds."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import free_space, syscalls
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import IMAGES
from ansible_collections.deter.benito.plugins.module_utils.host.lxc.image import prepare_image, tree
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ImagePlan
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

pytestmark = pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not installed")
MIB = 1 << 20
IMAGE = ImagePlan("e2", "mine", "root")


def arrive(*members, end=None):
    """Put an image on a vhost whose disk has 64 MiB. members: (name, content, type); end: how many bytes of the archive are there."""
    os.makedirs(IMAGES)
    syscalls.mount("tmpfs", IMAGES, "tmpfs", 0, "size=64m,nr_inodes=4096")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content, kind in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind
            tar.addfile(entry, io.BytesIO(content))
    os.mkdir(f"{IMAGES}/e2")
    with open(f"{IMAGES}/e2/root.tar.zst", "wb") as stream:
        stream.write(subprocess.run(["zstd", "-qc"], input=buffer.getvalue(), capture_output=True, check=True).stdout[:end])
    with open(f"{IMAGES}/e2/image.json", "w", encoding="utf-8") as stream:
        stream.write("{}")


def refused():
    with pytest.raises(HostError) as caught:
        prepare_image(IMAGE)
    assert sorted(os.listdir(f"{IMAGES}/e2")) == ["image.json", "root.tar.zst"]
    return str(caught.value)


@pytest.fixture(autouse=True)
def reserve(monkeypatch):
    monkeypatch.setattr(free_space, "LEAST_RESERVE", 8 * MIB)


@sandboxed
def test_a_tree_is_unpacked_with_shifted_owners():
    arrive(("sbin/init", b"init", tarfile.REGTYPE), ("./dev/null", b"", tarfile.REGTYPE))
    assert prepare_image(IMAGE) == ["image mine: unpacked"] and prepare_image(IMAGE) == []
    assert os.stat(f"{tree('e2')}/sbin/init").st_uid == 100000 and not os.path.exists(f"{tree('e2')}/dev/null")
    assert sorted(os.listdir(f"{IMAGES}/e2")) == sorted(["image.json", "root.tar.zst", os.path.basename(tree("e2"))])


@sandboxed
def test_an_archive_that_does_not_fit_leaves_the_reserve_and_no_tree(monkeypatch):
    arrive(("sbin/init", b"init", tarfile.REGTYPE), ("harm", bytes(96 * MIB), tarfile.REGTYPE))
    least, add = [], free_space.WriteLimit.add
    monkeypatch.setattr(free_space.WriteLimit, "add", lambda limit, size: least.append(shutil.disk_usage(IMAGES).free) or add(limit, size))
    assert f"image mine does not fit: {IMAGES} has " in refused()
    assert min(least) > 2 * MIB and shutil.disk_usage(IMAGES).free > 60 * MIB


@sandboxed
def test_an_archive_of_more_files_than_fit_leaves_no_tree():
    arrive(*((f"f{number}", b"", tarfile.REGTYPE) for number in range(20000)))
    assert "more files" in refused() and os.statvfs(IMAGES).f_favail > 4000


@sandboxed
def test_an_archive_that_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr(free_space, "MOST_BYTES", 16 * MIB)
    arrive(("harm", bytes(20 * MIB), tarfile.REGTYPE))
    assert "is too much for an image" in refused()


@sandboxed
def test_a_damaged_archive_leaves_no_tree():
    arrive(("sbin/init", os.urandom(MIB), tarfile.REGTYPE), end=100000)
    assert "image mine cannot be unpacked: " in refused()
    with open(f"{IMAGES}/e2/root.tar.zst", "wb") as stream:
        stream.write(subprocess.run(["zstd", "-qc"], input=b"no archive" * 1000, capture_output=True, check=True).stdout)
    assert "tar: " in refused()


@pytest.mark.parametrize("missing", ["zstd", "tar"])
@sandboxed
def test_a_host_without_the_programs_says_which_is_missing(tmp_path, missing):
    arrive(("sbin/init", b"init", tarfile.REGTYPE))
    for name in {"zstd", "tar"} - {missing}:
        (tmp_path / name).symlink_to(shutil.which(name))
    os.environ["PATH"] = str(tmp_path)
    assert f"No such file or directory: '{missing}'" in refused()
