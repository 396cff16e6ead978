# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Qemu nodes as one of the kinds of parts.py: virtual machines, a systemd unit each.

A node's directory (its disk, its identity, the log of its console) outlives a reboot of the host, so the node that comes back is
the same; units, sockets and taps do not, and are made again.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import time

from ..errors import HostError
from ..hostplan import QEMU_MB, HostPlan, ImagePlan, VnodePlan
from . import netlink
from .acceleration import acceleration
from .guest import guest_files, resolv_conf
from .locks import staying
from .machine_command import DEFAULT_MEMORY_MB, IMAGES, REPORT_PORT, UNIT_KEY, MachinePlace, qemu_command, unit_text
from .machine_logs import console_end, make_logs, remove_logs
from .machine_seed import cloud_init_files, seed_tar, write_seed_iso
from .netlink import Batch
from .place import RUN_ROOT, Place, write_atomically
from .prepare import systemctl
from .probe import close_endpoints
from .report import read_report
from .taps import apply_taps, mtu_of_control

_UNITS = "/run/systemd/system"
_SOCKETS = f"{RUN_ROOT}/vm"


def apply_machines(plan: HostPlan, place: Place, applied: HostPlan | None, dry_run: bool) -> list[str]:
    """See parts.Part. Started in batches of as many as there are processors; waits until all have booted.

    A virtual machine whose unit would be another one now is stopped and started again; one that died is started.
    """
    wanted = {vnode.name: vnode for vnode in plan.vnodes if vnode.kind == "qemu" and not vnode.ghost}
    surplus = sorted(set(_present(place)) - set(wanted))
    changes = [f"qemu node {name}: removed" for name in surplus]
    if not dry_run:
        for name in surplus:
            _remove(place, name)
    if not wanted:
        return changes
    if not dry_run:
        close_endpoints(place)
    changes += apply_taps(plan, list(wanted.values()), place, dry_run)
    accelerator = acceleration(plan.acceleration)[0] if not dry_run else "tcg"
    images, control_mtu = {image.digest: image for image in plan.images}, mtu_of_control(netlink.links())
    starting = [vnode for vnode in wanted.values() if _prepare(plan, vnode, images[vnode.image], place, accelerator, control_mtu, changes, dry_run)]
    if not dry_run:
        _start_all(plan, place, [vnode.name for vnode in starting], list(wanted))
    return changes


def remove_machines(place: Place) -> list[str]:
    """See parts.Part."""
    names = _present(place)
    for name in names:
        _remove(place, name)
    shutil.rmtree(f"{place.directory}/machines", ignore_errors=True)
    for path in glob.glob(f"{_SOCKETS}/*/experiment"):
        if _text(path) == place.experiment:
            remove_logs(os.path.dirname(path))
            shutil.rmtree(os.path.dirname(path))
    _remove_empty(_SOCKETS)
    return [f"qemu node {name}: removed" for name in names]


def machines_status(plan: HostPlan, place: Place) -> dict[str, dict]:
    """See parts.Part."""
    vnodes = [vnode for vnode in plan.vnodes if vnode.kind == "qemu"]
    units = _units(place, [vnode.name for vnode in vnodes])
    return {vnode.name: _status(place, vnode, *units[vnode.name]) for vnode in vnodes}


def reboot_machines(plan: HostPlan, place: Place, names: tuple[str, ...]) -> list[str]:
    """See parts.Part."""
    for name in names:
        if not os.path.exists(_unit_path(place, name)):
            raise HostError(f"qemu node {name} is not there to be rebooted")
    systemctl("restart", *(place.node_unit(name) for name in names))
    return [f"qemu node {name}: rebooted" for name in names]


def machine_place(place: Place, vnode: VnodePlan) -> MachinePlace:
    """Where a node's files are. Names of sockets are at most 108 characters, so their folder is called after a device of the node's."""
    port = vnode.control.port if vnode.control else vnode.interfaces[0].port
    return MachinePlace(f"{place.directory}/machines/{vnode.name}", f"{_SOCKETS}/{port}")


