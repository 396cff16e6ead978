# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Openvz nodes as one of the kinds of run/kinds.py: system containers by LXC, a systemd unit each.

A node's directory (``config.container``) outlives a reboot of the host, so the node comes back as the same. Units, links and
mounts do not, and are made again.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
from dataclasses import dataclass

from ...errors import HostError
from ...hostplan import HostPlan, ImagePlan, VnodePlan
from ...names import CONTROL
from ..base.packages import missing_packages
from ..base.paths import ExperimentPaths, read_json, remove_empty, write_atomically
from ..base.syscalls import umount
from ..base.systemctl import UNITS, systemctl
from ..guest.files import read_guest_files
from ..guest.network import GuestFile, container_network
from ..net import netlink
from ..net.netlink import Batch
from ..net.ports import Medium, Peer, Port, Ports, media, remove_ports
from ..net.probe import close_endpoints
from .boot import Unit, boot, console_end, node_status, remove_left_cgroups, remove_left_locks, remove_units, shown, units
from .config import REPORT, attachments, container, containers, inside, lxc_config, mounts, rootfs, start_text, unit_text
from .disk import mounted_below, open_disk
from .files import Tree
from .image import init_command, prepare_image, tree
from .inside import NodeEndedError, differences_inside, init_of


@dataclass(frozen=True)
class _Wanted:
    """A node and everything that is written for it. ``system`` takes effect at a restart, ``files`` (of the node) at any time."""

    vnode: VnodePlan
    system: dict[str, str]
    files: dict[str, GuestFile]

    @property
    def base(self) -> str:
        """The image and disk size below the node's own files. If they change, the node is made anew."""
        return f"{self.vnode.image} {self.vnode.disk_mb}"

    @property
    def system_digest(self) -> str:
        return _digest([sorted(self.system.items()), self.files["var/benito/lib/network"].text, [interface.mac_address for interface in self.vnode.interfaces]])

    @property
    def files_digests(self) -> dict[str, str]:
        return {path: _digest([file.text, file.mode, file.target]) for path, file in self.files.items()}


def apply_containers(plan: HostPlan, paths: ExperimentPaths, applied: HostPlan | None, dry_run: bool) -> list[str]:
    """Bring up the planned nodes, see kinds.Part. A node that was powered off or has died is started again."""
    wanted = {vnode.name: vnode for vnode in plan.vnodes if vnode.kind == "openvz" and not vnode.ghost}
    present = _present(paths)
    surplus = sorted(present - set(wanted))
    changes = [f"openvz node {name}: removed" for name in surplus]
    if surplus and not dry_run:
        _remove_nodes(paths, surplus)
    if not wanted:
        return changes
    if dry_run:
        states = shown(paths, sorted(wanted))
        images = [change for image in _images(plan, wanted) for change in prepare_image(image, True)]
        return changes + images + [f"openvz node {name}: {'started' if name in present else 'made'}" for name in wanted if states[name].state != "active"]
    missing = missing_packages(["openvz"])
    if missing:
        raise HostError(f"openvz nodes need packages that are not installed on this host: {', '.join(missing)}. The role deter.benito.vhost installs them")
    close_endpoints(paths)
    return changes + _Builder(plan, paths).run(wanted)


def remove_containers(paths: ExperimentPaths) -> list[str]:
    """Remove all nodes, see kinds.Part."""
    names = _present(paths)
    if names:
        _remove_nodes(paths, sorted(names))
    for directory in (containers(paths), mounts(paths)):
        if os.path.isdir(directory):
            shutil.rmtree(directory)
    remove_empty(os.path.dirname(mounts(paths)))
    remove_left_cgroups(paths)
    remove_left_locks(paths)
    return [f"openvz nodes: {len(names)} removed"] if names else []


def reboot_containers(plan: HostPlan, paths: ExperimentPaths, names: tuple[str, ...]) -> list[str]:
    """Reboot nodes, see kinds.Part. Nodes that do not run are started as ``apply`` does."""
    states = shown(paths, list(names))
    running = [name for name in names if states[name].state == "active"]
    for name in running:
        Tree(f"{container(paths, name)}/data/upper").say("stopping")
    if running:
        systemctl("restart", "--no-block", *(paths.node_unit(name) for name in running))
    ended = {vnode.name: vnode for vnode in plan.vnodes if vnode.name in names and vnode.name not in running and not vnode.ghost}
    if ended:
        _Builder(plan, paths).run(ended)
    return [f"openvz node {name}: rebooted" for name in names]


