# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of an image that all its openvz nodes on a host share. It is unpacked once, with shifted owners, and boots quickly."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import stat
import struct
import subprocess
import tempfile
from contextlib import suppress

from ...errors import HostError
from ...hostplan import ImagePlan
from ..base.free_space import WriteLimit, copy
from ..base.locks import image_lock
from ..base.paths import IMAGES
from ..guest.network import GuestFile
from .config import FIRST_ID, IDS
from .files import Tree

_LAST_LEGACY = 257  # the last systemd that runs under version 1 of cgroups
_FREE_LEGACY = 255  # the last systemd that does so without being forced
_MASKED = (
    "systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket", "systemd-udev-trigger.service", "systemd-udev-settle.service",
    "systemd-modules-load.service", "systemd-pstore.service", "systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service",
    "systemd-resolved.service", "systemd-timesyncd.service", "systemd-journal-flush.service", "systemd-remount-fs.service",
    "systemd-random-seed.service", "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "systemd-hwdb-update.service", "systemd-firstboot.service",
    "systemd-sysusers.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "systemd-tmpfiles-setup-dev.service",
    "systemd-tmpfiles-setup-dev-early.service", "systemd-boot-update.service", "ldconfig.service", "kmod-static-nodes.service", "keyboard-setup.service",
    "console-setup.service", "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount", "dev-mqueue.mount", "tmp.mount", "getty.target", "console-getty.service", "e2scrub_reap.service",
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "man-db.timer", "logrotate.timer",
    "systemd-tmpfiles-clean.timer", "cloud-init.service", "cloud-init-local.service", "cloud-config.service", "cloud-final.service", "cloud-init.target",
    "benito-seed.service",
)
"""Units that a container does not need at boot: devices, clocks, consoles, upkeep. ``systemctl unmask`` enables each again."""
_ON_DEMAND = ("dbus.service", "systemd-logind.service")  # started by D-Bus when somebody logs in or reboots, not at boot
_FILES = {
    "etc/fstab": "",
    "etc/sysctl.d/80-benito-ping.conf": f"# every group that a container can have\nnet.ipv4.ping_group_range = 0 {IDS - 1}\n",
    "etc/systemd/journald.conf.d/benito.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\nReadKMsg=no\nAudit=no\n",
}
_VERSION = hashlib.sha256(repr((1, _MASKED, _ON_DEMAND, _FILES, FIRST_ID, IDS)).encode()).hexdigest()[:8]
_CAPABILITY = "security.capability"


def image_directory(digest: str) -> str:
    """Return the directory of an image."""
    return f"{IMAGES}/{digest}"


def tree(digest: str) -> str:
    """Return the image's tree, with shifted owners. Its name contains the version of the way it is made."""
    return f"{image_directory(digest)}/root-shifted-{_VERSION}"


def prepare_image(image: ImagePlan, dry_run: bool = False) -> list[str]:
    """Unpack the image if its tree is missing. Return the changes as text. Raises HostError when the image is not here or cannot be unpacked."""
    directory = image_directory(image.digest)
    if os.path.isdir(tree(image.digest)):
        return []
    if not os.path.exists(f"{directory}/image.json") or not os.path.exists(f"{directory}/root.tar.zst"):
        if dry_run:
            return [f"image {image.name}: unpacked"]
        raise HostError(f"image {image.name} is not on this host, {directory} is missing or incomplete: the role deter.benito.node_images brings it")
    if dry_run:
        return [f"image {image.name}: unpacked"]
    with image_lock(image):
        if not os.path.isdir(tree(image.digest)):
            _make(directory, image)
    return [f"image {image.name}: unpacked"]


def init_command(image: ImagePlan) -> str:
    """Return the command line of init. Raises HostError when the image's systemd cannot run under this host's cgroups."""
    found = [re.search(r"libsystemd-shared-([0-9]+)", path) for path in glob.glob(f"{tree(image.digest)}/usr/lib/**/libsystemd-shared-*.so", recursive=True)]
    versions = [int(match[1]) for match in found if match]
    if not versions:
        raise HostError(f"image {image.name} has no systemd, which an openvz node needs to boot")
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers") or max(versions) <= _FREE_LEGACY:
        return "/sbin/init"
    if max(versions) > _LAST_LEGACY:
        raise HostError(f"image {image.name} has systemd {max(versions)}, which needs version 2 of cgroups, and this host has version 1: use an older image")
    return "/sbin/init SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"


