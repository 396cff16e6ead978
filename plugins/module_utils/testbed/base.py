# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base system that all pnodes share. mmdebstrap builds it once for each recipe.

A base is a directory `<suite>-<architecture>-<hash of the recipe>-<week>` in the cache. It holds the system under `root/`, and under
`users/` one file for each testbed that uses it. It is renamed when it is complete, so an interrupted build is never mistaken for a base.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass

from ..commands import run
from ..debian.bootstrap import debootstrap, host_origin, mask, remove_host_keys, trust
from ..errors import HostError
from ..files import locked, private_directory, read_text, write_text

RELEASES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
"""{the name in package sources: what it is}. The first is the default."""

DEFAULT_RELEASE = next(iter(RELEASES))
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-apt", "iproute2", "iputils-ping", "procps", "sudo", "ca-certificates",
    "nftables", "lxc", "zstd", "e2fsprogs", "qemu-system-x86", "qemu-utils", "genisoimage",
)
"""The packages that Ansible needs, and those that roles would otherwise install on each pnode."""

LEAST_FREE_MIB = 2000
_VERSION = 1
_PARTIAL = ".partial-"  # before the name of a base that is being built or removed

LXC_UNITS = ("lxc.service", "lxc-net.service", "lxc-monitord.service")
"""LXC's own units, which would start containers at boot, on a bridge of their own."""
_MASKED = (
    "systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket", "systemd-udev-trigger.service", "systemd-udev-settle.service",
    "systemd-modules-load.service", "systemd-pstore.service", "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount", "dev-hugepages.mount", "getty.target", "console-getty.service", "e2scrub_reap.service",
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    *LXC_UNITS,
)
"""Units that a pnode does not need at boot, or that would affect the machine whose kernel it shares."""

_SSHD = """\
# Written by deter.benito.local_testbed.
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
MaxSessions 100
MaxStartups 100:30:200
"""


@dataclass(frozen=True)
class Recipe:
    """The input that determines the content of a base."""

    suite: str
    architecture: str
    sources: tuple
    packages: tuple
    apt_options: tuple
    certificates: tuple
    masked: tuple = _MASKED
    sshd: str = _SSHD
    version: int = _VERSION

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def key(self, when: time.struct_time) -> str:
        """Return the name of a base built at ``when``. It changes each week, so that the packages of a new pnode are recent."""
        return f"{self.suite}-{self.architecture}-{self.hash}-{time.strftime('%Gw%V', when)}"


def host_recipe(release: str) -> Recipe:
    """Return the recipe on this machine, with its own package sources."""
    origin = host_origin(release)
    return Recipe(
        suite=release,
        architecture=origin.architecture,
        sources=origin.sources,
        packages=PACKAGES,
        apt_options=origin.apt_options,
        certificates=origin.certificates,
    )


class BaseCache:
    """The bases on this machine, in ``directory``."""

    def __init__(self, directory: str):
        self.directory = os.path.join(directory, "base")

    def root(self, key: str) -> str:
        return os.path.join(self.directory, key, "root")

    def has(self, key: str) -> bool:
        return os.path.isdir(self.root(key))

    def ensure(self, key: str, recipe: Recipe, user: str, user_root: str) -> bool:
        """Build the base ``key`` if it is missing, and note that the testbed ``user``, whose directory is ``user_root``, uses it.

        Return whether it was built.
        """
        private_directory(self.directory)
        with locked(os.path.join(self.directory, ".lock"), "the cache of base systems", limit_s=900):
            built = not self.has(key)
            if built:
                self._sweep()
                self._build(key, recipe)
            write_text(os.path.join(self.directory, key, "users", user), user_root + "\n", 0o600)
        return built

    def release(self, user: str) -> None:
        """Note that the testbed ``user`` uses no base any more."""
        for path in glob.glob(os.path.join(glob.escape(self.directory), "*", "users", user)):
            os.unlink(path)

    def _build(self, key: str, recipe: Recipe) -> None:
        free = shutil.disk_usage(self.directory).free >> 20
        if free < LEAST_FREE_MIB:
            raise HostError(f"{self.directory} has only {free} MiB free: a base system and its pnodes need at least {LEAST_FREE_MIB} MiB")
        partial = os.path.join(self.directory, _PARTIAL + key)
        root = os.path.join(partial, "root")
        os.makedirs(partial, 0o700)
        try:
            _debootstrap(root, recipe)
            _finish(root, recipe)
            os.mkdir(os.path.join(partial, "users"), 0o700)
            os.rename(partial, os.path.join(self.directory, key))
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def _sweep(self) -> None:
        """Remove unfinished builds, and the bases that no testbed uses any more."""
        for entry in os.listdir(self.directory):
            path = os.path.join(self.directory, entry)
            users = glob.glob(os.path.join(glob.escape(path), "users", "*"))
            if entry != ".lock" and not any(os.path.isdir(read_text(user).strip()) for user in users):
                removed = os.path.join(self.directory, f"{_PARTIAL}{entry.removeprefix(_PARTIAL)}")
                os.rename(path, removed)  # so that an interruption leaves no half of a base under its name
                shutil.rmtree(removed)


def _debootstrap(root: str, recipe: Recipe) -> None:
    debootstrap(root, recipe.suite, recipe.sources, recipe.packages, recipe.apt_options, ["--skip=cleanup/apt/lists"])


def _finish(root: str, recipe: Recipe) -> None:
    """Turn a plain Debian into a pnode's system, which boots quickly and has no identity yet."""
    mask(root, recipe.masked)
    remove_host_keys(root)
    write_text(os.path.join(root, "etc/ssh/sshd_config.d/benito.conf"), recipe.sshd)
    write_text(os.path.join(root, "etc/default/locale"), "LANG=C.UTF-8\n")
    write_text(os.path.join(root, "etc/fstab"), "")
    trust(root, recipe.certificates)
    run("chroot", root, "systemctl", "enable", "systemd-networkd.service")
