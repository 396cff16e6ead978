# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a pnode, and the controller's files about it. Pure text."""

from __future__ import annotations

import json
from collections.abc import Iterable

from .addresses import EXPERIMENT_MTU, Subnets
from .names import CONTROL, EXPERIMENT, Identity, Paths
from .sysctls import WANTED

_LXC = """\
# {mark}: {pnode}. Written by deter.benito.local_testbed.
lxc.uts.name = {pnode}
lxc.rootfs.path = overlay:{base}:{directory}/upper
lxc.cgroup.dir.monitor = {cgroup}/{pnode}/monitor
lxc.cgroup.dir.container = {cgroup}/{pnode}/payload
lxc.cgroup.dir.monitor.pivot = {cgroup}/{pnode}/pivot
# A pnode makes bridges, namespaces, virtual machines and containers of its own.
lxc.cap.drop =
lxc.apparmor.profile = unconfined
lxc.cgroup.devices.allow = a
lxc.cgroup2.devices.allow = a
# /proc/sys stays read-only but for the pnode's own network: the rest is the whole machine's. A read-only /sys
# signals systemd that no udev runs here. The second proc and sys allow containers with user namespaces inside.
lxc.mount.auto = proc:mixed sys:mixed cgroup:rw:force
lxc.mount.entry = proc dev/.lxc/proc proc create=dir,optional 0 0
lxc.mount.entry = sys dev/.lxc/sys sysfs create=dir,optional 0 0
# An overlay's upper directory cannot be on an overlay, which a pnode's root is: what experiments keep is on this machine's own file system.
lxc.mount.entry = {directory}/var/benito var/benito none bind,create=dir 0 0
lxc.mount.entry = {directory}/var/cache/benito var/cache/benito none bind,create=dir 0 0
# All pnodes of this machine share their warm templates.
lxc.mount.entry = {templates} var/cache/benito/templates none bind,create=dir 0 0
lxc.mount.entry = /dev/net/tun dev/net/tun none bind,create=file 0 0
lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file,optional 0 0
lxc.mount.entry = /dev/kvm dev/kvm none bind,create=file,optional 0 0
lxc.autodev = 1
lxc.tty.max = 0
lxc.pty.max = 4096
lxc.console.path = none
lxc.signal.halt = SIGRTMIN+3
lxc.log.level = WARN
lxc.log.file = {directory}/lxc.log
lxc.hook.version = 1
"""

_LXC_INTERFACE = """
lxc.net.{number}.type = veth
lxc.net.{number}.link = {bridge}
lxc.net.{number}.flags = up
lxc.net.{number}.name = {interface}
lxc.net.{number}.hwaddr = {mac_address}
lxc.net.{number}.mtu = {mtu}
lxc.net.{number}.veth.pair = {port}
lxc.hook.start-host = sh -c 'ip link set dev {port} alias "{mark}: {pnode} {interface}" addrgenmode none; ip -6 address flush dev {port}'
"""

_CONTROL_NETWORK = """\
# Written by deter.benito.local_testbed: the control interface.
[Match]
Name={interface}

[Network]
Address={address}/{prefix}
Gateway={gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""

_EXPERIMENT_NETWORK = """\
# Written by deter.benito.local_testbed: the experiment interface, underlay of the experiments' substrates.
[Match]
Name={interface}

[Link]
MTUBytes={mtu}
RequiredForOnline=no

[Network]
Address={address}/{prefix}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
_SHARED_CONNECTION = "-o ControlMaster=auto -o ControlPersist=60s"
"""Ansible's own ssh_args but for the compression, which takes longer than anything else where both ends are one machine."""