def containers_status(plan: HostPlan, paths: ExperimentPaths) -> dict[str, dict]:
    """Return the state of the planned nodes, see kinds.Part."""
    mine = [vnode for vnode in plan.vnodes if vnode.kind == "openvz"]
    states = shown(paths, [vnode.name for vnode in mine if not vnode.ghost])
    return {vnode.name: node_status(paths, vnode, states.get(vnode.name)) for vnode in mine}


def containers_signs(plan: HostPlan, paths: ExperimentPaths) -> dict[str, tuple[int, int]]:
    """See kinds.Part. The report is found in the node's own tree: kernels before 6.8 tell nothing of changes in the upper layer of an overlay."""
    names = [vnode.name for vnode in plan.vnodes if vnode.kind == "openvz" and not vnode.ghost]
    return {name: (unit.pid, _find_report(paths, name, unit.pid)) for name, unit in shown(paths, names).items()}


def container_texts(_plan: HostPlan, paths: ExperimentPaths, name: str, lines: int) -> dict[str, str]:
    """See kinds.Part."""
    try:
        return {"console": console_end(paths, name, lines)}
    except FileNotFoundError:
        return {"console": ""}


def container_ports(vnode: VnodePlan, on: dict[str, Medium]) -> list[Port]:
    """See kinds.Part. The port of the control interface is the first."""
    return [Port(port, vnode.name, name, on[medium], Peer(inside(port), mac_address)) for name, port, mac_address, medium in attachments(vnode)]


def inside_containers(plan: HostPlan, paths: ExperimentPaths, names: list[str], mtus: dict[str, int]) -> dict[str, list[str]]:
    """See kinds.Part."""
    vnodes = {vnode.name: vnode for vnode in plan.vnodes}
    return {name: differences_inside(vnodes[name], unit.pid, mtus) for name, unit in shown(paths, names).items() if unit.pid}


def _find_report(paths: ExperimentPaths, name: str, lxc_start: int) -> int:
    try:
        found = Tree(f"/proc/{init_of(lxc_start)}/root").find_report() if lxc_start else -1
    except NodeEndedError:
        found = -1
    return found if found >= 0 else Tree(f"{container(paths, name)}/data/upper").find_report()


def _present(paths: ExperimentPaths) -> set[str]:
    """Return the nodes that have files or units here, also incomplete ones."""
    try:
        found = {entry.name for entry in os.scandir(containers(paths))}
    except FileNotFoundError:
        found = set()
    return found | units(paths)


def _images(plan: HostPlan, wanted: dict[str, VnodePlan]) -> list[ImagePlan]:
    used = {vnode.image for vnode in wanted.values()}
    return [image for image in plan.images if image.digest in used]


