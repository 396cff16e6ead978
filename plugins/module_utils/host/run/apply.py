# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying a plan to this vhost, part by part or as a whole, and removing the experiment."""

from __future__ import annotations

import argparse
import errno
import os
import time

from ...errors import BenitoError, HostError
from ...hostplan import HostPlan
from ..base.locks import experiment_lock, removal_blocked, removal_lock
from ..base.os_errors import explained, message
from ..base.paths import ExperimentPaths
from ..base.plan_file import read_applied, read_plan, remember_applied
from ..base.systemctl import systemctl
from ..base.watch_socket import ask_for_a_look
from ..net.firewall import apply_firewall, firewall_state, remove_firewall
from ..net.foreign_filters import close_foreign_filters, pass_foreign_filters
from ..net.probe import answering, make_endpoints
from ..net.substrates import apply_network, remove_network
from ..net.unmanaged import keep_unmanaged, release_unmanaged
from . import setup, sysctls, unit_file
from .kinds import KIND_PARTS

_SPARE_S = 60.0  # for what is done before and after nodes boot
PARTS = ("network", *(part.name for part in KIND_PARTS))


def apply(paths: ExperimentPaths, parts: tuple[str, ...] = PARTS, dry_run: bool = False) -> dict:
    """Compare the vhost with its plan and change what differs.

    Return {"changed": bool, "changes": [text], "warnings": [text]}. Raises HostError. Then what was made so far stays, and the next
    call continues from there. At a boot of the vhost its unit applies the plan too: a call waits for that as long as a node may take to boot.
    """
    plan = read_plan(paths)
    if dry_run and not os.path.isdir(paths.run):
        names = [f"substrate {s.name}" for s in plan.substrates] if "network" in parts else []
        kinds = [part.kind for part in KIND_PARTS if part.name in parts]
        names += [f"{vnode.kind} node {vnode.name}" for vnode in plan.vnodes if vnode.kind in kinds and not vnode.ghost]
        return _result([f"{name}: made" for name in names])
    with experiment_lock(paths, plan.boot_limit_s + _SPARE_S):
        with removal_blocked(paths):
            os.makedirs(paths.run, mode=0o700, exist_ok=True)
        try:
            changes, warnings = _prepare(plan, paths, dry_run) if "network" in parts else ([], [])
            changes += _apply_parts(plan, paths, parts, dry_run)
            return {**_result(changes), "warnings": warnings}
        except OSError as exc:
            raise HostError(explained(exc)) from exc
        finally:
            if not dry_run:
                ask_for_a_look(paths)


def answer(paths: ExperimentPaths) -> dict:
    """Answer probes from vhosts whose network was changed, although this one's was not. Raises HostError."""
    plan = read_plan(paths)
    with experiment_lock(paths):
        os.makedirs(paths.run, mode=0o700, exist_ok=True)
        try:
            if not answering(paths):
                make_endpoints(plan, paths)
        except OSError as exc:
            raise HostError(explained(exc)) from exc
    return _result([])


def restore_filter(paths: ExperimentPaths) -> dict:
    """Load the packet filter again if another program has removed or changed it, and pass the filters of other programs again. Raises HostError."""
    plan = read_plan(paths)
    with experiment_lock(paths):
        changes, state = [], firewall_state(plan, paths)
        if state not in ("", "up"):
            apply_firewall(plan, paths)
            changes.append(f"the packet filter of {paths.experiment} was {state} and is loaded again")
        passed = pass_foreign_filters(plan, paths)
        return _result(changes + ([f"experiments pass the packet filters of other programs again; {'; '.join(passed)}"] if passed else []))


def run_task(options: dict) -> dict:
    """Run ``down`` on a machine without benito-host, see delivery/remote_call.py. Raises HostError."""
    return down(ExperimentPaths(options["experiment"]))


def down(paths: ExperimentPaths) -> dict:
    """Remove everything of the experiment from this vhost, however much of it was made.

    A process that waits for nodes to boot gives up. Each step is tried even if an earlier one has failed. Return {"changed": bool, "changes": [text]}.
    Raises HostError with all failures.
    """
    from ..qemu.warm_choice import end_templates

    changes: list[str] = []
    failures: list[str] = []
    with removal_lock(paths), experiment_lock(paths):
        for step in (end_templates, _stop_unit, *(part.remove for part in KIND_PARTS), remove_network, remove_firewall, close_foreign_filters,
                     release_unmanaged, sysctls.release_sysctls, _leave_control_bridge, _remove_files, setup.remove_if_last):
            try:
                changes += step(paths)
            except (BenitoError, OSError) as exc:
                failures.append(message(exc))
        if failures:
            raise HostError(f"{paths.experiment} is only partly removed from this host: " + "; ".join(failures))
    return _result(changes)


def _prepare(plan: HostPlan, paths: ExperimentPaths, dry_run: bool) -> tuple[list[str], list[str]]:
    """Prepare the host for the experiment's devices. Return (changes, warnings), both as text."""
    changes, refused = sysctls.apply_sysctls(paths, plan.sysctls, dry_run)
    kept, untold = keep_unmanaged(plan, paths, dry_run)
    return changes + kept, [*(f"not set on this host: {reason}" for reason in refused), *untold]


def _apply_parts(plan: HostPlan, paths: ExperimentPaths, parts: tuple[str, ...], dry_run: bool) -> list[str]:
    changes: list[str] = []
    if "network" in parts:
        network = apply_network(plan, paths, dry_run) + apply_firewall(plan, paths, dry_run) + pass_foreign_filters(plan, paths, dry_run)
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
    """Stop the experiment's unit, and with it every process in its cgroup, which are those of the nodes."""
    active, enabled = unit_file.unit_state(paths)
    if active:
        systemctl("stop", "--quiet", paths.unit)
        systemctl("reset-failed", "--quiet", paths.unit, check=False)
    if enabled:
        unit_file.disable(paths)
    return [f"unit {paths.unit}: stopped"] if active or enabled else []


def _leave_control_bridge(paths: ExperimentPaths) -> list[str]:
    from ..control_bridge import commands as control_bridge

    result = control_bridge.down(argparse.Namespace(user=paths.experiment, check=False))
    return ["control0: released", *result.get("warnings", ())] if result["changed"] else []


def _remove_files(paths: ExperimentPaths, limit_s: float = 5.0) -> list[str]:
    """Remove the experiment's folders. Retry for a while: an interrupted swap-in may still be writing into them."""
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
