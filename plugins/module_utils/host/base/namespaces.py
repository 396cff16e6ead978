# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces of process vnodes, which are kept without a process.

Each experiment has one mount namespace, the *registry*. It holds a tmpfs of pins: each node's network, UTS and mount namespace is
bound to a file there. One file of the host pins the registry itself, so no process has to run for a node without a start command.
Nodes' mount namespaces are copies of the host's, not of the registry's. So they do not contain the pins, and the thousandth is made as fast as
the first. Unmounting the registry releases all namespaces.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from ...errors import HostError
from . import syscalls
from .paths import ExperimentPaths
from .syscalls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUTS, MS_BIND, MS_PRIVATE, MS_REC, mount, setns, umount, unshare

PINS = "/run/benito"  # of the registry: a tmpfs of its own over the host's directory
_KINDS = {"net": CLONE_NEWNET, "uts": CLONE_NEWUTS, "mnt": CLONE_NEWNS}


class Home:
    """The namespaces that the process was in, for returning to them."""

    def __init__(self) -> None:
        self._fds = {kind: os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in _KINDS}
        self._cwd = os.getcwd()
        self._processors = os.sched_getaffinity(0)

    def enter(self, *kinds: str) -> None:
        for kind in kinds or _KINDS:
            setns(self._fds[kind], _KINDS[kind])

    def close(self) -> None:
        self.enter()
        os.chdir(self._cwd)
        os.sched_setaffinity(0, self._processors)
        for fd in self._fds.values():
            os.close(fd)


@contextmanager
def home() -> Iterator[Home]:
    """Yield a Home, and return to it at the end of the block in any case."""
    inside = Home()
    try:
        yield inside
    finally:
        inside.close()


class Registry:
    """The pins of one experiment. Each method leaves the process in the registry's mount namespace."""

    def __init__(self, paths: ExperimentPaths):
        self._paths = paths
        self._fd = -1

    @property
    def exists(self) -> bool:
        return syscalls.is_mount_point(self._paths.registry)

    def open(self, origin: Home, create: bool = False) -> bool:
        """Enter the registry, which ``create`` makes if it is missing. Return False if there is none. Raises HostError."""
        origin.enter("mnt")
        if not self.exists:
            if not create:
                return False
            self._create(origin)
        self._fd = os.open(self._paths.registry, os.O_RDONLY | os.O_CLOEXEC)
        self.enter()
        return True

    def enter(self) -> None:
        setns(self._fd, CLONE_NEWNS)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def nodes(self) -> set[str]:
        """Return the names of the nodes that have all their pins. A file that nothing is bound to is not a pin."""
        own = os.stat(PINS).st_dev
        names = {entry.name for entry in os.scandir(PINS) if os.stat(entry.path).st_dev != own}
        return {name[:-4] for name in names if name.endswith(".mnt") and {name[:-3] + "net", name[:-3] + "uts"} <= names}

    def partial(self) -> set[str]:
        """Return the names of nodes that an interrupted run has left unfinished."""
        return {name.rsplit(".", 1)[0] for name in os.listdir(PINS)} - self.nodes()

    def started(self) -> set[str]:
        """Return the names of the nodes whose start command was started since they were made."""
        return {name[:-8] for name in os.listdir(PINS) if name.endswith(".started")}

    def mark_started(self, name: str) -> None:
        os.close(os.open(f"{PINS}/{name}.started", os.O_CREAT | os.O_CLOEXEC, 0o600))

    def pin(self, name: str, kind: str, source: str) -> None:
        path = f"{PINS}/{name}.{kind}"
        os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            mount(source, path, None, MS_BIND)
        except OSError:
            os.unlink(path)
            raise

    def unpin(self, name: str) -> None:
        for kind in _KINDS:
            path = f"{PINS}/{name}.{kind}"
            if os.path.exists(path):
                try:
                    umount(path)
                except OSError:
                    pass  # nothing is bound to the file yet
                os.unlink(path)
        if name in self.started():
            os.unlink(f"{PINS}/{name}.started")

    def descriptors(self, name: str) -> dict[str, int]:
        """Open a node's namespaces. Return {kind: descriptor}. Raises HostError for an unknown node."""
        try:
            return {kind: os.open(f"{PINS}/{name}.{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in _KINDS}
        except FileNotFoundError as exc:
            raise HostError(f"no process node {name} of {self._paths.experiment} is built on this host") from exc

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from changing the mounts of this experiment's nodes. There is no timeout, so hold this briefly."""
        fd = os.open(PINS, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def network(self, name: str) -> AbstractContextManager[None]:
        """Return a context that runs in a node's network namespace."""
        return _network(f"{PINS}/{name}.net")

    def _create(self, origin: Home) -> None:
        os.makedirs(self._paths.run, mode=0o700, exist_ok=True)
        self._make_private_mount()

        def make() -> int:
            origin.enter("mnt")
            unshare(CLONE_NEWNS)
            mount(None, "/", None, MS_REC | MS_PRIVATE)
            umount(self._paths.run)
            mount("benito", PINS, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC, "mode=0700,size=64m,nr_inodes=0")
            fd = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            origin.enter("mnt")
            return fd

        def pin(fd: int) -> None:
            os.close(os.open(self._paths.registry, os.O_CREAT | os.O_CLOEXEC, 0o600))
            mount(f"/proc/self/fd/{fd}", self._paths.registry, None, MS_BIND)

        pin_mount_namespace(make, pin)

    def _make_private_mount(self) -> None:
        """Make the run directory a mount of its own that does not propagate, which a pinned mount namespace requires."""
        if not syscalls.is_mount_point(self._paths.run):
            mount(self._paths.run, self._paths.run, None, MS_BIND)
        mount(None, self._paths.run, None, MS_PRIVATE)


def pin_mount_namespace(make: Callable[[], int], pin: Callable[[int], None]) -> None:
    """Call ``pin(make())``: make a mount namespace, and bind its descriptor to a file of the current one.

    The kernel binds a mount namespace only in an older one. From 6.18 on it compares numbers that each processor takes from a
    batch of its own, so a new namespace may count as older. Then it is made again on another processor, on which the process stays.
    Raises HostError when no processor succeeds.
    """
    allowed = os.sched_getaffinity(0)
    for processor in [None, *sorted(allowed)]:
        if processor is not None:
            os.sched_setaffinity(0, {processor})
        fd = make()
        try:
            pin(fd)
            return
        except OSError as exc:
            if exc.errno != errno.EINVAL:
                raise
        finally:
            os.close(fd)
    os.sched_setaffinity(0, allowed)
    raise HostError("this kernel regards every new mount namespace as older than the host's, so the namespaces of nodes cannot be kept: reboot the host")


@contextmanager
def _network(path: str) -> Iterator[None]:
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(fd, CLONE_NEWNET)
        finally:
            os.close(fd)
        yield
    finally:
        setns(before, CLONE_NEWNET)
        os.close(before)


def join(descriptors: dict[str, int]) -> None:
    """Enter a node's network, host name and file systems, without returning. The working directory becomes /.

    A node that is the machine itself has no namespaces of its own; then this does nothing.
    """
    for kind in (kind for kind in ("net", "uts", "mnt") if kind in descriptors):
        setns(descriptors[kind], _KINDS[kind])
        os.close(descriptors[kind])


def remove_registry(paths: ExperimentPaths) -> bool:
    """Release all namespaces of an experiment. Return whether there were any."""
    found = False
    for path in (paths.registry, paths.run):
        while os.path.exists(path) and syscalls.is_mount_point(path):
            umount(path)
            found = True
    return found
