# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a disk image as a user would bring it: Debian 12 with cloud-init on the first partition, booted by GRUB from the boot sector.

It needs no loop device: mke2fs fills the file system, and GRUB's two stages are written in front of it as bytes. Nothing of benito is in it.
Manuals, drivers of other machines and the late modules of cloud-init are left out, because they take minutes under emulation.
"""

from __future__ import annotations

import hashlib
import inspect
import shutil
import struct
import sys
import tempfile
from pathlib import Path

from ansible_collections.deter.benito.plugins.module_utils.commands import run
from ansible_collections.deter.benito.plugins.module_utils.debian.bootstrap import debootstrap, host_origin, trust

SUITE = "bookworm"
MARK = "etc/made-by-a-user"
_PACKAGES = ("systemd-sysv", "udev", "linux-image-cloud-amd64", "grub-pc-bin", "grub-common", "cloud-init", "cloud-guest-utils", "netplan.io", "openssh-server",
             "sudo", "iproute2", "iputils-ping", "ca-certificates", "procps", "e2fsprogs", "fdisk", "zstd")
_DISK_MB = 2048
_SECTOR = 512
_FIRST = 2048  # sector of the partition
_BOOT_CODE = 440  # bytes of the boot sector before the partition table
_GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "serial", "terminal", "normal")
_LEAN = [
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info")),
    "--essential-hook=mkdir -p $1/etc/initramfs-tools/conf.d $1/usr/share/initramfs-tools/modules.d",
    "--essential-hook=echo MODULES=list > $1/etc/initramfs-tools/conf.d/lean",
    "--essential-hook=printf 'virtio_pci\\nvirtio_blk\\ncrc32c_generic\\next4\\n' > $1/usr/share/initramfs-tools/modules.d/lean",
]
_CLOUD = """\
datasource_list: [NoCloud]
cloud_config_modules: []
cloud_final_modules: []
"""
_GRUB = """\
serial --unit=0
terminal_input serial
terminal_output serial
set root=(hd0,msdos1)
linux /vmlinuz root=LABEL=stranger ro console=ttyS0
initrd /initrd.img
boot
"""


def cloud_image(cache: Path) -> Path:
    """Return the image as qcow2, compressed with zstd. It is built, which takes a minute or two, unless ``cache`` has one of the same recipe."""
    cache = cache.resolve()
    recipe = hashlib.sha256(inspect.getsource(sys.modules[__name__]).encode()).hexdigest()[:16]
    image = cache / f"stranger-{recipe}.qcow2.zst"
    if not image.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=cache) as folder:
            _make(Path(folder)).rename(image)
    return image


def _partition_table() -> bytes:
    """Return a partition table with one bootable Linux partition that fills the disk, and the signature of a boot sector."""
    only = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", _FIRST, _DISK_MB * (1 << 20) // _SECTOR - _FIRST)
    return only.ljust(64, b"\0") + b"\x55\xaa"


def _make(folder: Path) -> Path:
    root, raw, disk = folder / "root", folder / "raw", folder / "disk.qcow2"
    origin = host_origin(SUITE)
    debootstrap(str(root), SUITE, origin.sources, _PACKAGES, origin.apt_options, _LEAN, initrd=True)
    trust(str(root), origin.certificates)
    (root / "etc/fstab").write_text("LABEL=stranger / ext4 defaults 0 1\n")
    (root / MARK).touch()
    (root / "etc/cloud/cloud.cfg.d/90_lean.cfg").write_text(_CLOUD)
    run("chroot", str(root), "systemctl", "mask", "cloud-config.service", "cloud-final.service")
    for path in [*root.glob("etc/ssh/ssh_host_*"), *root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*_*")]:
        path.unlink()
    (root / "grub.cfg").write_text(_GRUB)
    run("chroot", str(root), "grub-mkimage", "--format=i386-pc", "--prefix=/", "--config=/grub.cfg", "--output=/core.img", *_GRUB_MODULES)
    boot, core = (root / "usr/lib/grub/i386-pc/boot.img").read_bytes(), (root / "core.img").read_bytes()
    assert len(core) <= (_FIRST - 1) * _SECTOR

    with raw.open("wb") as stream:
        stream.truncate(_DISK_MB << 20)
    run("mke2fs", "-q", "-t", "ext4", "-L", "stranger", "-O", "^metadata_csum_seed", "-E", f"offset={_FIRST * _SECTOR}", "-d", str(root), str(raw),
        f"{(_DISK_MB << 10) - _FIRST // 2}k", seconds=600)
    with raw.open("r+b") as stream:
        stream.write(boot[:_BOOT_CODE].ljust(_BOOT_CODE + 6, b"\0") + _partition_table())
        stream.seek(_SECTOR)
        stream.write(core)  # grub-mkimage has made it load its remaining sectors from right behind
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(disk), seconds=600)
    shutil.rmtree(root)
    run("zstd", "-q", "-1", "-T0", "--rm", str(disk), seconds=600)
    return folder / "disk.qcow2.zst"