def _prepare(plan: HostPlan, vnode: VnodePlan, image: ImagePlan, place: Place, accelerator: str, control_mtu: int, changes: list[str],
             dry_run: bool) -> bool:
    """Have the node's files as planned. Whether it has to be started, or started again."""
    where = machine_place(place, vnode)
    unit = unit_text(place.experiment, vnode.name, where, qemu_command(plan, vnode, image, where, accelerator, control_mtu))
    active = _units(place, [vnode.name])[vnode.name][0] == "active"
    if dry_run:
        if not active:
            changes.append(f"qemu node {vnode.name}: {'started' if os.path.exists(where.directory) else 'made'}")
        return False
    if not os.path.exists(f"{IMAGES}/{image.digest}/image.json"):
        raise HostError(f"image {image.name} of {vnode.name} is not on this host: the role deter.benito.node_images brings it")
    new = not os.path.exists(f"{where.directory}/disk.qcow2")
    for folder in (where.directory, where.sockets):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    make_logs(where)
    write_atomically(f"{where.sockets}/experiment", place.experiment)
    if new:
        _make_disk(vnode, image, where)
    if _write_identity(plan, vnode, image, place, where) and not new:
        changes.append(f"qemu node {vnode.name}: identity written, it has it from its next boot on")
    path = _unit_path(place, vnode.name)
    other = _text(path) != unit
    if other:
        os.makedirs(_UNITS, exist_ok=True)
        write_atomically(path, unit, 0o644)
    if active and not other:
        return False
    if active:
        systemctl("stop", place.node_unit(vnode.name))
    changes.append(f"qemu node {vnode.name}: {'made' if new else 'started again' if active else 'started'}")
    return True


def _make_disk(vnode: VnodePlan, image: ImagePlan, where: MachinePlace) -> None:
    """An overlay on the image, which all nodes of it share."""
    base, disk = f"{IMAGES}/{image.digest}/disk", f"{where.directory}/disk.qcow2"
    size = [f"{vnode.disk_mb}M"] if vnode.disk_mb and vnode.disk_mb << 20 > _virtual_size(base, image.disk_format) else []
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", image.disk_format, f"{disk}.new", *size)
    os.rename(f"{disk}.new", disk)


def _virtual_size(path: str, disk_format: str) -> int:
    """Bytes. The header of a qcow2 image tells; a raw one is as large as it is."""
    if disk_format == "raw":
        return os.path.getsize(path)
    with open(path, "rb") as stream:
        return int.from_bytes(stream.read(32)[24:32], "big")