def _make(directory: str, image: ImagePlan) -> None:
    partial = f"{directory}/.root-shifted.partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.mkdir(partial, 0o700)
    try:
        _unpack(f"{directory}/root.tar.zst", partial, image)
        shift_owners(partial)
        _tune(partial)
        os.chmod(partial, 0o755)
        os.rename(partial, tree(image.digest))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _unpack(archive: str, target: str, image: ImagePlan) -> None:
    """Unpack a tar archive, whose bytes are counted on their way from zstd to tar. Raises HostError: a damaged archive, or one that is too large."""
    tar = ["tar", "--extract", "--numeric-owner", "--xattrs", f"--xattrs-include={_CAPABILITY}", "--exclude=./dev/*", "--file=-", f"--directory={target}"]
    try:
        with tempfile.TemporaryFile() as errors, \
                subprocess.Popen(["zstd", "-dcq", archive], stdout=subprocess.PIPE, stderr=errors) as unpacking, \
                subprocess.Popen(tar, stdin=subprocess.PIPE, stderr=errors) as writing:
            _pass_on(unpacking, writing, image)
            if writing.wait() or unpacking.wait():
                errors.seek(0)
                raise HostError(f"image {image.name} cannot be unpacked: {errors.read().decode(errors='replace').strip()[-500:]}")
    except OSError as exc:
        raise HostError(f"image {image.name} cannot be unpacked: {exc}") from exc


def _pass_on(source: subprocess.Popen, target: subprocess.Popen, image: ImagePlan) -> None:
    """Pass the output of one process on to another, and close both pipes. Kills ``target`` and raises HostError if the output is too large."""
    if not source.stdout or not target.stdin:
        raise HostError(f"image {image.name}: a process was started without a pipe")
    try:
        copy(source.stdout, target.stdin, WriteLimit(IMAGES, f"image {image.name}"))
    except BrokenPipeError:  # it has ended, and its exit status says why
        pass
    except HostError:
        target.kill()
        raise
    finally:
        source.stdout.close()
        with suppress(BrokenPipeError):
            target.stdin.close()


def _tune(root: str) -> None:
    """Mask units and write files in the image's tree. Its links are not followed, because the image may be anybody's."""
    files = Tree(root, ours=True)
    for name in _MASKED:
        files.write(f"etc/systemd/system/{name}", GuestFile(target="/dev/null"))
    for name in _ON_DEMAND:
        for system in ("usr/lib", "lib"):
            files.remove(f"{system}/systemd/system/multi-user.target.wants/{name}")
    for path, text in _FILES.items():
        files.write(path, GuestFile(text))


def shift_owners(root: str) -> None:
    """Add FIRST_ID to every owner and group, also in file capabilities. Remove devices: a node gets its own from LXC."""
    seen: set[int] = set()
    pending = [root]
    while pending:
        path = pending.pop()
        found = os.lstat(path)
        kind = stat.S_IFMT(found.st_mode)
        if kind in (stat.S_IFBLK, stat.S_IFCHR):
            os.unlink(path)
            continue
        if kind == stat.S_IFDIR:
            pending.extend(entry.path for entry in os.scandir(path))
        elif found.st_nlink > 1:  # another name of the same file
            if found.st_ino in seen:
                continue
            seen.add(found.st_ino)
        capability = os.getxattr(path, _CAPABILITY) if kind == stat.S_IFREG and _CAPABILITY in os.listxattr(path) else b""
        os.lchown(path, _shifted(found.st_uid), _shifted(found.st_gid))
        if kind != stat.S_IFLNK and found.st_mode & (stat.S_ISUID | stat.S_ISGID):
            os.chmod(path, stat.S_IMODE(found.st_mode))
        if len(capability) >= 20:
            os.setxattr(path, _CAPABILITY, namespaced_capability(capability))


def namespaced_capability(data: bytes) -> bytes:
    """Convert a file capability (struct vfs_cap_data, version 2) to one of the nodes' user namespace (version 3)."""
    effective = struct.unpack_from("<I", data)[0] & 1
    return struct.pack("<I", 0x03000000 | effective) + data[4:20] + struct.pack("<I", FIRST_ID)


def _shifted(number: int) -> int:
    return FIRST_ID + (number if number < IDS else IDS - 2)