def render_lxc(identity: Identity, paths: Paths, pnode: str, base: str, control_mtu: int, open_files: int = 0) -> str:
    """Return the LXC configuration of ``pnode`` over the base system's root directory ``base``.

    control_mtu  bytes
    open_files   the hard limit of open files of a process, 0 for the inherited one
    """
    common = {"mark": identity.mark, "pnode": pnode, "base": base, "directory": paths.pnode(pnode), "cgroup": identity.cgroup,
              "templates": paths.templates}
    text = _LXC.format(**common)
    if open_files:
        text += f"lxc.prlimit.nofile = 1024:{open_files}\n"
    for number, (interface, bridge, mtu) in enumerate((
        (CONTROL, identity.control_bridge, control_mtu),
        (EXPERIMENT, identity.experiment_bridge, EXPERIMENT_MTU),
    )):
        text += _LXC_INTERFACE.format(**common, number=number, interface=interface, bridge=bridge, mtu=mtu,
                                      port=identity.port(pnode, interface), mac_address=identity.mac_address(pnode, interface))
    return text


def pnode_files(identity: Identity, subnets: Subnets, pnode: str, machine_id: str, resolv_conf: str, authorized_key: str) -> dict[str, tuple[str, int]]:
    """Return the pnode's own files over the base system, {path below its root: (text, mode)}."""
    index = identity.index_of(pnode)
    return {
        "etc/hostname": (pnode + "\n", 0o644),
        "etc/hosts": (f"127.0.0.1\tlocalhost\n127.0.1.1\t{pnode}\n::1\tlocalhost ip6-localhost ip6-loopback\n", 0o644),
        "etc/machine-id": (machine_id + "\n", 0o444),
        "etc/resolv.conf": (resolv_conf, 0o644),
        "etc/benito/machine-sysctls.json": (json.dumps(WANTED, indent=1) + "\n", 0o644),  # the settings that this machine has raised, which a pnode cannot see
        "etc/systemd/network/10-control.network": (_CONTROL_NETWORK.format(
            interface=CONTROL, address=subnets.control_address(index), prefix=subnets.control_prefix, gateway=subnets.gateway), 0o644),
        "etc/systemd/network/20-experiment.network": (_EXPERIMENT_NETWORK.format(
            interface=EXPERIMENT, mtu=EXPERIMENT_MTU, address=subnets.experiment_address(index), prefix=subnets.experiment_prefix), 0o644),
        "root/.ssh/authorized_keys": (authorized_key, 0o600),
    }


def render_known_hosts(keys: dict[str, str]) -> str:
    """Return the text of known_hosts.

    keys  {control address: text of the pnode's public host key}
    """
    return "".join(f"{address} {' '.join(key.split()[:2])}\n" for address, key in keys.items())


def ssh_options(paths: Paths, silence_s: int = 15) -> str:
    """Return the options of ssh beside user and key: only our own host keys, and a timeout after ``silence_s`` seconds without data."""
    return (f"-o UserKnownHostsFile={paths.known_hosts} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes "
            "-o IdentitiesOnly=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 "
            f"-o ServerAliveCountMax={silence_s // 5}")


def render_inventory(identity: Identity, paths: Paths, subnets: Subnets, pnodes: Iterable[str], emulated: bool = False) -> str:
    """Return the inventory file with the group ``pnode_pool``. Values are JSON, which is YAML, so that any path is quoted correctly.

    emulated  whether pnodes are virtual machines, which may answer slowly
    """
    hosts = {}
    for pnode in pnodes:
        index = identity.index_of(pnode)
        hosts[pnode] = {
            "ansible_host": subnets.control_address(index),
            "benito_experiment_address": subnets.experiment_address(index),
        }
    variables = {
        "ansible_connection": "ssh",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": paths.key,
        "ansible_ssh_args": _SHARED_CONNECTION,
        "ansible_ssh_common_args": ssh_options(paths, 30 if emulated else 15),
        **({"ansible_ssh_timeout": 60} if emulated else {}),
        "ansible_python_interpreter": "/usr/bin/python3",
        "pnode_type": "local",
    }
    if subnets.vnode_addresses:
        variables["benito_control_addresses"] = subnets.vnode_addresses
    lines = [f"# {identity.mark}. Written by deter.benito.local_testbed, removed with state=down.", "pnode_pool:", "  hosts:"]
    for pnode, own in hosts.items():
        lines.append(f"    {pnode}:")
        lines.extend(f"      {name}: {json.dumps(value)}" for name, value in {**own, **variables}.items())
    return "\n".join(lines) + "\n"


def render_table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table. The first of ``rows`` holds the headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
