# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make this vhost look like its plan, part by part or whole, and unmake it."""

from __future__ import annotations

import argparse
import errno
import os
import time

from ...errors import BenitoError, HostError
from ...hostplan import HostPlan
from ..base.locks import experiment_lock, removal_blocked, removal_lock
from ..base.paths import ExperimentPaths
from ..base.plan_file import read_applied, read_plan, remember_applied
from ..base.systemctl import systemctl
from ..net import netlink
from ..net.firewall import apply_firewall, remove_firewall
from ..net.netlink import Batch
from ..net.probe import answering, make_endpoints
from ..net.substrates import PREFIXES, apply_network, ours
from . import setup, sysctls, unit_file
from .kinds import KIND_PARTS

PARTS = ("network", *(part.name for part in KIND_PARTS))


def apply(paths: ExperimentPaths, parts: tuple[str, ...] = PARTS, dry_run: bool = False) -> dict:
    """Compare what is with the plan and change the difference.

    Returns {"changed": bool, "changes": [words], "warnings": [words]}. Raises HostError; what was made
    until then stays and the next call goes on from there.
    """
    plan = read_plan(paths)
    if dry_run and not os.path.isdir(paths.run):
        names = [f"substrate {s.name}" for s in plan.substrates] if "network" in parts else []
        kinds = [part.kind for part in KIND_PARTS if part.name in parts]
        names += [f"{vnode.kind} node {vnode.name}" for vnode in plan.vnodes if vnode.kind in kinds and not vnode.ghost]
        return _result([f"{name}: made" for name in names])
    with experiment_lock(paths):
        with removal_blocked(paths):
            os.makedirs(paths.run, mode=0o700, exist_ok=True)
        try:
            changes, refused = sysctls.apply_sysctls(paths, plan.sysctls, dry_run) if "network" in parts else ([], [])
            changes += _apply_parts(plan, paths, parts, dry_run)
            return {**_result(changes), "warnings": [f"not set on this host: {reason}" for reason in refused]}
        except OSError as exc:
            raise _explained(exc) from exc


def answer(paths: ExperimentPaths) -> dict:
    """Answer the probes of vhosts whose network was changed, though it was not changed here. Raises HostError."""
    plan = read_plan(paths)
    with experiment_lock(paths):
        os.makedirs(paths.run, mode=0o700, exist_ok=True)
        try:
            if not answering(paths):
                make_endpoints(plan, paths)
        except OSError as exc:
            raise _explained(exc) from exc
    return _result([])


def run_task(options: dict) -> dict:
    """``down`` on a machine that has no such program, see delivery/remote_call.py. Raises HostError."""
    return down(ExperimentPaths(options["experiment"]))


def down(paths: ExperimentPaths) -> dict:
    """Take everything of the experiment away from this vhost, however far it had come.

    Who waits for its nodes to boot gives up. Each step is tried even when an earlier one failed. Returns {"changed": bool, "changes": [words]}.
    Raises HostError with all failures.
    """
    from ..qemu.warm_choice import end_templates

    changes: list[str] = []
    failures: list[str] = []
    with removal_lock(paths), experiment_lock(paths):
        for step in (end_templates, _stop_unit, *(part.remove for part in KIND_PARTS), _remove_links, remove_firewall, sysctls.release_sysctls,
                     _leave_control_bridge, _remove_files, setup.remove_if_last):
            try:
                changes += step(paths)
            except (BenitoError, OSError) as exc:
                failures.append(str(exc))
        if failures:
            raise HostError(f"{paths.experiment} is not wholly removed from this host: " + "; ".join(failures))
    return _result(changes)


def _apply_parts(plan: HostPlan, paths: ExperimentPaths, parts: tuple[str, ...], dry_run: bool) -> list[str]:
    changes: list[str] = []
    if "network" in parts:
        network = apply_network(plan, paths, dry_run) + apply_firewall(plan, paths, dry_run)
        if network and not dry_run and parts == ("network",):
            make_endpoints(plan, paths)
        changes += network
    for part in KIND_PARTS:
        if part.name in parts:
            changed = part.apply(plan, paths, read_applied(paths, part.name), dry_run)
            changes += changed
            if not dry_run:
                remember_applied(paths, part.name, plan)
                if changed and part.boots:
                    from ..net.gratuitous_arp import announce

                    announce(plan, part.kind)
    return changes


def _stop_unit(paths: ExperimentPaths) -> list[str]:
    """Also kills every process of every node: they are in the unit's cgroup."""
    active, enabled = unit_file.unit_state(paths)
    if active:
        systemctl("stop", "--quiet", paths.unit)
        systemctl("reset-failed", "--quiet", paths.unit, check=False)
    if enabled:
        unit_file.disable(paths)
    return [f"unit {paths.unit}: stopped"] if active or enabled else []


def _remove_links(paths: ExperimentPaths, limit_s: float = 120.0) -> list[str]:
    """All links with our mark, at one stroke if the group holds no others; then wait until the kernel has let go of them."""
    if not any(name.startswith(PREFIXES) for name in netlink.devices()):
        return []
    live = netlink.links()
    mine = [link for link in live.values() if ours(link, paths)]
    if not mine:
        return []
    strangers = any(link.get("group") == str(paths.group) and not ours(link, paths) for link in live.values())
    batch = Batch()
    if strangers:
        for link in mine:
            batch.delete_link(f"removing {link['ifname']}", link["ifindex"])
    else:
        batch.delete_link(f"removing the links of {paths.experiment}", attrs=[("IFLA_GROUP", paths.group)], ignore=errno.ENODEV)
    batch.send()
    deadline = time.monotonic() + limit_s
    while any(ours(link, paths) for link in netlink.links().values()):
        if time.monotonic() > deadline:
            raise HostError(f"links of {paths.experiment} are still there {limit_s:.0f} s after they were removed")
        time.sleep(0.05)
    return [f"links: {len(mine)} removed"]


def _leave_control_bridge(paths: ExperimentPaths) -> list[str]:
    from ..control_bridge import commands as control_bridge

    result = control_bridge.down(argparse.Namespace(user=paths.experiment, check=False))
    return ["control0: left", *result.get("warnings", ())] if result["changed"] else []


def _remove_files(paths: ExperimentPaths, limit_s: float = 5.0) -> list[str]:
    """A swap-in that was cut off may still write its last words, so that a folder does not become empty at once."""
    import shutil

    removed, deadline = False, time.monotonic() + limit_s
    for directory in (paths.directory, paths.run):
        while os.path.isdir(directory):
            removed = True
            try:
                shutil.rmtree(directory)
            except OSError as exc:
                if exc.errno not in (errno.ENOTEMPTY, errno.ENOENT) or time.monotonic() > deadline:
                    raise
    return [f"{paths.directory}: removed"] if removed else []


def _result(changes: list[str]) -> dict:
    return {"changed": bool(changes), "changes": changes}


def _explained(exc: OSError) -> HostError:
    reasons = {
        errno.ENOSPC: "no space is left (file system, or a kernel limit such as mounts or namespaces)",
        errno.EMFILE: "too many open files",
        errno.EPERM: "not permitted: benito-host must be root, in a container one that may make namespaces and mounts",
    }
    return HostError(f"{exc.strerror or exc}{': ' + reasons[exc.errno] if exc.errno in reasons else ''}")
