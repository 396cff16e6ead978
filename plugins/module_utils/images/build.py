# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build an image from its recipe: make a Debian system in a directory, remove its identity, pack it as its form requires."""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping

from ..commands import PATH, run
from ..debian.bootstrap import debootstrap, mask, remove_host_keys, trust
from ..errors import HostError
from ..files import read_text, write_text
from .initrd import SIZE_NOTE, initrd
from .recipe import DISK, Recipe

NEEDED_COMMANDS = {"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "tar": "tar", "zstd": "zstd", "dpkg": "dpkg", "apt-config": "apt"}
NEEDED_FOR_DISKS = {"mke2fs": "e2fsprogs", "qemu-img": "qemu-utils"}
_LEAST_FREE_MIB = 3000
_SECTOR = 512

_NOT_KEPT = ("var/cache/apt/*.bin", "var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "var/log/*.log", "var/log/apt/*", "var/cache/debconf/*-old",
             "var/lib/dpkg/*-old", "var/cache/ldconfig/aux-cache", "var/lib/systemd/random-seed", "var/lib/dbus/machine-id", "boot/initrd.img*",
             "etc/resolv.conf")
_WITHOUT_DOCUMENTATION = [
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info", "lintian", "bug")),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright", "--dpkgopt=path-include=/usr/share/locale/locale.alias",
]

Report = Callable[[str], None]
"""A function that is called with the name of each phase of making an image."""


def silent(_phase: str) -> None:
    """Report nothing."""


def lacking(commands: Mapping[str, str]) -> list[str]:
    """Return the packages of those ``commands`` {command: package} that this machine does not have."""
    return sorted({package for command, package in commands.items() if not shutil.which(command, path=PATH)})


def require(commands: Mapping[str, str]) -> None:
    """Check that this machine has the ``commands`` {command: package}. Raises HostError with the packages of those it lacks."""
    missing = lacking(commands)
    if missing:
        raise HostError(f"to make images this machine lacks the packages {' '.join(missing)}: apt-get install {' '.join(missing)}")


def needed_commands(form: str) -> dict[str, str]:
    """Return {command: package} of what building an image of ``form`` takes."""
    return {**NEEDED_COMMANDS, **(NEEDED_FOR_DISKS if form == DISK else {})}


def build(recipe: Recipe, directory: str, report: Report = silent) -> int:
    """Put the files of the image into ``directory``, which takes a minute. Returns the version of its systemd. Raises HostError.

    report  called with the name of each phase
    """
    if os.geteuid():
        raise HostError("only root can build images: run the playbook with sudo, or name images that are fetched")
    require(needed_commands(recipe.form))
    free = shutil.disk_usage(directory).free >> 20
    if free < _LEAST_FREE_MIB:
        raise HostError(f"{directory} has {free} MiB free; building an image takes {_LEAST_FREE_MIB}")
    root = os.path.join(directory, "system")
    report("fetching and installing packages")
    debootstrap(root, recipe.suite, recipe.sources, recipe.packages, recipe.apt_options, _WITHOUT_DOCUMENTATION)
    _finish(root, recipe)
    report("packing")
    pack = _pack_disk if recipe.form == DISK else _pack_root
    pack(root, directory, recipe)
    version = systemd_version(glob.glob(os.path.join(glob.escape(root), "usr/lib/*/systemd/libsystemd-shared-*.so")))
    shutil.rmtree(root)
    return version


def systemd_version(paths: Iterable[str]) -> int:
    """Return the version of systemd of a system with these files, 0 for unknown."""
    found = (re.search(r"/libsystemd-shared-([0-9]+)[^/]*\.so$", path) for path in paths)
    return max((int(match[1]) for match in found if match), default=0)


def _finish(root: str, recipe: Recipe) -> None:
    """Turn a plain Debian into a node's system: quick to boot, without an identity."""
    mask(root, recipe.masked)
    mask(root, recipe.generators, "system-generators")
    remove_host_keys(root)
    for path, text in recipe.files:
        write_text(os.path.join(root, path), text)
    trust(root, recipe.certificates)
    # a connection made before sshd runs waits for it
    run("chroot", root, "systemctl", "enable", "ssh.socket")
    for pattern in _NOT_KEPT:
        for path in glob.glob(os.path.join(glob.escape(root), pattern)):
            _remove(path)
    _shorten(root, "usr/lib/udev/rules.d/99-systemd.rules", "etc/udev/rules.d/99-systemd.rules", "systemd-sysctl")
    write_text(os.path.join(root, "etc/machine-id"), "")
    write_text(os.path.join(root, "etc/hostname"), "node\n")


def _shorten(root: str, path: str, copy: str, word: str) -> None:
    """Write a copy of a file, without the lines that contain ``word``, where it overrides the file. Do nothing if there is no such file."""
    if os.path.exists(os.path.join(root, path)):
        lines = read_text(os.path.join(root, path)).splitlines(keepends=True)
        write_text(os.path.join(root, copy), "".join(line for line in lines if word not in line))


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _pack_root(root: str, directory: str, _recipe: Recipe) -> None:
    run("tar", "--create", "--file", os.path.join(directory, "root.tar.zst"), "--use-compress-program", "zstd -T0 -3", "--numeric-owner", "--xattrs",
        "--xattrs-include=*", "--one-file-system", "--sort=name", "--directory", root, ".", seconds=900)


def _pack_disk(root: str, directory: str, recipe: Recipe) -> None:
    """Write kernel and initial RAM disk as files of their own, the rest as an ext4 file system on a whole disk."""
    kernels = sorted(os.listdir(os.path.join(root, "lib/modules")))
    if len(kernels) != 1:
        raise HostError(f"image {recipe.name} has {len(kernels)} kernels: {' '.join(kernels)}; it must have one")
    shutil.copyfile(os.path.join(root, "boot", f"vmlinuz-{kernels[0]}"), os.path.join(directory, "kernel"))
    with open(os.path.join(directory, "initrd"), "wb") as stream:
        stream.write(initrd(root, kernels[0]))
    write_text(os.path.join(root, SIZE_NOTE), f"{recipe.disk_mb * (1 << 20) // _SECTOR}\n")
    raw = os.path.join(directory, "raw")
    with open(raw, "wb") as stream:
        stream.truncate(recipe.disk_mb << 20)
    # no check by age or number of mounts; a small journal; inode tables are left to be zeros, as the whole file is
    run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-m", "1", "-J", "size=16", "-E", "lazy_itable_init=1,lazy_journal_init=1,assume_storage_prezeroed=1",
        "-d", root, raw, seconds=600)
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd", raw, os.path.join(directory, "disk"), seconds=900)
    os.unlink(raw)
