# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check whether this machine could be a pnode. Nothing on it is changed.

Each check is {"name", "state": one of STATES, "text": what was found, "remedy": what to do about it, "" if it is well}.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

from ...errors import HostError
from ...hostplan import VXLAN_PORT

OK, WARNING, FAILED = STATES = "ok", "warning", "failed"
_VXLAN_OVERHEAD, _FULL_MTU = 50, 1500
_LOW_MEMORY_MB, _LOW_DISK_MB, _NO_DISK_MB = 512, 4096, 512
_OLDEST_PYTHON = (3, 9)
_QEMU = "/usr/bin/qemu-system-x86_64"


def run_task(options: dict) -> dict:
    """Return {"changed": False, "time": seconds since the epoch when it began, "checks": the checks}.

    options  "experiment_address", "experiment_interface": as the pool says them; "kvm": whether to prove KVM, by up to ten seconds
    """
    began = time.time()
    return {"changed": False, "time": began, "checks": list(checks(options["experiment_address"], options["experiment_interface"], options["kvm"]))}


def checks(address: str, interface: str, kvm: bool) -> Iterator[dict]:
    """Yield every check of this machine."""
    yield _python()
    if os.geteuid() != 0:
        yield _check("root", FAILED, "tasks do not run as root",
                     "set ansible_become: true for it in the inventory, or ansible_user: root; the user must be allowed sudo")
        return
    yield _check("root", OK, "tasks run as root")
    yield from _experiment_network(address, interface)
    yield _tunnel_port()
    yield _packet_filters()
    yield _memory()
    yield _disk()
    if kvm:
        yield kvm_check()


def _check(name: str, state: str, text: str, remedy: str = "") -> dict:
    return {"name": name, "state": state, "text": text, "remedy": remedy}


def _python() -> dict:
    text = "Python " + ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        return _check("python", FAILED, text, "install Python 3.9 or newer as /usr/bin/python3: a newer release of the distribution has it")
    return _check("python", OK, text)


def _experiment_network(address: str, interface: str) -> Iterator[dict]:
    from .lease import underlay

    try:
        found = underlay(address, interface)
    except HostError as exc:
        yield _check("experiment network", FAILED, str(exc), "correct benito_experiment_address or benito_experiment_interface in the inventory")
        return
    if not found["underlay_device"]:
        yield _check("experiment network", WARNING, "the inventory has no benito_experiment_address for it: it can carry no experiment of several machines",
                     "set benito_experiment_address to its IPv4 address on the network that joins the machines")
        return
    yield _check("experiment network", OK, f"{found['underlay_address']} on {found['underlay_device']}")
    mtu, inside = found["underlay_mtu"], found["underlay_mtu"] - _VXLAN_OVERHEAD
    if inside < _FULL_MTU:
        yield _check("mtu", WARNING, f"{mtu} on {found['underlay_device']}: nodes get an MTU of {inside} on networks of several machines",
                     f"raise the MTU of that network to {_FULL_MTU + _VXLAN_OVERHEAD} or more, on switches too")
    else:
        yield _check("mtu", OK, f"{mtu} on {found['underlay_device']}")


def _tunnel_port() -> dict:
    """Check that no program has the port of the tunnels. The kernel's own tunnels share it; no program has their sockets open."""
    inodes = {inode for name in ("udp", "udp6") for port, inode in _udp_sockets(f"/proc/net/{name}") if port == VXLAN_PORT}
    program = next(_programs_of(inodes), "") if inodes else ""
    if program:
        return _check("udp port", FAILED, f"{program} has UDP port {VXLAN_PORT}, which the tunnels need", "stop it, or give it another port")
    return _check("udp port", OK, f"no program has UDP port {VXLAN_PORT}, which is for tunnels")


def _udp_sockets(path: str) -> Iterator[tuple[int, str]]:
    try:
        with open(path, encoding="ascii") as stream:
            lines = stream.read().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split()
        yield int(words[1].rpartition(":")[2], 16), words[9]


def _programs_of(inodes: set[str]) -> Iterator[str]:
    """Yield the programs that have one of these sockets open, for a person."""
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(f"/proc/{process}/fd/{entry}") in sockets for entry in os.listdir(f"/proc/{process}/fd")):
                with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as stream:
                    yield f"{stream.read().strip()} (process {process})"
        except OSError:  # it has ended
            continue


def _packet_filters() -> dict:
    from ..net.foreign_filters import foreign_hooks

    try:
        passable, blocking = foreign_hooks()
    except (HostError, OSError) as exc:
        return _check("packet filters", WARNING, f"they cannot be listed: {exc}", "see whether nft list ruleset works there")
    if blocking:
        return _check("packet filters", FAILED, f"another program's filter may drop packets of experiments: {'; '.join(blocking)}",
                      "change that program's rules as is said there")
    text = f"of other programs, which experiments pass by a rule of ours: {', '.join(passable)}" if passable else "none of other programs"
    return _check("packet filters", OK, text)


def _memory() -> dict:
    from .memory import available_mb, memory_mb

    total, free = memory_mb(), available_mb()
    text = f"{free:,} of {total:,} MiB available"
    if free < _LOW_MEMORY_MB:
        return _check("memory", WARNING, text, "stop what takes it, or limit what nodes may take by pnode_memory_mb in the inventory")
    return _check("memory", OK, text)


def _disk() -> dict:
    status = os.statvfs("/var")
    free = status.f_bavail * status.f_frsize >> 20
    text = f"{free:,} MiB free in /var, where images and disks of nodes are"
    if free < _LOW_DISK_MB:
        return _check("disk", FAILED if free < _NO_DISK_MB else WARNING, text, "make room: an image takes about 1 GiB, and each virtual machine what it writes")
    return _check("disk", OK, text)


def kvm_check() -> dict:
    """Return the check of KVM: what this host has found already, or what a kernel that boots under KVM now shows, within ten seconds."""
    from ..qemu.acceleration import NO_KERNEL, known_acceleration, prove_kvm

    known = known_acceleration()
    if not known and not os.path.exists(_QEMU):
        return _check("kvm", OK, "not tried, because QEMU is not installed yet: the first swap-in with virtual machines installs it")
    verdict, reason = known or prove_kvm()
    if verdict == "kvm":
        return _check("kvm", OK, reason)
    if reason == NO_KERNEL:
        return _check("kvm", OK, "not tried, because there is no kernel to boot yet: the first swap-in with virtual machines brings one")
    return _check("kvm", WARNING, f"virtual machines are emulated, many times slower: {reason}",
                  "enable virtualisation in its firmware (nested virtualisation, if it is a virtual machine), and load kvm_intel or kvm_amd")
