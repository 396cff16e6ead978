# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a node's start command, and its files in the node's /var/benito/log.

start_command.log   time, user, command and exit status, one block for each boot of the node
start_command.out   standard output of the latest run
start_command.err   standard error of the latest run
start_command.json  the end of the latest run, for programs: state, exit_status, started, ended, command
"""

from __future__ import annotations

import json
import os
import signal
import time

from ...clean_text import clean_end
from ...errors import HostError
from ...hostplan import HostPlan, VnodePlan
from ..base import cgroups
from ..base.environment import start_environment
from ..base.namespaces import join
from ..base.paths import ExperimentPaths, read_json, write_atomically
from ..base.text_files import read_end

STATES = ("ended", "failed", "lost")


class StartCommand:
    """One run of a start command."""

    def __init__(self, paths: ExperimentPaths, plan: HostPlan, vnode: VnodePlan):
        self._log = f"{paths.node(vnode.name)}/log"
        self._plan, self._vnode = plan, vnode
        self.began = 0.0  # seconds since the epoch, 0 before

    @property
    def node(self) -> str:
        return self._vnode.name

    def begin(self, descriptors: dict[str, int], cgroup: str) -> int:
        """Enter the node and start the command there. Return its process id.

        The caller is a process that goes from node to node (``starter``). It spawns the command directly in the node's cgroup and
        namespaces, so no extra fork is needed.

        descriptors  of the node's namespaces, see Registry.descriptors; they are closed here
        cgroup       directory of the node's cgroup
        Raises OSError when it cannot be started.
        """
        opened = []
        try:
            for suffix in ("out", "err"):
                opened.append(self._open(suffix))
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            out, err, nothing = opened
            self.began = time.time()
            self._note(f"started {_stamp(self.began)} as root: {self._vnode.start_command}")
            cgroups.move_self(cgroup)
            join(descriptors)
            variables = start_environment(self._plan, self._vnode)
            os.chdir(variables["HOME"] if os.path.isdir(variables["HOME"]) else "/")
            actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((nothing, out, err))]
            arguments = ["sh", "-c", self._vnode.start_command]
            return os.posix_spawn("/bin/sh", arguments, variables, file_actions=actions, setsid=True, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
        finally:
            for fd in opened:
                os.close(fd)

    def end(self, wait_status: int) -> None:
        """Record the exit status. A command that signal n has ended counts as 128 + n, as in a shell."""
        signalled = os.WIFSIGNALED(wait_status)
        status = 128 + os.WTERMSIG(wait_status) if signalled else os.WEXITSTATUS(wait_status)
        ended = time.time()
        os.makedirs(self._log, exist_ok=True)
        reason = f" ({_signal_name(os.WTERMSIG(wait_status))})" if signalled else ""
        self._note(f"ended {_stamp(ended)} with exit status {status}{reason}")
        self._record(state="ended", exit_status=status, ended=_stamp(ended))

    def fail(self, reason: str) -> None:
        """Record that the command could not be started."""
        self._note(f"not started {_stamp(time.time())}: {reason}")
        self._record(state="failed", reason=reason)

    def lose(self) -> None:
        """Record that nobody saw the end of the command, because its supervisor was interrupted."""
        os.makedirs(self._log, exist_ok=True)
        self._note(f"lost {_stamp(time.time())}: the supervisor was interrupted")
        self._record(state="lost", reason="the supervisor of the experiment on this host was interrupted")

    def _open(self, suffix: str) -> int:
        path, flags = f"{self._log}/start_command.{suffix}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o644)
        except FileNotFoundError:  # the node has removed its log
            os.makedirs(self._log)
            return os.open(path, flags, 0o644)

    def _note(self, text: str) -> None:
        fd = os.open(f"{self._log}/start_command.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, f"{text}\n".encode())
        finally:
            os.close(fd)

    def _record(self, **fields: str | int) -> None:
        known = {"command": self._vnode.start_command, "started": _stamp(self.began) if self.began else None}
        write_atomically(f"{self._log}/start_command.json", json.dumps({**known, **fields}) + "\n", 0o644)


def outcome(paths: ExperimentPaths, name: str) -> dict | None:
    """Return how a node's start command ended, or None: {"state": one of STATES, "exit_status": number or None}. The node may have damaged that file."""
    try:
        found = read_json(f"{paths.node(name)}/log/start_command.json")
    except (HostError, OSError):
        return {"state": "lost", "exit_status": None}
    if found is None:
        return None
    state, status = found.get("state"), found.get("exit_status")
    return {"state": state if state in STATES else "lost", "exit_status": status if isinstance(status, int) and 0 <= status < 256 else None}


def output_end(paths: ExperimentPaths, name: str, lines: int) -> dict[str, str]:
    """Return the last lines of what the latest run has printed: {"output": text, "errors": text}. The node may have damaged these files."""
    found = {}
    for key, suffix in (("output", "out"), ("errors", "err")):
        try:
            found[key] = clean_end(read_end(f"{paths.node(name)}/log/start_command.{suffix}", lines), lines)
        except OSError:
            found[key] = ""
    return found


def has_started(paths: ExperimentPaths, name: str) -> bool:
    """Return whether the start command of a node without namespaces of its own was started since the host's boot."""
    return os.path.exists(_started(paths, name))


def mark_started(paths: ExperimentPaths, name: str) -> None:
    """Remember that it was started, see has_started."""
    os.close(os.open(_started(paths, name), os.O_CREAT | os.O_CLOEXEC, 0o600))


def _started(paths: ExperimentPaths, name: str) -> str:
    return f"{paths.run}/started-{name}"


def forget(paths: ExperimentPaths, name: str) -> None:
    """Remove the record of the latest run, because the node is made anew. The text logs of earlier boots stay."""
    try:
        os.unlink(f"{paths.node(name)}/log/start_command.json")
    except FileNotFoundError:
        pass
    except IsADirectoryError:  # the node has put it there
        import shutil

        shutil.rmtree(f"{paths.node(name)}/log/start_command.json")


def declare_lost(paths: ExperimentPaths, plan: HostPlan, vnode: VnodePlan) -> None:
    """Record that a run is lost, if it was started and its end was not recorded."""
    if outcome(paths, vnode.name) is None:
        StartCommand(paths, plan, vnode).lose()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


def _stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
