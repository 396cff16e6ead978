# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of process nodes: the host's file systems with a /var/benito, an /etc/hosts and a /sys of the node's own over them."""

from __future__ import annotations

import os

from ...errors import HostError
from ...hostplan import HostPlan, VnodePlan
from ..base import syscalls
from ..base.hosts_file import HostsFile
from ..base.namespaces import Home, Registry, pin_mount_namespace
from ..base.paths import ExperimentPaths, write_atomically
from ..base.syscalls import CLONE_NEWNS, MS_BIND, MS_REC, MS_SLAVE

_HOSTS_INSIDE = "/var/benito/hosts"


class NodeFiles:
    """Writes the files of a plan's nodes."""

    def __init__(self, plan: HostPlan, paths: ExperimentPaths):
        self._plan, self._paths, self._hosts = plan, paths, HostsFile(plan.hosts)

    def write(self, vnode: VnodePlan) -> None:
        """Write what the node sees below /var/benito. Raises HostError."""
        directory = self._paths.node(vnode.name)
        os.makedirs(f"{directory}/log", exist_ok=True)
        for name, text in (("pid", self._plan.pid + "\n"), ("eid", self._plan.eid + "\n"), ("hosts", self._hosts.text(vnode.aliases))):
            _write(f"{directory}/{name}", text)


def open_template(paths: ExperimentPaths, origin: Home, registry: Registry) -> int:
    """Return a descriptor of a mount namespace with the host's file systems as nodes see them. They follow the host's later mounts and unmounts."""
    origin.enter("mnt")
    syscalls.unshare(CLONE_NEWNS)
    syscalls.mount(None, "/", None, MS_REC | MS_SLAVE)
    if syscalls.is_mount_point(paths.run):
        syscalls.umount(paths.run)
    syscalls.umount("/sys")
    template = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    registry.enter()
    return template


def make_file_systems(paths: ExperimentPaths, registry: Registry, vnode: VnodePlan, template: int) -> None:
    """Copy the template, mount the node's own three over it and pin the result. Call this in the node's network, which /sys shows."""
    def make() -> int:
        syscalls.setns(template, CLONE_NEWNS)
        syscalls.unshare(CLONE_NEWNS)
        syscalls.mount("sysfs", "/sys", "sysfs", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
        if not os.path.exists("/etc/hosts"):
            raise HostError("this host has no /etc/hosts: create the file, because nodes get their own in its place")
        syscalls.mount(paths.node(vnode.name), "/var/benito", None, MS_BIND)
        syscalls.mount(_HOSTS_INSIDE, "/etc/hosts", None, MS_BIND)
        fd = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        registry.enter()
        return fd

    pin_mount_namespace(make, lambda fd: registry.pin(vnode.name, "mnt", f"/proc/self/fd/{fd}"))


def rebind_hosts(registry: Registry, name: str, dry_run: bool = False) -> list[str]:
    """Bind a node's own hosts file over /etc/hosts unless it is there. A host that renames a new file over its own uncovers it.

    The supervisor does this when it happens, and every application of a plan does it, so only one of them does it at a time.
    Return the changes as text. Raises OSError when the node's own file is gone.
    """
    descriptors = registry.descriptors(name)
    try:
        with registry.alone():
            syscalls.setns(descriptors["mnt"], CLONE_NEWNS)
            if os.path.samestat(os.stat("/etc/hosts"), os.stat(_HOSTS_INSIDE)):
                return []
            if not dry_run:
                if syscalls.is_mount_point("/etc/hosts"):
                    syscalls.umount("/etc/hosts")
                syscalls.mount(_HOSTS_INSIDE, "/etc/hosts", None, MS_BIND)
            return [f"{name}: /etc/hosts is the node's own again"]
    finally:
        registry.enter()
        for number in descriptors.values():
            os.close(number)


def _write(path: str, text: str) -> None:
    """Write a file. A new one is written plainly, because replacing one waits for the disk."""
    try:
        with open(path, "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        with open(path, encoding="utf-8", errors="replace") as stream:
            if stream.read() == text:
                return
        write_atomically(path, text, 0o644)
