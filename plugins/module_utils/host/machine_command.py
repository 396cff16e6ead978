# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A qemu node as a command line and a systemd unit. Pure text: what it is given decides all of it.

Network cards stand in the plan's order, control first, eight to a PCI slot, so that more than a bus has slots fit; what each is
called inside follows from its MAC address (guest.py). Without graphics, BIOS and boot loaders speak on the console.
When it has opened its files, QEMU becomes a user that owns nothing, and stays in its own sandbox of system calls.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ..errors import HostError
from ..hostplan import HostPlan, ImagePlan, VnodePlan

IMAGES = "/var/cache/benito/images"
REPORT_PORT = "/dev/virtio-ports/org.benito.report"
SEED_SERIAL = "benito-seed"
UNIT_KEY = "X-BenitoQemu"
_PROGRAMS = {"x86_64": ("qemu-system-x86_64", "pc"), "i386": ("qemu-system-i386", "pc")}
_FIRST_SLOT = 8  # those before are for disks and the like
MOST_CARDS = (32 - _FIRST_SLOT) * 8
DEFAULT_MEMORY_MB = 512
_TRANSLATION_MB = 64  # of TCG; the default takes a gigabyte
_FIRST_USER = 0x70000000  # the first user id that nothing on a system with systemd takes (systemd.io/UIDS-GIDS)

_UNIT = """\
# Made by deter.benito: {experiment}, node {name}.
[Unit]
Description=Benito node {name} of {experiment}
{key}={experiment}:{name}

[Service]
Type=exec
ExecStartPre=/bin/rm -f {report}
ExecStart={command}
Restart=no
TimeoutStopSec=10
LimitNOFILE=65536
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_SETUID CAP_SETGID
LimitCORE=0
UMask=0077
OOMPolicy=stop
"""


@dataclass(frozen=True)
class MachinePlace:
    """directory: what outlives a reboot of the host (disk, seed); sockets: what does not (sockets, logs), a short path."""

    directory: str
    sockets: str

    @property
    def console(self) -> str:
        """The log of its console, in a file system of its own: a guest can fill that, and nothing else."""
        return f"{self.sockets}/console.d/log"

    @property
    def report(self) -> str:
        """What it says of itself (report.py), likewise."""
        return f"{self.sockets}/report.d/log"


def program(architecture: str) -> str:
    """The name of QEMU's program. Raises HostError for an architecture that this version does not run."""
    if architecture not in _PROGRAMS:
        raise HostError(f"virtual machines of architecture {architecture} cannot be run; those that can: {', '.join(_PROGRAMS)}")
    return _PROGRAMS[architecture][0]


def qemu_command(plan: HostPlan, vnode: VnodePlan, image: ImagePlan, where: MachinePlace, acceleration: str, control_mtu: int = 1500) -> list[str]:
    """argv of the node's QEMU.

    acceleration  ``kvm`` or ``tcg``
    control_mtu   of this host's control network
    """
    path, user = f"{IMAGES}/{image.digest}", user_id(plan.experiment, vnode.name)
    accelerator = "kvm" if acceleration == "kvm" else f"tcg,tb-size={_TRANSLATION_MB}"
    command = [
        f"/usr/bin/{program(image.architecture)}", "-name", f"guest={vnode.name},debug-threads=on", "-nodefaults", "-no-user-config",
        "-machine", f"{_PROGRAMS[image.architecture][1]},usb=off,vmport=off,graphics=off",
        "-accel", accelerator, *(["-cpu", "host"] if acceleration == "kvm" else []),
        "-m", f"{vnode.memory_mb or DEFAULT_MEMORY_MB}M", "-smp", str(vnode.cpus or 1), "-display", "none",
        "-rtc", "base=utc,clock=host", "-sandbox", "on,obsolete=deny,elevateprivileges=allow,spawn=deny,resourcecontrol=deny", "-runas", f"{user}:{user}",
        "-qmp", f"unix:{where.sockets}/qmp,server=on,wait=off",
        "-chardev", f"socket,id=console,path={where.sockets}/console,server=on,wait=off,logfile={where.console},logappend=on",
        "-serial", "chardev:console",
        "-device", "virtio-serial-pci,id=ports,addr=0x3",
        "-chardev", f"file,id=report,path={where.report},append=on", "-device", "virtserialport,bus=ports.0,chardev=report,name=org.benito.report",
        "-chardev", f"socket,id=agent,path={where.sockets}/agent,server=on,wait=off",
        "-device", "virtserialport,bus=ports.0,chardev=agent,name=org.qemu.guest_agent.0",
        "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random,addr=0x4",
        "-drive", f"id=disk,if=none,file={where.directory}/disk.qcow2,format=qcow2,discard=unmap", "-device", "virtio-blk-pci,drive=disk,addr=0x5,bootindex=1",
        "-drive", f"id=seed,if=none,file={where.directory}/seed.tar,format=raw,readonly=on",
        "-device", f"virtio-blk-pci,drive=seed,serial={SEED_SERIAL},addr=0x6",
    ]
    if image.kernel:
        command += ["-kernel", f"{path}/kernel", "-initrd", f"{path}/initrd", "-append", "root=/dev/vda rw console=ttyS0 quiet"]
    if image.cloud_init:
        command += ["-drive", f"id=cidata,if=none,file={where.directory}/seed.iso,format=raw,readonly=on", "-device", "virtio-blk-pci,drive=cidata,addr=0x7"]
    for number, (port, mac_address, mtu) in enumerate(cards(plan, vnode, control_mtu)):
        slot, function = divmod(number, 8)
        size = f",host_mtu={mtu}" if mtu != 1500 else ""
        address = f"addr={_FIRST_SLOT + slot:#x}.{function},multifunction=on"
        command += ["-netdev", f"tap,id=net{number},ifname={port},script=no,downscript=no,vhost=off",
                    "-device", f"virtio-net-pci,netdev=net{number},mac={mac_address},romfile=,{address}{size}"]
    return command


def user_id(experiment: str, name: str) -> int:
    """Whom the node's QEMU runs as: a user of no name, to whom nothing belongs. (Becoming it needs the system call that the sandbox calls elevation;
    the unit's NoNewPrivileges sees to it that nothing more can be had.)"""
    return _FIRST_USER + zlib.crc32(f"{experiment}:{name}".encode()) % (1 << 24)


def cards(plan: HostPlan, vnode: VnodePlan, control_mtu: int) -> list[tuple[str, str, int]]:
    """(port, MAC address, MTU) of every network card, in order: control, experiment, uplinks. Raises HostError when there are too many."""
    mtu = {substrate.name: substrate.mtu for substrate in plan.substrates}
    found = [(vnode.control.port, vnode.control.mac_address, control_mtu)] if vnode.control else []
    found += [(wire.port, wire.mac_address, mtu[wire.substrate]) for wire in (*vnode.interfaces, *vnode.uplinks)]
    if len(found) > MOST_CARDS:
        raise HostError(f"node {vnode.name} has {len(found)} network cards, a virtual machine has room for {MOST_CARDS}")
    return found


def unit_text(experiment: str, name: str, where: MachinePlace, command: list[str]) -> str:
    """The node's systemd unit."""
    return _UNIT.format(experiment=experiment, name=name, key=UNIT_KEY, report=where.report, command=" ".join(map(quoted, command)))


def quoted(word: str) -> str:
    """One argument as systemd reads it in ExecStart."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") + '"'
