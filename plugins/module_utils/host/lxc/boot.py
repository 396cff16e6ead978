# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The units of openvz nodes: started a few at a time until each has booted, looked at, taken away."""

from __future__ import annotations

import glob
import os
import re
import time
from dataclasses import dataclass

from ...errors import HostError
from ...hostplan import VnodePlan
from ..base.jobs import progress
from ..base.locks import removal_blocked
from ..base.paths import ExperimentPaths, remove_empty
from ..base.syscalls import installed
from ..base.systemctl import UNITS, systemctl
from ..guest.report import Report
from .config import cgroup, container, containers, lxc_name, mounts
from .files import Tree

_LOCKS = "/run/lxc/lock"
_AT_ONCE = 4  # for each processor
_CONSOLE = 2000  # bytes of its end that are shown
_INTERRUPT = 2  # how the kernel ends the init of a container that is powered off
_ENDED = re.compile(r"Child <\d+> ended on signal \S*\((\d+)\)")


@dataclass(frozen=True)
class Unit:
    """state: ``active``, ``dead`` (then with exit_code) or ``missing``; pid: of lxc-start, 0 when it does not run."""

    state: str
    exit_code: int | None = None
    pid: int = 0


def units(paths: ExperimentPaths) -> set[str]:
    """Names of the nodes that have a unit of ours; nodes of other kinds have units of the same names."""
    prefix, suffix = paths.node_unit("\0").split("\0")
    found = set()
    for path in glob.glob(f"{UNITS}/{glob.escape(prefix)}*{suffix}"):
        name = os.path.basename(path)[len(prefix):-len(suffix)]
        with open(path, encoding="utf-8", errors="replace") as stream:
            if f"ExecStart=/bin/sh {containers(paths)}/" in stream.read():
                found.add(name)
    return found


def shown(paths: ExperimentPaths, names: list[str]) -> dict[str, Unit]:
    """What systemd says of nodes' units."""
    if not names:
        return {}
    wanted = {paths.node_unit(name): name for name in names}
    out = systemctl("show", "--property=Id,LoadState,ActiveState,ExecMainCode,ExecMainStatus,MainPID", *wanted).stdout
    found = {}
    for block in out.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name = wanted.get(values.get("Id", ""))
        if name:
            found[name] = _unit(paths, name, values)
    return {name: found.get(name, Unit("missing")) for name in names}


def _unit(paths: ExperimentPaths, name: str, values: dict[str, str]) -> Unit:
    if values.get("LoadState") != "loaded":
        return Unit("missing")
    if values["ActiveState"] in ("active", "activating", "deactivating", "reloading"):
        return Unit("active", pid=int(values.get("MainPID") or 0))
    status = int(values.get("ExecMainStatus") or 0)
    killed = values.get("ExecMainCode") in ("2", "3")  # CLD_KILLED, CLD_DUMPED
    return Unit("dead", 128 + status if killed else status or _signal_of_init(paths, name))


def _signal_of_init(paths: ExperimentPaths, name: str) -> int:
    """LXC ends with 0 when the node's init is killed, and says in its log by what."""
    try:
        with open(f"{container(paths, name)}/lxc.log", encoding="utf-8", errors="replace") as stream:
            return exit_code_in(stream.read())
    except OSError:
        return 0


def exit_code_in(log: str) -> int:
    """How a node's init ended according to LXC's log: 0 when it was powered off, 128 + n for a signal n that killed it."""
    found = _ENDED.findall(log)
    return 0 if not found or int(found[-1]) == _INTERRUPT else 128 + int(found[-1])


def report(paths: ExperimentPaths, name: str) -> Report:
    return Tree(f"{container(paths, name)}/data/upper").report()


def node_status(paths: ExperimentPaths, vnode: VnodePlan, unit: Unit | None) -> dict:
    """A node as parts.Part.status tells it."""
    if vnode.ghost or unit is None:
        return {"state": "ghost", "exit_code": None, "start_command": "", "exit_status": None}
    if unit.state == "missing":
        return {"state": "missing", "exit_code": None, "start_command": "waiting" if vnode.start_command else "", "exit_status": None}
    said = report(paths, vnode.name)
    command = (said.start_command or "waiting") if vnode.start_command else ""
    if unit.state == "dead" and command == "running":
        command = "lost"
    return {
        "state": said.state if unit.state == "active" else "dead",
        "exit_code": unit.exit_code,
        "start_command": command,
        "exit_status": said.exit_status if vnode.start_command else None,
    }


