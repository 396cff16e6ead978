# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The initial RAM disk: the modules that lead to the disk, in order, as the kernel can read them."""

from __future__ import annotations

import lzma
import shutil
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.images.initrd import MODULES, initrd, module_files


@pytest.fixture
def system(tmp_path):
    """A system with busybox and a kernel 6.1 whose ext4 is built in."""
    modules = tmp_path / "lib/modules/6.1"
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text("""\
kernel/virtio_pci.ko: kernel/virtio_pci_legacy.ko kernel/virtio_ring.ko.xz kernel/virtio.ko
kernel/virtio_pci_legacy.ko:
kernel/virtio-blk.ko.xz: kernel/virtio_ring.ko.xz kernel/virtio.ko
kernel/virtio_ring.ko.xz: kernel/virtio.ko
kernel/virtio.ko:
kernel/crc32c_generic.ko:
kernel/failover.ko:
kernel/net_failover.ko: kernel/failover.ko
kernel/virtio_net.ko: kernel/net_failover.ko kernel/failover.ko kernel/virtio_ring.ko.xz kernel/virtio.ko
kernel/virtio_console.ko: kernel/virtio_ring.ko.xz kernel/virtio.ko
""")
    (modules / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\nkernel/virtio-rng.ko\n")
    (modules / "kernel").mkdir()
    for name in ("virtio_pci", "virtio_pci_legacy", "virtio", "crc32c_generic", "failover", "net_failover", "virtio_net", "virtio_console"):
        (modules / f"kernel/{name}.ko").write_bytes(name.encode())
    for name in ("virtio-blk", "virtio_ring"):
        (modules / f"kernel/{name}.ko.xz").write_bytes(lzma.compress(name.encode()))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/busybox").write_bytes(b"busybox")
    return tmp_path


def test_every_module_comes_after_what_it_needs_and_what_is_built_in_does_not_come(system):
    names = [path.rsplit("/", 1)[1].split(".")[0] for path in module_files(str(system / "lib/modules/6.1"), MODULES)]
    assert names == ["virtio", "virtio_ring", "virtio_pci_legacy", "virtio_pci", "virtio-blk", "crc32c_generic", "failover", "net_failover",
                     "virtio_net", "virtio_console"]


def test_a_module_that_is_nowhere_is_named(system):
    with pytest.raises(HostError, match="has no module btrfs"):
        module_files(str(system / "lib/modules/6.1"), ["btrfs"])


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_cpio_reads_the_archive_and_modules_are_not_compressed_in_it(system, tmp_path):
    target = tmp_path / "unpacked"
    target.mkdir()
    data = initrd(str(system), "6.1")
    subprocess.run(["cpio", "--extract", "--quiet", "--make-directories"], input=data, cwd=target, check=True)
    assert (target / "modules/virtio-blk.ko").read_bytes() == b"virtio-blk"
    assert (target / "modules/order").read_text().split() == [
        "virtio.ko", "virtio_ring.ko", "virtio_pci_legacy.ko", "virtio_pci.ko", "virtio-blk.ko", "crc32c_generic.ko", "failover.ko",
        "net_failover.ko", "virtio_net.ko", "virtio_console.ko"]
    assert (target / "init").stat().st_mode & 0o111
    assert (target / "bin/sh").readlink().name == "busybox"
    subprocess.run(["sh", "-n", str(target / "init")], check=True)


def test_the_same_system_gives_the_same_bytes(system):
    assert initrd(str(system), "6.1") == initrd(str(system), "6.1")
