# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pnodes that are LXC system containers. Each is an overlay over the shared base."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import signal
import stat
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from subprocess import CompletedProcess
from typing import TypeVar

from ..clean_text import clean_line, clean_text
from ..commands import run
from ..errors import HostError
from ..files import private_directory, read_text, remove_empty, write_text
from ..hostplan import HOST_KEY
from . import files
from .addresses import NO_SUBNETS, Subnets
from .names import Identity, Paths

BOOT_SECONDS = 180
OPEN_FILES = 524288
LXC_LOCKS = "/run/lxc/lock"
T = TypeVar("T")
R = TypeVar("R")


class Pnodes:
    """The pnodes of one testbed. Looking at them or removing them does not need ``subnets``."""

    def __init__(self, identity: Identity, paths: Paths, subnets: Subnets = NO_SUBNETS):
        self.identity = identity
        self.paths = paths
        self.subnets = subnets

    def existing(self) -> tuple[str, ...]:
        """Return the names of the pnodes that are completely made, by number."""
        return tuple(name for name in self._directories() if self.is_made(name))

    def half_made(self) -> tuple[str, ...]:
        """Return the names of pnodes that an interrupted run has left unfinished."""
        return tuple(name for name in self._directories() if not self.is_made(name))

    def _directories(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return sorted((name for name in os.listdir(self.paths.pnodes) if self.identity.index_of(name) >= 0), key=self.identity.index_of)
        return []

    def is_made(self, pnode: str) -> bool:
        """Return whether ``pnode`` is completely made."""
        return os.path.exists(self._config(pnode))

    def state(self, pnode: str) -> str:
        """Return the state from lxc-info in lower case: ``running``, ``stopped`` or another."""
        return run("lxc-info", "-P", self.paths.pnodes, "-n", pnode, "-sH", check=False).stdout.strip().lower() or "stopped"

    def states(self) -> dict[str, str]:
        names = self.existing()
        return dict(zip(names, in_parallel(self.state, names), strict=True))

    def experiments(self, pnode: str) -> tuple[str, ...]:
        """Return the experiments that have a plan on ``pnode``, as pid.eid."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return tuple(sorted(os.listdir(os.path.join(self.paths.pnode(pnode), "var/benito/exp"))))
        return ()

    def make(self, pnode: str, base: str, control_mtu: int, resolv_conf: str) -> None:
        """Make a pnode without starting it. Its configuration is written last: a pnode without one is unfinished, and is made anew."""
        directory = self.paths.pnode(pnode)
        self._delete(pnode)
        upper = os.path.join(directory, "upper")
        os.makedirs(upper, 0o755)
        os.chmod(directory, 0o700)
        os.makedirs(os.path.join(directory, "var/benito"), 0o755)
        private_directory(os.path.join(directory, "var/cache/benito"))
        _like_in_base(upper, base, ("root", "etc", "etc/ssh", "etc/systemd", "etc/systemd/network"))
        os.mkdir(os.path.join(upper, "root/.ssh"), 0o700)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", pnode, "-f", os.path.join(upper, "etc/ssh", HOST_KEY))
        shutil.copy(os.path.join(upper, "etc/ssh", HOST_KEY + ".pub"), directory)
        key = read_text(self.paths.key + ".pub")
        for path, (text, mode) in files.pnode_files(self.identity, self.subnets, pnode, uuid.uuid4().hex, resolv_conf, key).items():
            write_text(os.path.join(upper, path), text, mode)
        write_text(self._config(pnode), files.render_lxc(self.identity, self.paths, pnode, base, control_mtu, possible_open_files()), 0o600)

    def known_hosts(self, pnodes: Iterable[str]) -> str:
        """Return the text of known_hosts for ``pnodes``, which exist."""
        keys = {pnode: read_text(os.path.join(self.paths.pnode(pnode), HOST_KEY + ".pub")) for pnode in pnodes}
        return files.render_known_hosts({self._address(pnode): key for pnode, key in keys.items()})

    def start(self, pnode: str) -> None:
        """Start a pnode without waiting for its boot. First kill processes that outlived a killed monitor. Raises HostError with LXC's first errors."""
        end_cgroup(os.path.join(self.identity.cgroup, pnode))
        private_directory(self.paths.templates)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.paths.pnode(pnode), "lxc.log"))
        done = run("lxc-start", "-P", self.paths.pnodes, "-n", pnode, "-d", check=False)
        if done.returncode:
            log = read_text(os.path.join(self.paths.pnode(pnode), "lxc.log"))
            raise HostError(f"pnode {pnode} did not start: {first_errors(log) or done.stderr.strip()}")

    def wait(self, pnode: str) -> str:
        """Wait until ``pnode`` has booted and accepts a login as Ansible will do it.

        Return the state of its systemd: ``running``, or another state with the failed units. Raises HostError after BOOT_SECONDS.
        """
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            done = self.ssh(pnode, "systemctl is-system-running --wait; systemctl --failed --plain --no-legend", BOOT_SECONDS)
            if done.returncode == 0:
                lines = clean_text(done.stdout).split("\n")
                return " ".join([lines[0], *(line.split()[0] for line in lines[1:] if line.strip())])
            if time.monotonic() > deadline:
                raise HostError(f"pnode {pnode} was started but does not accept SSH logins at {self._address(pnode)} after {BOOT_SECONDS} s: "
                                f"{clean_text(done.stderr).strip()}")
            time.sleep(0.3)

    def ssh(self, pnode: str, command: str, seconds: float = 30) -> CompletedProcess[str]:
        """Run ``command`` in ``pnode`` over SSH as Ansible does. The exit status is 255 when the login fails."""
        return run("ssh", "-F", "none", "-i", self.paths.key, *files.ssh_options(self.paths).split(), "-o", "BatchMode=yes", f"root@{self._address(pnode)}",
                   command, check=False, seconds=seconds)

    def _address(self, pnode: str) -> str:
        return self.subnets.control_address(self.identity.index_of(pnode))

    def remove(self, pnode: str) -> None:
        """Kill ``pnode``, and delete all of it."""
        if self.is_made(pnode) and self.state(pnode) != "stopped":
            run("lxc-stop", "-P", self.paths.pnodes, "-n", pnode, "-k", check=False, seconds=30)
        self._end_monitors(pnode)
        end_cgroup(os.path.join(self.identity.cgroup, pnode))
        self._remove_lock(pnode)
        self._delete(pnode)

    def _delete(self, pnode: str) -> None:
        directory = self.paths.pnode(pnode)
        if f" {directory}/" in read_text("/proc/self/mountinfo"):
            raise HostError(f"something is mounted below {directory}: unmount it first")
        if os.path.isdir(directory):
            shutil.rmtree(directory)

    def _end_monitors(self, pnode: str) -> None:
        """Kill the monitor of an interrupted start, which is not in its cgroup yet."""
        titles = (f"[lxc monitor] {self.paths.pnodes} {pnode}", f"lxc-start -P {self.paths.pnodes} -n {pnode} -d")
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if read_text(path).replace("\0", " ").strip() in titles:
                    os.kill(int(path.split("/")[2]), signal.SIGKILL)

    def _remove_lock(self, pnode: str) -> None:
        """Remove LXC's lock file. LXC keeps it below a copy of the pnodes' path, and never removes it."""
        folder = LXC_LOCKS + self.paths.pnodes
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, "." + pnode))
        remove_empty(folder, stop="/run")

    def _config(self, pnode: str) -> str:
        return os.path.join(self.paths.pnode(pnode), "config")