def boot(paths: ExperimentPaths, vnodes: list[VnodePlan], limit_s: float) -> None:
    """Start nodes, at most so many at once as the processors carry, and wait until all have booted.

    Raises HostError that names those which did not, with the end of what they said, and when the experiment is taken away meanwhile.
    """
    waiting = [vnode.name for vnode in vnodes]
    booting: dict[str, float] = {}
    failed: dict[str, str] = {}
    at_once, looked = _AT_ONCE * (os.cpu_count() or 1), time.monotonic()
    while waiting or booting:
        room = at_once - len(booting)
        some, waiting = waiting[:max(room, 0)], waiting[max(room, 0):]
        if some:
            systemctl("start", "--no-block", *(paths.node_unit(name) for name in some))
            booting.update(dict.fromkeys(some, time.monotonic()))
        for name in [name for name in booting if report(paths, name).state == "booted"]:
            del booting[name]
        progress(f"{len(vnodes) - len(waiting) - len(booting) - len(failed)} of {len(vnodes)} system containers are up")
        now = time.monotonic()
        failed.update({name: f"has not booted within {limit_s:.0f} s" for name, began in booting.items() if now - began > limit_s})
        if booting and now - looked > 1:
            states = shown(paths, list(booting))
            failed.update({name: f"ended while it booted, with {states[name].exit_code}" for name in booting if states[name].state == "dead"})
            looked = now
            with removal_blocked(paths):
                pass
        for name in failed:
            booting.pop(name, None)
        time.sleep(0.05)
    if failed:
        raise HostError("; ".join(f"openvz node {name} {what}{_last_words(paths, name)}" for name, what in failed.items()))


def _last_words(paths: ExperimentPaths, name: str) -> str:
    """The end of a node's console, or where it is empty LXC's first complaints."""
    try:
        with open(f"{container(paths, name)}/console.log", "rb") as stream:
            console = stream.read()[-_CONSOLE:].decode(errors="replace").strip()
        with open(f"{container(paths, name)}/lxc.log", encoding="utf-8", errors="replace") as stream:
            errors = [re.sub(r"^.*? - \S+ - ", "", line.strip()) for line in stream if " ERROR " in line][:2]
    except OSError:
        return ""
    if console:
        return f"; its console ends:\n{console}\n"
    return f": {' / '.join(errors)}" if errors else ""


def discard(paths: ExperimentPaths, names: list[str]) -> None:
    """Kill nodes at once, with all their processes, and remove their units."""
    unit_files = {paths.node_unit(name): f"{UNITS}/{paths.node_unit(name)}" for name in names}
    there = [unit for unit, path in unit_files.items() if os.path.exists(path)]
    if not there or not installed("systemctl"):
        return
    systemctl("kill", "--signal=SIGKILL", *there, check=False)
    systemctl("stop", *there, check=False)
    systemctl("reset-failed", "--quiet", *there, check=False)
    for unit in there:
        os.unlink(unit_files[unit])
    systemctl("daemon-reload")
    for name in names:
        left_cgroups(paths, name)


def left_cgroups(paths: ExperimentPaths, name: str = "") -> None:
    """Cgroups of hierarchies that systemd leaves alone (version 1), and which LXC had no time to remove."""
    for top in glob.glob(f"/sys/fs/cgroup/*/{glob.escape(cgroup(paths, name))}{'' if name else '*'}"):
        for directory, _below, _files in sorted(os.walk(top), reverse=True):
            try:
                os.rmdir(directory)
            except OSError:
                pass  # something still ends in it


def left_locks(paths: ExperimentPaths) -> None:
    """LXC leaves its lock files, below a copy of the path, for ever."""
    folder = _LOCKS + mounts(paths)
    for path in glob.glob(f"{glob.escape(folder)}/.{glob.escape(lxc_name(paths, ''))}*"):
        os.unlink(path)
    remove_empty(folder, stop="/run")