class _Builder:
    """One application of a plan to the openvz nodes."""

    def __init__(self, plan: HostPlan, paths: ExperimentPaths):
        self._plan, self._paths = plan, paths
        live = netlink.links()
        self._media = media(plan, live)
        nodes = [vnode for vnode in plan.vnodes if vnode.kind == "openvz" and not vnode.ghost]
        self._ports_of = {vnode.name: container_ports(vnode, self._media) for vnode in nodes}
        self._ports = Ports(paths, [port for ports in self._ports_of.values() for port in ports], live)

    def run(self, vnodes: dict[str, VnodePlan]) -> list[str]:
        images = _images(self._plan, vnodes)
        changes = [change for image in images for change in prepare_image(image)]
        self._inits = {image.digest: init_command(image) for image in images}
        wanted = [self._wanted(vnode) for vnode in vnodes.values()]
        states = shown(self._paths, list(vnodes))
        starting: list[_Wanted] = []
        for node in wanted:
            changes += self._decide(node, states[node.vnode.name], starting)
        if starting:
            self._start(starting)
        return changes

    def _wanted(self, vnode: VnodePlan) -> _Wanted:
        paths, plan = self._paths, self._plan
        system = {
            "config": lxc_config(paths, vnode, self._inits[vnode.image]),
            "start": start_text(paths, vnode, tree(vnode.image)),
            "unit": unit_text(paths, vnode),
        }
        files = read_guest_files(plan, vnode, paths, REPORT)
        return _Wanted(vnode, system, {**files, **container_network(plan, vnode, self._media[CONTROL].mtu)})

    def _decide(self, node: _Wanted, unit: Unit, starting: list[_Wanted]) -> list[str]:
        """Bring one node up to date, or add it to ``starting`` if it has to be started. Return the changes as text."""
        name = node.vnode.name
        known = read_json(f"{container(self._paths, name)}/state.json", {})
        if unit.state != "active" or known.get("system") != node.system_digest or known.get("base") != node.base:
            if known and known.get("base") != node.base:
                _remove_nodes(self._paths, [name])
                known = {}
            elif unit.state != "missing":
                systemctl("stop", self._paths.node_unit(name), check=False)
                systemctl("reset-failed", "--quiet", self._paths.node_unit(name), check=False)
                remove_left_cgroups(self._paths, name)  # of one that was killed. LXC does not start beside them
            starting.append(node)
            return [f"openvz node {name}: {'started' if known else 'made'}", *self._unlimited(node.vnode, known)]
        missing = [port for port in self._ports_of[name] if not self._ports.live(port)]
        if missing:
            systemctl("stop", self._paths.node_unit(name), check=False)
            starting.append(node)
            return [f"openvz node {name}: started again, because its interface at {missing[0].name} was gone"]
        return self._repair_ports(name) + self._rewrite(node, known, unit.pid)

    def _unlimited(self, vnode: VnodePlan, known: dict) -> list[str]:
        wanted = [] if known else [name for name, limit in (("memory", vnode.memory_mb), ("cpu", vnode.cpus)) if limit]
        return [f"openvz node {vnode.name}: its {name} is not limited: this host has no such cgroup controller" for name in wanted if not _controller(name)]

    def _rewrite(self, node: _Wanted, known: dict, pid: int) -> list[str]:
        """Write the files of a running node whose planned content has changed. Its users' own changes stay."""
        before, after = known.get("files", {}), node.files_digests
        changed = [path for path in after if before.get(path) != after[path]]
        if not changed:
            return []
        files = Tree(f"/proc/{init_of(pid)}/root")
        for path in changed:
            files.write(path, node.files[path])
        self._remember(node)
        return [f"openvz node {node.vnode.name}: /{path} written" for path in changed]

    def _repair_ports(self, name: str) -> list[str]:
        batch = Batch()
        repaired = self._ports.repair(batch, self._ports_of[name])
        batch.send()
        return [change for changes in repaired.values() for change in changes]

    def _start(self, nodes: list[_Wanted]) -> None:
        os.makedirs(rootfs(self._paths), mode=0o755, exist_ok=True)
        for node in nodes:
            self._write(node)
        self._make_ports([node.vnode for node in nodes])
        systemctl("daemon-reload")
        boot(self._paths, [node.vnode for node in nodes], self._plan.boot_limit_s)

    def _write(self, node: _Wanted) -> None:
        directory, name = container(self._paths, node.vnode.name), node.vnode.name
        for folder in (containers(self._paths), directory):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        try:
            open_disk(directory, node.vnode.disk_mb)
            files = Tree(f"{directory}/data/upper", tree(node.vnode.image), ours=True)
            for path, file in {**node.files, REPORT[1:]: GuestFile()}.items():
                files.write(path, file)
        except HostError as exc:
            raise HostError(f"openvz node {name}: {exc}") from exc
        for log in ("console.log", "lxc.log"):
            with open(f"{directory}/{log}", "w", encoding="ascii"):
                pass
        for part in ("config", "start"):
            write_atomically(f"{directory}/{part}", node.system[part])
        os.makedirs(UNITS, exist_ok=True)
        write_atomically(f"{UNITS}/{self._paths.node_unit(name)}", node.system["unit"], 0o644)
        self._remember(node)

    def _remember(self, node: _Wanted) -> None:
        text = json.dumps({"base": node.base, "system": node.system_digest, "files": node.files_digests})
        write_atomically(f"{container(self._paths, node.vnode.name)}/state.json", text)

    def _make_ports(self, vnodes: list[VnodePlan]) -> None:
        """Make both ends of each wire anew. LXC finds the nodes' ends by their names."""
        batch = Batch()
        for vnode in vnodes:
            for port in self._ports_of[vnode.name]:
                self._ports.make(batch, port)
        batch.send()


def _remove_nodes(paths: ExperimentPaths, names: list[str]) -> None:
    """Remove the units, mounts, links and directories of nodes, as far as they exist."""
    remove_units(paths, names)
    remove_ports(paths, owners=names)
    for name in names:
        directory = container(paths, name)
        for point in mounted_below(directory):
            umount(point)
        if os.path.isdir(directory):
            shutil.rmtree(directory)


def _controller(name: str) -> bool:
    """Return whether this host has a cgroup controller, of either version."""
    if glob.glob(f"/sys/fs/cgroup/{name}/cgroup.procs"):
        return True
    try:
        with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as stream:
            return name in stream.read().split()
    except FileNotFoundError:
        return False


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
