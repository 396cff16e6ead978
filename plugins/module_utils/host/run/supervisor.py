# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor of one experiment on one vhost. It builds the experiment at boot, runs its start commands and records their ends.

It is the main process of the unit ``benito-host@PID.EID``. During a swap-in the file ``hold`` exists, and the supervisor holds the start commands
back until it gets a signal. At a boot of the vhost it starts them itself. A child program builds the nodes, so that the supervisor stays small.
Another child boots the containers and virtual machines after the supervisor has reported that it is up, and another one restores the packet filter
when a program such as nftables.service has removed it, and passes the filters of other programs again when these have been reloaded.
"""

# a program of its own, not a module: it prints and exits
# pylint: disable=ansible-bad-function
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

from ...errors import BenitoError, HostError
from ..base import cgroups, syscalls
from ..base.namespaces import Registry, home
from ..base.paths import ExperimentPaths, write_atomically
from ..base.plan_file import read_plan
from ..net.firewall_events import TableWatch
from ..net.foreign_filters import legacy_unpassed
from ..process.files import rebind_hosts
from ..start_commands import starter
from ..start_commands.start_command import StartCommand, declare_lost
from ..watch.node_watch import BURST_S, NodeWatch
from .events import EventLoop, Source
from .kinds import KIND_PARTS, is_built

_BURST_S = 0.3  # a program that loads its rules sends many events
_LEGACY_S = 5  # between two looks at the tables of iptables-legacy, which sends no events


def supervise(paths: ExperimentPaths) -> None:
    """Supervise the experiment until the unit is stopped. Raises HostError when the experiment cannot be built.

    While start commands are held back, a swap-in is running, which builds the nodes itself.
    """
    if not os.path.exists(f"{paths.run}/hold") and not is_built(read_plan(paths), paths):
        built = subprocess.run(_apply_command(paths, boots=False), check=False)
        if built.returncode:
            raise HostError(f"{paths.experiment} could not be built; see the messages above")
    _Supervisor(paths).run()


class _Supervisor:
    """Waits for what the rows of ``_sources`` watch. Its state is also on disk."""

    def __init__(self, paths: ExperimentPaths):
        self._paths = paths
        self._cgroup = cgroups.own_cgroup()
        self._running: dict[int, StartCommand] = {}
        self._booting: subprocess.Popen | None = None
        self._hold = f"{paths.run}/hold"
        self._restoring: subprocess.Popen | None = None
        self._restore_again = False
        self._watch = NodeWatch(paths)

    def _sources(self) -> tuple[Source, ...]:
        """Make everything that is watched. What happens from now on is not missed."""
        wake = _signal_pipe(signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM)
        etc = syscalls.inotify_watch("/etc", syscalls.IN_MOVED_TO | syscalls.IN_CREATE)
        tables = TableWatch(self._paths.nft_table)
        legacy = syscalls.interval_timer(_LEGACY_S)
        watch = self._watch
        return (
            Source("nodes", watch.fd, watch.read, lambda _happened: watch.act(), BURST_S),
            Source("signals", wake, lambda: sorted(set(os.read(wake, 4096))), self._on_signals),
            Source("/etc/hosts", etc, lambda: b"hosts\0" in os.read(etc, 65536), lambda _changed: self._rebind_hosts()),
            Source("packet filter", tables.fd, tables.read, lambda _changed: self._restore_filter(), _BURST_S),
            Source("iptables-legacy", legacy, lambda: bool(os.read(legacy, 8)) and self._legacy_unpassed(), lambda _unpassed: self._restore_filter()),
        )

    def run(self) -> None:
        loop = EventLoop(self._sources())
        syscalls.adopt_orphans()
        restarted = os.path.exists(f"{self._paths.run}/supervisor.json")
        write_atomically(f"{self._paths.run}/supervisor.json", json.dumps({"cgroup": self._cgroup}))
        self._declare_lost()
        held = os.path.exists(self._hold)
        if not held:
            self._start_commands()
        _notify("READY=1")
        if not held:
            self._boot_nodes()
        if restarted:  # nobody has watched meanwhile
            self._restore_filter()
        self._watch.act()
        loop.run()

    def _on_signals(self, numbers: list[int]) -> None:
        for number in numbers:
            self._on_signal(number)

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGHUP:
            self._start_commands()
            if os.path.exists(self._hold):
                os.unlink(self._hold)
        elif number == signal.SIGTERM:
            cgroups.kill_all([entry.path for entry in os.scandir(self._cgroup) if entry.name.startswith("node-")])
            self._reap()
            sys.exit(0)

    def _start_commands(self) -> None:
        """Start the start commands that have not been started since their nodes were made."""
        plan = read_plan(self._paths)
        vnodes = {vnode.name: vnode for vnode in starter.waiting(self._paths, plan)}
        for started in starter.start(self._paths, plan, list(vnodes.values()), self._cgroup):
            command = StartCommand(self._paths, plan, vnodes[started.name])
            if started.error:
                _record(command.fail, started.error)
                print(f"benito-host: start command of {started.name}: {started.error}", file=sys.stderr, flush=True)
            else:
                command.began = started.began
                self._running[started.pid] = command
        self._watch.on_start_commands(vnodes)
        self._reap()

    def _boot_nodes(self) -> None:
        """Boot containers and virtual machines, without waiting for them. They run their start commands themselves."""
        if not is_built(read_plan(self._paths), self._paths, boots=True):
            self._booting = subprocess.Popen(_apply_command(self._paths, boots=True))  # pylint: disable=consider-using-with

    def _reap(self) -> None:
        ended = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if self._restoring and pid == self._restoring.pid:
                self._restored(status)
            if self._booting and pid == self._booting.pid:
                self._booted(status)
            command = self._running.pop(pid, None)
            if command:
                _record(command.end, status)
                ended.append(command.node)
        if ended:
            self._watch.on_start_commands(ended)

    def _booted(self, status: int) -> None:
        """Note that the child which boots nodes has ended."""
        self._booting = None
        if status:
            print("benito-host: not all nodes have booted; see the messages above", file=sys.stderr, flush=True)
        self._watch.on_failure(f"not all nodes have booted; see journalctl -u {self._paths.unit}" if status else "")

    def _declare_lost(self) -> None:
        plan = read_plan(self._paths)
        begun = starter.started(self._paths, plan)
        for vnode in plan.vnodes:
            if begun.get(vnode.name):
                _record(declare_lost, self._paths, plan, vnode)

    def _restore_filter(self) -> None:
        """Load the packet filter again if another program has changed it, and pass the filters of others. A child looks, one at a time."""
        if self._restoring:
            self._restore_again = True
            return
        self._restoring = subprocess.Popen([self._paths.program, "restore-filter", "-e", self._paths.experiment])  # pylint: disable=consider-using-with

    def _legacy_unpassed(self) -> bool:
        try:
            return not self._restoring and legacy_unpassed(self._paths)
        except (BenitoError, OSError) as exc:
            print(f"benito-host: iptables-legacy: {exc}", file=sys.stderr, flush=True)
            return False

    def _restored(self, status: int) -> None:
        """Note that the child has ended. Look again if something happened meanwhile."""
        self._restoring = None
        if status:
            print("benito-host: the packet filter is not restored; see the messages above", file=sys.stderr, flush=True)
        if self._restore_again:
            self._restore_again = False
            self._restore_filter()

    def _rebind_hosts(self) -> None:
        """Bind the hosts files of nodes again, in a child, so that the supervisor stays in its namespaces."""
        if os.fork():
            return
        code = 1
        try:
            with home() as origin:
                registry = Registry(self._paths)
                if registry.open(origin):
                    for name in sorted(registry.nodes()):
                        rebind_hosts(registry, name)
            code = 0
        except (OSError, BenitoError) as exc:
            print(f"benito-host: hosts files of nodes: {exc}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)


def _apply_command(paths: ExperimentPaths, boots: bool) -> list[str]:
    """Return the command that builds the substrates and the nodes that need no boot, or the nodes that boot."""
    parts = [part.name for part in KIND_PARTS if part.boots == boots]
    names = parts if boots else ["network", *parts]
    return [paths.program, "apply", "-e", paths.experiment, *(word for name in names for word in ("--part", name))]


def _record(write: Callable[..., None], *what: object) -> None:
    """Write into the node's files. An error is only printed, because the node may have removed them."""
    try:
        write(*what)
    except (OSError, BenitoError) as exc:
        print(f"benito-host: {exc}", file=sys.stderr, flush=True)


def _signal_pipe(*numbers: int) -> int:
    """Return a descriptor that yields one byte for each of these signals, its number."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda *_ignored: None)
    return reader


def _notify(text: str) -> None:
    """Notify systemd, if it asked for that (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto(text.encode(), "\0" + address[1:] if address.startswith("@") else address)
