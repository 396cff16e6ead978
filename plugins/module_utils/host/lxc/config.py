# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of an openvz node for LXC and systemd. Pure text.

All nodes of a host have the same range of user ids (root inside is 100000 outside), so that they share one tree per image.
A process that broke out of its node would own only files of nodes.
"""

from __future__ import annotations

import shlex

from ...hostplan import VnodePlan
from ...names import CONTROL
from ..base.paths import RUN_ROOT, ExperimentPaths
from ..net.marks import INSIDE

FIRST_ID, IDS = 100000, 65536
REPORT = "/var/benito/log/report"
_CONTAINERS = f"{RUN_ROOT}/containers"
_DEVICES = ("c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 5:0", "c 5:1", "c 5:2", "c 136:*")  # null zero full random urandom tty console ptmx pts
_MOST_TASKS = 4096

_LXC = """\
# Written by deter.benito: openvz node {name} of {experiment}.
lxc.uts.name = {hostname}
lxc.rootfs.path = dir:{rootfs}
lxc.idmap = u 0 {first} {ids}
lxc.idmap = g 0 {first} {ids}
lxc.init.cmd = {init}
lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed
lxc.autodev = 1
lxc.tty.max = 0
lxc.pty.max = 1024
lxc.console.logfile = {directory}/console.log
lxc.console.size = 256KB
lxc.signal.halt = SIGRTMIN+3
lxc.apparmor.profile = unconfined
lxc.seccomp.profile = /usr/share/lxc/config/common.seccomp
lxc.cap.drop = audit_control audit_read mac_admin mac_override sys_module sys_rawio sys_time syslog wake_alarm
# relative to the unit's cgroup, which has the limits; in hierarchies that systemd does not manage, relative to the root
lxc.cgroup.relative = 1
lxc.cgroup.dir.monitor = {cgroup}/monitor
lxc.cgroup.dir.monitor.pivot = {cgroup}/pivot
lxc.cgroup.dir.container = {cgroup}/payload
lxc.log.level = INFO
lxc.log.file = {directory}/lxc.log
"""

# /usr/bin is not searched: newuidmap there would want an entry for root in /etc/subuid, which root does not need.
_UNIT = """\
# Written by deter.benito, removed with the experiment.
[Unit]
Description=Benito node {name} of {experiment}
After=network.target

[Service]
Type=exec
ExecStart=/bin/sh {directory}/start
ExecStop=/usr/bin/lxc-stop --lxcpath {mounts} --name {lxc_name} --timeout 20
Environment=PATH=/usr/sbin:/sbin
PrivateMounts=yes
Delegate=yes
KillMode=mixed
TimeoutStopSec=30
OOMPolicy=continue
TasksMax={tasks}
{limits}"""

_START = """\
# Written by deter.benito: the node's files, in the unit's own mount namespace, then its system.
/usr/bin/mount -t overlay -o {options} benito {rootfs} || exit 1
exec /usr/bin/lxc-start --foreground --lxcpath {mounts} --rcfile {directory}/config --name {lxc_name}
"""


def containers(paths: ExperimentPaths) -> str:
    """Return the directory of the experiment's openvz nodes. It has mode 0700 and outlives a reboot."""
    return f"{paths.directory}/containers"


def container(paths: ExperimentPaths, name: str) -> str:
    """Return a node's directory. It holds config, start and logs, and ``data`` (upper and work of the overlay) or a file system ``disk`` with both."""
    return f"{containers(paths)}/{name}"


def mounts(paths: ExperimentPaths) -> str:
    """Return a directory that a node's root can pass through to its files. Each unit sees only its own mount in it."""
    return f"{_CONTAINERS}/{paths.experiment}"


def rootfs(paths: ExperimentPaths) -> str:
    """Return the directory on which each unit mounts its node's files."""
    return f"{mounts(paths)}/root"


def cgroup(paths: ExperimentPaths, name: str = "") -> str:
    """Return the name of the node's cgroups, or the common beginning of all nodes' names."""
    return f"benito-node-{paths.experiment}:{name}"


def inside(port: str) -> str:
    """Return the name that the other end of a port has on the host while its node does not run."""
    return f"{INSIDE}{port[2:]}"


def attachments(vnode: VnodePlan) -> list[tuple[str, str, str, str]]:
    """Return (name inside, port, MAC address, substrate or CONTROL) of every interface, the control interface first."""
    control = [(vnode.control.interface, vnode.control.port, vnode.control.mac_address, CONTROL)] if vnode.control else []
    return control + [(interface.name, interface.port, interface.mac_address, interface.substrate) for interface in vnode.interfaces]


def lxc_config(paths: ExperimentPaths, vnode: VnodePlan, init: str) -> str:
    """Return the LXC configuration. Interfaces are existing devices, which return to the host when the node reboots or ends.

    init  the command line of its init
    """
    text = _LXC.format(name=vnode.name, experiment=paths.experiment, hostname=vnode.hostname, rootfs=rootfs(paths), first=FIRST_ID, ids=IDS,
                       directory=container(paths, vnode.name), cgroup=cgroup(paths, vnode.name), init=init)
    text += "".join(f"{key} = a\n" for key in ("lxc.cgroup.devices.deny", "lxc.cgroup2.devices.deny"))
    text += "".join(f"lxc.{version}.devices.allow = {device} rwm\n" for version in ("cgroup", "cgroup2") for device in _DEVICES)
    for number, (name, port, _mac_address, _medium) in enumerate(attachments(vnode)):
        text += f"lxc.net.{number}.type = phys\nlxc.net.{number}.link = {inside(port)}\nlxc.net.{number}.name = {name}\n"
    return text if vnode.control or vnode.interfaces else f"{text}lxc.net.0.type = empty\n"


def unit_text(paths: ExperimentPaths, vnode: VnodePlan) -> str:
    """Return the systemd unit, with limits of memory and processors if the node has any."""
    limits = f"MemoryMax={vnode.memory_mb}M\n" if vnode.memory_mb else ""
    limits += f"CPUQuota={vnode.cpus * 100}%\n" if vnode.cpus else ""
    return _UNIT.format(name=vnode.name, experiment=paths.experiment, directory=container(paths, vnode.name), mounts=mounts(paths),
                        lxc_name=lxc_name(paths, vnode.name), tasks=_MOST_TASKS, limits=limits)


def lxc_name(paths: ExperimentPaths, name: str) -> str:
    """Return the name of the node for LXC, which is unique on the host."""
    return f"{paths.experiment}:{name}"


def start_text(paths: ExperimentPaths, vnode: VnodePlan, lower: str) -> str:
    """Return the shell script of the unit.

    lower  the image's tree
    """
    directory = container(paths, vnode.name)
    options = f"nodev,lowerdir={lower},upperdir={directory}/data/upper,workdir={directory}/data/work"
    values = {"options": options, "rootfs": rootfs(paths), "mounts": mounts(paths), "directory": directory, "lxc_name": lxc_name(paths, vnode.name)}
    return _START.format(**{key: shlex.quote(value) for key, value in values.items()})
