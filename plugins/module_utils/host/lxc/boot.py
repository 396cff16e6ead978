# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of openvz nodes: starting some at a time until each node has booted, their state, removing them."""

from __future__ import annotations

import glob
import os
import re
import time
from dataclasses import dataclass

from ...clean_text import clean_end, clean_line
from ...errors import HostError
from ...hostplan import VnodePlan
from ..base.jobs import progress
from ..base.locks import removal_blocked
from ..base.paths import ExperimentPaths, remove_empty
from ..base.syscalls import installed
from ..base.systemctl import UNITS, systemctl
from ..base.text_files import read_end
from ..base.watch_socket import ask_for_a_look
from ..guest.report import Report
from .config import cgroup, container, containers, lxc_name, mounts
from .files import Tree

_LOCKS = "/run/lxc/lock"
_AT_ONCE = 4  # for each processor
_LINES = 15  # of the console's end that are shown
_WIDTH = 300  # of an error of LXC in a message
_INTERRUPT = 2  # the signal by which the kernel ends the init of a container that is powered off
_ENDED = re.compile(r"Child <\d+> ended on signal \S*\((\d+)\)")


@dataclass(frozen=True)
class Unit:
    """state: ``active``, ``dead`` (then with exit_code) or ``missing``; pid: of lxc-start, or 0 when it does not run."""

    state: str
    exit_code: int | None = None
    pid: int = 0


def units(paths: ExperimentPaths) -> set[str]:
    """Return the names of the openvz nodes that have a unit. Units of other kinds have names of the same form."""
    prefix, suffix = paths.node_unit("\0").split("\0")
    found = set()
    for path in glob.glob(f"{UNITS}/{glob.escape(prefix)}*{suffix}"):
        name = os.path.basename(path)[len(prefix):-len(suffix)]
        with open(path, encoding="utf-8", errors="replace") as stream:
            if f"ExecStart=/bin/sh {containers(paths)}/" in stream.read():
                found.add(name)
    return found


def shown(paths: ExperimentPaths, names: list[str]) -> dict[str, Unit]:
    """Return the state of these nodes' units."""
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
    """Return the exit code of a node's init from LXC's log: when init is killed, lxc-start itself exits with 0."""
    try:
        with open(f"{container(paths, name)}/lxc.log", encoding="utf-8", errors="replace") as stream:
            return exit_code_in(stream.read())
    except OSError:
        return 0


def exit_code_in(log: str) -> int:
    """Return how a node's init ended according to LXC's log: 0 for a power-off, 128 + n for signal n."""
    found = _ENDED.findall(log)
    return 0 if not found or int(found[-1]) == _INTERRUPT else 128 + int(found[-1])


def report(paths: ExperimentPaths, name: str) -> Report:
    """Return the latest report of a node."""
    return Tree(f"{container(paths, name)}/data/upper").report()


def node_status(paths: ExperimentPaths, vnode: VnodePlan, unit: Unit | None) -> dict:
    """Return the state of a node in the form of ``kinds.Part.status``."""
    if vnode.ghost or unit is None:
        return {"state": "ghost", "exit_code": None, "start_command": "", "exit_status": None}
    if unit.state == "missing":
        return {"state": "missing", "exit_code": None, "start_command": "waiting" if vnode.start_command else "", "exit_status": None}
    latest = report(paths, vnode.name)
    command = (latest.start_command or "waiting") if vnode.start_command else ""
    if unit.state == "dead" and command == "running":
        command = "lost"
    return {
        "state": latest.state if unit.state == "active" else "dead",
        "exit_code": unit.exit_code,
        "start_command": command,
        "exit_status": latest.exit_status if vnode.start_command else None,
    }


def boot(paths: ExperimentPaths, vnodes: list[VnodePlan], limit_s: float) -> None:
    """Start nodes, a few per processor at a time, and wait until all have booted.

    Raises HostError that names the nodes which have not booted, with the end of their consoles, or when the experiment is being removed.
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
            ask_for_a_look(paths)
        for name in [name for name in booting if report(paths, name).state == "booted"]:
            del booting[name]
        progress(f"{len(vnodes) - len(waiting) - len(booting) - len(failed)} of {len(vnodes)} system containers are up")
        now = time.monotonic()
        failed.update({name: f"has not booted within {limit_s:.0f} s" for name, began in booting.items() if now - began > limit_s})
        if booting and now - looked > 1:
            states = shown(paths, list(booting))
            failed.update({name: f"ended during its boot with exit code {states[name].exit_code}" for name in booting if states[name].state == "dead"})
            looked = now
            with removal_blocked(paths):
                pass
        for name in failed:
            booting.pop(name, None)
        time.sleep(0.05)
    if failed:
        raise HostError("\n".join(f"openvz node {name} {what}{_console_end(paths, name)}" for name, what in failed.items()))


def console_end(paths: ExperimentPaths, name: str, lines: int) -> str:
    """Return the last lines of a node's console, for a person. Raises OSError."""
    return clean_end(read_end(f"{container(paths, name)}/console.log", lines), lines)


def _console_end(paths: ExperimentPaths, name: str) -> str:
    """Return the end of a node's console, or LXC's first errors if the console is empty."""
    try:
        console = console_end(paths, name, _LINES)
        with open(f"{container(paths, name)}/lxc.log", encoding="utf-8", errors="replace") as stream:
            errors = [clean_line(re.sub(r"^.*? - \S+ - ", "", line.strip()), _WIDTH) for line in stream if " ERROR " in line][:2]
    except OSError:
        return ""
    if console:
        return f"; the end of its console:\n{console}"
    return f": {' / '.join(errors)}" if errors else ""


def remove_units(paths: ExperimentPaths, names: list[str]) -> None:
    """Kill nodes with all their processes, and remove their units."""
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
        remove_left_cgroups(paths, name)


def remove_left_cgroups(paths: ExperimentPaths, name: str = "") -> None:
    """Remove the cgroups that LXC has left in hierarchies which systemd does not manage (version 1)."""
    for top in glob.glob(f"/sys/fs/cgroup/*/{glob.escape(cgroup(paths, name))}{'' if name else '*'}"):
        for directory, _below, _files in sorted(os.walk(top), reverse=True):
            try:
                os.rmdir(directory)
            except OSError:
                pass  # a process in it has not ended yet


def remove_left_locks(paths: ExperimentPaths) -> None:
    """Remove LXC's lock files. LXC keeps them below a copy of the nodes' path, and never removes them."""
    folder = _LOCKS + mounts(paths)
    for path in glob.glob(f"{glob.escape(folder)}/.{glob.escape(lxc_name(paths, ''))}*"):
        os.unlink(path)
    remove_empty(folder, stop="/run")
