# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Qemu nodes as one of the kinds of run/kinds.py: virtual machines, a systemd unit each.

A node's directory, with its disk and its identity, outlives a reboot of the host, so the node comes back as the same. Units,
sockets and taps do not, and are made again.
"""

from __future__ import annotations

import glob
import os
import shutil

from ...errors import HostError
from ...hostplan import HostPlan, ImagePlan, VnodePlan
from ..base.paths import IMAGES, RUN_ROOT, ExperimentPaths, remove_empty, write_atomically
from ..base.systemctl import UNITS, systemctl
from ..guest.files import read_guest_files
from ..guest.network import machine_network
from ..guest.report import find_report, read_report
from ..net import netlink
from ..net.ports import Medium, Port, mtu_of_control, remove_ports
from ..net.probe import close_endpoints
from .acceleration import acceleration
from .command import REPORT_PORT, UNIT_KEY, Hardware, MachinePaths, bare_command, cards, cold_boot_args, hardware_of, unit_text
from .disk import make_disk
from .logs import console_end, make_logs, remove_logs
from .pausing import is_paused, resume
from .seed import cloud_init_files, seed_tar, write_seed_iso
from .start import Start, Starter
from .taps import apply_taps, taps
from .units import machine_processes, machine_units
from .user_ids import allot_user_ids, release_user_ids
from .warm_choice import WarmChoice
from .warm_start import forget_clone

_SOCKETS = f"{RUN_ROOT}/vm"


def apply_machines(plan: HostPlan, paths: ExperimentPaths, applied: HostPlan | None, dry_run: bool) -> list[str]:
    """Bring up the planned nodes, see kinds.Part. As many start at a time as there are processors. Waits until all have booted.

    A virtual machine whose unit has changed is stopped and started again. One that has died is started.
    """
    wanted = {vnode.name: vnode for vnode in plan.vnodes if vnode.kind == "qemu" and not vnode.ghost}
    surplus = sorted(set(_present(paths)) - set(wanted))
    changes, users = [f"qemu node {name}: removed" for name in surplus], dict.fromkeys(wanted, 0)
    if not dry_run:
        for name in surplus:
            _remove(paths, name)
        if wanted or surplus:
            users = allot_user_ids(paths, list(wanted))
    if not wanted:
        return changes
    if not dry_run:
        close_endpoints(paths)
    changes += apply_taps(plan, list(wanted.values()), paths, dry_run)
    accelerator = acceleration(plan.acceleration)[0] if not dry_run else "tcg"
    images, control_mtu = {image.digest: image for image in plan.images}, mtu_of_control(netlink.links())
    choice, starting = WarmChoice(plan, paths), []
    for vnode in wanted.values():
        hardware = hardware_of(vnode, images[vnode.image], accelerator)
        starting += _prepare(plan, vnode, hardware, users[vnode.name], paths, control_mtu, choice, changes, dry_run)
    if not dry_run:
        changes += Starter(plan, paths, {name: machine_paths(paths, vnode) for name, vnode in wanted.items()}).run(starting)
    return changes


def remove_machines(paths: ExperimentPaths) -> list[str]:
    """Remove all nodes, see kinds.Part."""
    names = _present(paths)
    for name in names:
        _remove(paths, name)
    shutil.rmtree(f"{paths.directory}/machines", ignore_errors=True)
    release_user_ids(paths)
    for path in glob.glob(f"{_SOCKETS}/*/experiment"):
        if _text(path) == paths.experiment:
            remove_logs(os.path.dirname(path))
            shutil.rmtree(os.path.dirname(path))
    remove_empty(_SOCKETS)
    return [f"qemu node {name}: removed" for name in names]


def machines_status(plan: HostPlan, paths: ExperimentPaths) -> dict[str, dict]:
    """Return the state of the planned nodes, see kinds.Part."""
    vnodes = [vnode for vnode in plan.vnodes if vnode.kind == "qemu"]
    units = machine_units(paths, [vnode.name for vnode in vnodes])
    return {vnode.name: _status(paths, vnode, *units[vnode.name]) for vnode in vnodes}


def machines_signs(plan: HostPlan, paths: ExperimentPaths) -> dict[str, tuple[int, int]]:
    """See kinds.Part."""
    vnodes = [vnode for vnode in plan.vnodes if vnode.kind == "qemu" and not vnode.ghost]
    processes = machine_processes(paths, [vnode.name for vnode in vnodes])
    return {vnode.name: (processes.get(vnode.name, 0), find_report(machine_paths(paths, vnode).report)) for vnode in vnodes}


def machine_texts(plan: HostPlan, paths: ExperimentPaths, name: str, lines: int) -> dict[str, str]:
    """See kinds.Part."""
    vnode = next(vnode for vnode in plan.vnodes if vnode.name == name)
    return {"console": console_end(machine_paths(paths, vnode), lines)}


def machine_ports(vnode: VnodePlan, on: dict[str, Medium]) -> list[Port]:
    """See kinds.Part."""
    return taps(vnode, on)


def reboot_machines(plan: HostPlan, paths: ExperimentPaths, names: tuple[str, ...]) -> list[str]:
    """Reboot nodes, see kinds.Part."""
    for name in names:
        if not os.path.exists(_unit_path(paths, name)):
            raise HostError(f"qemu node {name} cannot be rebooted: it has no unit on this host")
    systemctl("restart", *(paths.node_unit(name) for name in names))
    return [f"qemu node {name}: rebooted" for name in names]


def machine_paths(paths: ExperimentPaths, vnode: VnodePlan) -> MachinePaths:
    """Return where a node's files are. The folder of sockets has the name of one of the node's devices: a socket's path has at most 108 characters."""
    port = vnode.control.port if vnode.control else vnode.interfaces[0].port
    return MachinePaths(f"{paths.directory}/machines/{vnode.name}", f"{_SOCKETS}/{port}")