def _write_identity(plan: HostPlan, vnode: VnodePlan, image: ImagePlan, place: Place, where: MachinePlace) -> bool:
    key = tuple(_text(place.secret(vnode.name, file)) for file in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"))
    if None in key:
        raise HostError(f"the SSH host key of {vnode.name} is not on this host: the role deter.benito.vhost brings it")
    files = guest_files(plan, vnode, REPORT_PORT, resolv_conf(), key, network=not image.cloud_init)
    content = seed_tar(files)
    path = f"{where.directory}/seed.tar"
    if _bytes(path) == content:
        return False
    if image.cloud_init:
        write_seed_iso(f"{where.directory}/seed.iso", cloud_init_files(plan, vnode))
    _overwrite(path, content)
    return True


def _overwrite(path: str, content: bytes) -> None:
    """In place, because a running QEMU has the file open, and the guest reads it again when it reboots."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(content)
        stream.truncate()


def _start_all(plan: HostPlan, place: Place, starting: list[str], wanted: list[str]) -> None:
    """Start as many at once as there are processors and memory for, and wait for all that are wanted.

    Raises HostError naming those that do not boot, and when the experiment is taken away meanwhile.
    """
    vnodes = {vnode.name: vnode for vnode in plan.vnodes if vnode.name in wanted}
    places = {name: machine_place(place, vnode) for name, vnode in vnodes.items()}
    if starting:
        systemctl("daemon-reload")
    failed: dict[str, str] = {}
    waiting = list(starting)
    booting: dict[str, float] = {name: time.monotonic() for name in wanted if name not in starting}
    while waiting or booting:
        while waiting and _room([vnodes[name] for name in (*booting, waiting[0])]):
            name = waiting.pop(0)
            _discard(places[name].report)
            systemctl("reset-failed", "--quiet", place.node_unit(name), check=False)
            systemctl("start", place.node_unit(name))
            booting[name] = time.monotonic()
        states = _units(place, list(booting))
        for name, began in list(booting.items()):
            state, code = states[name]
            if state == "dead":
                failed[name] = f"ended while it booted, with {code}"
            elif time.monotonic() - began > plan.boot_limit_s:
                failed[name] = f"has not booted within {plan.boot_limit_s} s"
            elif read_report(places[name].report).state != "booted":
                continue
            del booting[name]
        if booting:
            with staying(place):
                pass
            time.sleep(0.3)
    if failed:
        logs = {name: console_end(places[name]) for name in failed}
        raise HostError("\n".join(f"qemu node {name} {why}; the end of its console:\n{logs[name]}" for name, why in failed.items()))


def _room(together: list[VnodePlan]) -> bool:
    """Whether these may boot at the same time. One may always: whether all fit on this machine was looked at when it was chosen."""
    needed = sum((vnode.memory_mb or DEFAULT_MEMORY_MB) + QEMU_MB for vnode in together)
    return len(together) == 1 or (len(together) <= len(os.sched_getaffinity(0)) and needed <= _available_mb())


def _available_mb() -> int:
    with open("/proc/meminfo", encoding="ascii") as stream:
        return next(int(line.split()[1]) >> 10 for line in stream if line.startswith("MemAvailable:"))


def _status(place: Place, vnode: VnodePlan, state: str, code: int | None) -> dict:
    nothing = {"exit_code": None, "start_command": "waiting" if vnode.start_command else "", "exit_status": None}
    if vnode.ghost:
        return {"state": "ghost", **nothing, "start_command": ""}
    if state == "missing":
        return {"state": "missing", **nothing}
    report = read_report(machine_place(place, vnode).report)
    command = (report.start_command or "waiting") if vnode.start_command else ""
    if state == "dead":
        lost = report.start_command == "running"
        return {"state": "dead", "exit_code": code, "start_command": "lost" if lost else command, "exit_status": report.exit_status}
    return {"state": report.state, "exit_code": None, "start_command": command, "exit_status": report.exit_status}


def _units(place: Place, names: list[str]) -> dict[str, tuple[str, int | None]]:
    """{node: (``active``, ``dead`` or ``missing``, exit code of a dead one: as a shell has it, 128 + n for signal n)}."""
    if not names:
        return {}
    shown = systemctl("show", "--property=LoadState,ActiveState,ExecMainCode,ExecMainStatus", *(place.node_unit(name) for name in names), check=False).stdout
    found = {}
    for name, block in zip(names, shown.strip().split("\n\n")):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("LoadState") != "loaded":
            found[name] = ("missing", None)
        elif fields["ActiveState"] in ("active", "activating", "reloading"):
            found[name] = ("active", None)
        else:
            status = int(fields.get("ExecMainStatus") or 0)
            found[name] = ("dead", status if fields.get("ExecMainCode") in ("0", "1") else 128 + status)
    return {name: found.get(name, ("missing", None)) for name in names}


def _present(place: Place) -> list[str]:
    """Nodes of ours by what is there: units, and directories."""
    prefix = f"{UNIT_KEY}={place.experiment}:"
    names = set()
    for path in glob.glob(f"{_UNITS}/{glob.escape(place.node_unit('*')).replace('[*]', '*')}"):
        names.update(line[len(prefix):] for line in (_text(path) or "").splitlines() if line.startswith(prefix))
    machines = f"{place.directory}/machines"
    return sorted(names | set(os.listdir(machines) if os.path.isdir(machines) else ()))


def _remove(place: Place, name: str) -> None:
    path = _unit_path(place, name)
    if os.path.exists(path):
        systemctl("stop", place.node_unit(name), check=False)
        systemctl("reset-failed", "--quiet", place.node_unit(name), check=False)
        os.unlink(path)
        systemctl("daemon-reload")
    batch = Batch()
    for link in netlink.links().values():
        if link.get("ifalias", "").startswith(f"{place.mark}port:{name}:"):
            batch.delete_link(f"removing {link['ifname']}", link["ifindex"])
    batch.send()
    shutil.rmtree(f"{place.directory}/machines/{name}", ignore_errors=True)


def _unit_path(place: Place, name: str) -> str:
    return f"{_UNITS}/{place.node_unit(name)}"


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise HostError(f"{command[0]} is not installed on this host: the role deter.benito.qemu_host does it") from exc
    if done.returncode:
        raise HostError(f"{' '.join(command)}: {done.stderr.strip()}")


def _text(path: str) -> str | None:
    content = _bytes(path)
    return None if content is None else content.decode(errors="replace")


def _bytes(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _remove_empty(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass  # not there, or another experiment's are in it
