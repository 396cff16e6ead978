# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the initial RAM disk of the disks built here: it finds the root disk, gives the node its identity, then starts its system.

It holds busybox, the few kernel modules that lead to the disk, and one script. Nothing is compressed, which would take time under emulation.
The identity is a plain tar archive on a virtio disk whose serial number is ``benito-seed``; it is unpacked over the root at each boot,
so systemd starts with the node's own host name, machine id, units and interface names.
"""

from __future__ import annotations

import lzma
import os
import stat
from collections.abc import Iterable

from ..errors import HostError
from ..files import read_text

SEED_SERIAL = "benito-seed"
SIZE_NOTE = "var/lib/benito-disk-sectors"
"""A file of the image with the number of sectors that its file system was made for. On a larger disk it grows at the first boot."""

MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "virtio_net", "virtio_console", "virtio_rng")
"""What udev would otherwise load, at ten times the cost; the network is set up before udev has looked at anything."""
_APPLETS = ("sh", "mount", "umount", "insmod", "cat", "tar", "usleep", "switch_root", "chroot", "mkdir", "mknod")

_INIT = r"""#!/bin/sh
# Written by deter.benito.
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
# what systemd would make at leisure, so that opening them loads their modules
mkdir -p /dev/net
for node in "net/tun 10 200" "fuse 10 229" "loop-control 10 237" "vhost-net 10 238"; do
    set -- $node
    [ -e "/dev/$1" ] || mknod "/dev/$1" c "$2" "$3"
done
fail() { echo "benito: $*" > /dev/console; usleep 200000; exit 1; }
for module in $(cat /modules/order); do insmod "/modules/$module" || fail "the kernel module $module cannot be loaded"; done

root=/dev/vda
for word in $(cat /proc/cmdline); do case "$word" in root=*) root=${word#root=} ;; esac; done
tries=0
until [ -b "$root" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 600 ] || fail "no disk $root after 30 s"
    usleep 50000
done
mount -t ext4 -o rw "$root" /root || fail "$root cannot be mounted"

for serial in /sys/block/vd*/serial; do
    [ "$(cat "$serial" 2>/dev/null)" = SEED_SERIAL ] || continue
    seed=${serial%/serial}
    tar -x -f "/dev/${seed##*/}" -C /root || fail "the identity of this node on /dev/${seed##*/} cannot be unpacked"
done

# the largest size this file system was made or grown for
sectors=$(cat "/sys/class/block/${root##*/}/size")
if [ "$sectors" -gt "$(cat /root/SIZE_NOTE)" ]; then
    mount -o bind /dev /root/dev
    mount -o bind /proc /root/proc
    chroot /root /usr/sbin/resize2fs "$root" && echo "$sectors" > /root/SIZE_NOTE
    umount /root/proc
    umount /root/dev
fi

mount -o move /dev /root/dev
umount /proc
umount /sys
exec switch_root -c /dev/console /root /sbin/init
"""


def initrd(root: str, kernel: str) -> bytes:
    """Return the initial RAM disk for the system in ``root`` and its kernel version. Raises HostError: the system lacks something."""
    modules = [(os.path.basename(path).split(".ko")[0] + ".ko", _module(path)) for path in module_files(os.path.join(root, "lib/modules", kernel), MODULES)]
    archive = _Archive()
    for directory in ("bin", "dev", "proc", "sys", "root", "modules"):
        archive.add(directory, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("bin/busybox", stat.S_IFREG | 0o755, _busybox(root))
    for applet in _APPLETS:
        archive.add(f"bin/{applet}", stat.S_IFLNK | 0o777, b"busybox")
    for name, data in modules:
        archive.add(f"modules/{name}", stat.S_IFREG | 0o644, data)
    archive.add("modules/order", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name, _data in modules).encode())
    script = _INIT.replace("SEED_SERIAL", SEED_SERIAL).replace("SIZE_NOTE", SIZE_NOTE)
    archive.add("init", stat.S_IFREG | 0o755, script.encode())
    return archive.end()


def module_files(directory: str, wanted: Iterable[str]) -> list[str]:
    """Return the files of the kernel modules ``wanted`` and of all they need, in the order of loading. Built-in modules have none.

    directory  of one kernel's modules, with what depmod wrote

    Raises HostError for a module that is neither a file nor built in.
    """
    needs = {}
    for line in read_text(os.path.join(directory, "modules.dep")).splitlines():
        path, _colon, others = line.partition(":")
        needs[path] = others.split()
    by_name = {_name(path): path for path in needs}
    builtin = {_name(line) for line in read_text(os.path.join(directory, "modules.builtin")).split()}
    found: list[str] = []
    for name in wanted:
        if name in builtin:
            continue
        if name not in by_name:
            raise HostError(f"the kernel in {directory} has no module {name}")
        path = by_name[name]
        found += [path for path in (*reversed(needs[path]), path) if path not in found]  # modules.dep names the innermost need last
    return [os.path.join(directory, path) for path in found]


def _name(path: str) -> str:
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def _module(path: str) -> bytes:
    with open(path, "rb") as stream:
        data = stream.read()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if not path.endswith(".ko"):
        raise HostError(f"{path} is compressed by an unknown program")
    return data


def _busybox(root: str) -> bytes:
    for path in ("usr/bin/busybox", "bin/busybox"):
        if os.path.isfile(os.path.join(root, path)):
            with open(os.path.join(root, path), "rb") as stream:
                return stream.read()
    raise HostError("the system of the image has no busybox: it needs the package busybox-static")


class _Archive:
    """A cpio archive in the form that the kernel reads (newc)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0

    def add(self, path: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._count += 1
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self._count, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(name), 0)
        self._parts += [_padded(b"070701" + b"".join(b"%08X" % field for field in fields) + name), _padded(data)]

    def end(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return b"".join(self._parts)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