def possible_open_files() -> int:
    """Return systemd's usual hard limit of open files, or 0 when this machine does not permit it (root without CAP_SYS_RESOURCE)."""
    return OPEN_FILES if run("prlimit", f"--nofile=1024:{OPEN_FILES}", "true", check=False).returncode == 0 else 0


def first_errors(log: str) -> str:
    """Return the first two errors of an LXC log, in one line. Later ones are their consequences."""
    return " / ".join(clean_line(re.sub(r"^.*? - ", "", line)) for line in [line for line in log.splitlines() if " ERROR " in line][:2])


def in_parallel(action: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call ``action`` for each item, some at a time. Return the results in order. After all have ended, the first exception is raised."""
    items = list(items)
    with ThreadPoolExecutor(max_workers=max(2, 2 * (os.cpu_count() or 1))) as pool:
        return [future.result() for future in [pool.submit(action, item) for item in items]]


def end_cgroup(name: str) -> None:
    """Kill every process below the cgroup ``name`` in every hierarchy, and remove the cgroup, if there is one. Raises HostError."""
    tops = [path for pattern in ("/sys/fs/cgroup/{}", "/sys/fs/cgroup/*/{}") for path in glob.glob(pattern.format(glob.escape(name)))]
    for _attempt in range(100):
        left = [directory for top in tops for directory, _children, _files in os.walk(top, topdown=False)]
        if not left:
            return
        for directory in left:
            for pid in read_text(os.path.join(directory, "cgroup.procs")).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        time.sleep(0.1)
    raise HostError(f"processes below the cgroup {name} were killed and still run")


def _like_in_base(upper: str, base: str, directories: Iterable[str]) -> None:
    """Make ``directories`` in the upper layer with their modes in the base: an overlay uses the modes of the upper layer."""
    os.chmod(upper, stat.S_IMODE(os.stat(base).st_mode))
    for directory in directories:
        os.mkdir(os.path.join(upper, directory))
        os.chmod(os.path.join(upper, directory), stat.S_IMODE(os.stat(os.path.join(base, directory)).st_mode))