def _prepare(plan: HostPlan, vnode: VnodePlan, hardware: Hardware, user: int, paths: ExperimentPaths, control_mtu: int, choice: WarmChoice,
             changes: list[str], dry_run: bool) -> list[Start]:
    """Write the node's files as planned. Return the node if it has to be started or restarted, else nothing."""
    where, image = machine_paths(paths, vnode), hardware.image
    plugged = cards(plan, vnode, control_mtu)
    unit = unit_text(paths.experiment, vnode.name, where, bare_command(hardware, vnode.name, user, where), cold_boot_args(plugged))
    active = machine_units(paths, [vnode.name])[vnode.name][0] == "active"
    if dry_run:
        if not active:
            changes.append(f"qemu node {vnode.name}: {'started' if os.path.exists(where.directory) else 'made'}")
        return []
    if not os.path.exists(f"{IMAGES}/{image.digest}/image.json"):
        raise HostError(f"image {image.name} of {vnode.name} is not on this host: the role deter.benito.node_images brings it")
    if os.path.exists(where.unfinished):  # an interrupted warm start, which cannot be continued
        systemctl("stop", paths.node_unit(vnode.name))
        forget_clone(where)
        active = False
    new = not os.path.exists(f"{where.directory}/disk.qcow2")
    for folder in (where.directory, where.sockets):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    make_logs(where)
    write_atomically(f"{where.sockets}/experiment", paths.experiment)
    template, why = choice.template(hardware) if new else (None, "")
    if new and not template:
        make_disk(image, vnode.disk_mb, f"{where.directory}/disk.qcow2")
    if _write_identity(plan, vnode, image, paths, where, control_mtu) and not new:
        changes.append(f"qemu node {vnode.name}: identity written, in effect from its next boot")
    path = _unit_path(paths, vnode.name)
    changed = _text(path) != unit
    if changed:
        os.makedirs(UNITS, exist_ok=True)
        write_atomically(path, unit, 0o644)
    if active and not changed:
        if resume(vnode.name, where):
            changes.append(f"qemu node {vnode.name}: resumed, it was paused because its disk could not be written")
        return []
    if active:
        systemctl("stop", paths.node_unit(vnode.name))
    what = ("made, a clone of a warm template" if template else "made") if new else "started again" if active else "started"
    changes.append(f"qemu node {vnode.name}: {what}{f', boots from its disk, because {why}' if why else ''}")
    return [Start(vnode, where, hardware, plugged, template)]


def _write_identity(plan: HostPlan, vnode: VnodePlan, image: ImagePlan, paths: ExperimentPaths, where: MachinePaths, control_mtu: int) -> bool:
    files = read_guest_files(plan, vnode, paths, REPORT_PORT)
    content = seed_tar(files if image.cloud_init else {**files, **machine_network(plan, vnode, control_mtu)})
    path = f"{where.directory}/seed.tar"
    if _bytes(path) == content:
        return False
    if image.cloud_init:
        write_seed_iso(f"{where.directory}/seed.iso", cloud_init_files(plan, vnode))
    _overwrite(path, content)
    return True


def _overwrite(path: str, content: bytes) -> None:
    """Overwrite the file in place: a running QEMU has it open, and the guest reads it again when it reboots."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(content)
        stream.truncate()


def _status(paths: ExperimentPaths, vnode: VnodePlan, state: str, code: int | None) -> dict:
    nothing = {"exit_code": None, "start_command": "waiting" if vnode.start_command else "", "exit_status": None}
    if vnode.ghost:
        return {"state": "ghost", **nothing, "start_command": ""}
    if state == "missing":
        return {"state": "missing", **nothing}
    report = read_report(machine_paths(paths, vnode).report)
    command = (report.start_command or "waiting") if vnode.start_command else ""
    if state == "dead":
        lost = report.start_command == "running"
        return {"state": "dead", "exit_code": code, "start_command": "lost" if lost else command, "exit_status": report.exit_status}
    running = "paused" if is_paused(machine_paths(paths, vnode)) else report.state
    return {"state": running, "exit_code": None, "start_command": command, "exit_status": report.exit_status}


def _present(paths: ExperimentPaths) -> list[str]:
    """Return the nodes that have units or directories here."""
    prefix = f"{UNIT_KEY}={paths.experiment}:"
    names: set[str] = set()
    for path in glob.glob(f"{UNITS}/{glob.escape(paths.node_unit('*')).replace('[*]', '*')}"):
        names.update(line[len(prefix):] for line in (_text(path) or "").splitlines() if line.startswith(prefix))
    machines = f"{paths.directory}/machines"
    return sorted(names | set(os.listdir(machines) if os.path.isdir(machines) else ()))


def _remove(paths: ExperimentPaths, name: str) -> None:
    path = _unit_path(paths, name)
    if os.path.exists(path):
        systemctl("stop", paths.node_unit(name), check=False)
        systemctl("reset-failed", "--quiet", paths.node_unit(name), check=False)
        os.unlink(path)
        systemctl("daemon-reload")
    remove_ports(paths, owners=[name])
    shutil.rmtree(f"{paths.directory}/machines/{name}", ignore_errors=True)


def _unit_path(paths: ExperimentPaths, name: str) -> str:
    return f"{UNITS}/{paths.node_unit(name)}"


def _text(path: str) -> str | None:
    content = _bytes(path)
    return None if content is None else content.decode(errors="replace")


def _bytes(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
