# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A qemu node as a command line and a systemd unit. Pure text, which depends on the arguments alone.

Network cards are in the plan's order, control first, eight in each PCI slot, so that there can be more cards than slots. The name of
a card inside follows from its MAC address (guest/network.py). Without graphics, BIOS and boot loaders write to the console.
After opening its files, QEMU switches to a user that owns nothing, and filters its own system calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import HostError
from ...hostplan import HostPlan, ImagePlan, VnodePlan
from ...names import CONTROL
from ..base.paths import IMAGES, ExperimentPaths
from . import sandbox

REPORT_PORT = "/dev/virtio-ports/org.benito.report"
SEED_SERIAL = "benito-seed"
UNIT_KEY = "X-BenitoQemu"
_PROGRAMS = {"x86_64": ("qemu-system-x86_64", "pc"), "i386": ("qemu-system-i386", "pc")}
_FIRST_SLOT = 8  # lower slots are for disks and other devices
MOST_CARDS = (32 - _FIRST_SLOT) * 8
DEFAULT_MEMORY_MB = 512
WIDEST = "max"
_EMULATED = "max,la57=off"  # page tables of five levels cost an emulated guest processor time
_TRANSLATION_MB, _MUCH_TRANSLATION_MB = 40, 96  # of TCG; QEMU's default is a gigabyte. Our images boot no faster with more

_START = "BENITO_START"

_UNIT = """\
# Made by deter.benito: {experiment}, node {name}.
[Unit]
Description=Benito node {name} of {experiment}
{key}={experiment}:{name}

[Service]
Type=exec
Environment="{start_key}={cold}"
EnvironmentFile=-{start}
ExecStartPre=/bin/rm -f {report}
ExecStart={command} ${start_key}
ExecStartPost=/bin/rm -f {start}
Restart=no
TimeoutStopSec=10
LimitNOFILE=65536
OOMPolicy=stop
{sandbox}"""


@dataclass(frozen=True)
class MachinePaths:
    """Where a virtual machine's files are.

    directory  for files that outlive a reboot of the host: disk, seed
    sockets    for others: sockets, logs; a short path
    """

    directory: str
    sockets: str

    @property
    def console(self) -> str:
        """The log of the console. It has a file system of its own, because a guest may fill it."""
        return f"{self.sockets}/console.d/log"

    @property
    def identity(self) -> str:
        """The socket by which a warm clone gets its identity."""
        return f"{self.sockets}/identity"

    @property
    def start(self) -> str:
        """An environment file with further arguments of the next start alone, which is a warm one."""
        return f"{self.sockets}/start"

    @property
    def unfinished(self) -> str:
        """A file that exists from before a warm start until the clone has its identity."""
        return f"{self.sockets}/unfinished"

    @property
    def report(self) -> str:
        """The node's report (report.py), in a file system of its own."""
        return f"{self.sockets}/report.d/log"


def program(architecture: str) -> str:
    """Return the name of QEMU's program. Raises HostError for an architecture that is not supported."""
    if architecture not in _PROGRAMS:
        raise HostError(f"virtual machines of architecture {architecture} are not supported; supported are {', '.join(_PROGRAMS)}")
    return _PROGRAMS[architecture][0]


@dataclass(frozen=True)
class Hardware:
    """A virtual machine without its network cards and files. A clone has the same hardware as its template.

    acceleration    ``kvm`` or ``tcg``
    cpu_model       QEMU's name of the processor; WIDEST for the host's under kvm, and for all that is emulated under tcg
    translation_mb  MiB for translated code under tcg; invisible to the guest
    """

    image: ImagePlan
    memory_mb: int
    cpus: int
    disk_mb: int
    acceleration: str
    translation_mb: int = _TRANSLATION_MB
    cpu_model: str = WIDEST

    @property
    def processor(self) -> str:
        """The value of QEMU's option -cpu."""
        if self.cpu_model != WIDEST:
            return self.cpu_model
        return "host" if self.acceleration == "kvm" else _EMULATED


def hardware_of(vnode: VnodePlan, image: ImagePlan, acceleration: str) -> Hardware:
    """Return the planned hardware of a node."""
    is_pnode = vnode.control and vnode.control.interface != CONTROL
    many_programs = vnode.uplinks or is_pnode or image.cloud_init  # Ansible's, cloud-init's
    translation_mb = _MUCH_TRANSLATION_MB if many_programs else _TRANSLATION_MB
    return Hardware(image, vnode.memory_mb or DEFAULT_MEMORY_MB, vnode.cpus or 1, vnode.disk_mb, acceleration, translation_mb, vnode.cpu_model or WIDEST)


def cold_boot_args(cards: list[Card]) -> list[str]:
    """Return the further arguments of a QEMU that boots from its disk: its network cards."""
    args = []
    for card in cards:
        backend, device = ",".join(f"{name}={value}" for name, value in card.backend.items()), card.device
        args += ["-netdev", f"tap,id={card.identifier},{backend}",
                 "-device", f"{device['driver']},{','.join(f'{name}={value}' for name, value in device.items() if name != 'driver')}"]
    return args


def incoming_args(hardware: Hardware, memory: str) -> list[str]:
    """Return the further arguments of a QEMU that waits for a template's state, with a private copy of its memory. Its cards are plugged in later."""
    return ["-incoming", "defer", *memory_args(hardware, memory, shared=False)]


def bare_command(hardware: Hardware, name: str, user: int, where: MachinePaths) -> list[str]:
    """Return argv of a QEMU without network cards, and without the arguments of a cold start (``cold_boot_args``) or a warm one (``incoming_args``).

    user  the id of its user and group, see user_ids.py. Switching to it needs the system call that QEMU's sandbox calls elevation. The unit's
          NoNewPrivileges prevents any gain of privileges.
    """
    image, path = hardware.image, f"{IMAGES}/{hardware.image.digest}"
    kvm = hardware.acceleration == "kvm"
    command = [
        f"/usr/bin/{program(image.architecture)}", "-name", f"guest={name},debug-threads=on", "-nodefaults", "-no-user-config",
        "-machine", f"{_PROGRAMS[image.architecture][1]},usb=off,vmport=off,graphics=off",
        "-accel", "kvm" if kvm else f"tcg,tb-size={hardware.translation_mb}", "-cpu", hardware.processor,
        "-m", f"{hardware.memory_mb}M", "-smp", str(hardware.cpus), "-display", "none",
        "-rtc", "base=utc,clock=host", "-sandbox", "on,obsolete=deny,elevateprivileges=allow,spawn=deny,resourcecontrol=deny", "-runas", f"{user}:{user}",
        "-qmp", f"unix:{where.sockets}/qmp,server=on,wait=off",
        "-chardev", f"socket,id=console,path={where.sockets}/console,server=on,wait=off,logfile={where.console},logappend=on",
        "-serial", "chardev:console",
        "-device", "virtio-serial-pci,id=ports,addr=0x3",
        "-chardev", f"file,id=report,path={where.report},append=on", "-device", "virtserialport,bus=ports.0,chardev=report,name=org.benito.report",
        "-chardev", f"socket,id=agent,path={where.sockets}/agent,server=on,wait=off",
        "-device", "virtserialport,bus=ports.0,chardev=agent,name=org.qemu.guest_agent.0",
        "-chardev", f"socket,id=identity,path={where.identity},server=on,wait=off",
        "-device", "virtserialport,bus=ports.0,chardev=identity,name=org.benito.identity",
        "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random,addr=0x4", "-device", "vmgenid,guid=auto",
        "-drive", f"id=disk,if=none,file={where.directory}/disk.qcow2,format=qcow2,auto-read-only=off,discard=unmap",
        "-device", "virtio-blk-pci,drive=disk,addr=0x5,bootindex=1",
        "-drive", f"id=seed,if=none,file={where.directory}/seed.tar,format=raw,readonly=on",
        "-device", f"virtio-blk-pci,drive=seed,serial={SEED_SERIAL},addr=0x6",
    ]
    if image.kernel:
        kernel_args = "root=/dev/vda rw console=ttyS0 quiet"
        # TCG does not execute speculatively, so the kernel needs no mitigations
        command += ["-kernel", f"{path}/kernel", "-initrd", f"{path}/initrd", "-append", kernel_args if kvm else f"{kernel_args} mitigations=off"]
    if image.cloud_init:
        command += ["-drive", f"id=cidata,if=none,file={where.directory}/seed.iso,format=raw,readonly=on", "-device", "virtio-blk-pci,drive=cidata,addr=0x7"]
    return command


def memory_args(hardware: Hardware, path: str, shared: bool) -> list[str]:
    """Return the further arguments of a QEMU whose memory is that file: the file itself if ``shared``, else a private copy on write."""
    memory = f"memory-backend-file,id=memory,size={hardware.memory_mb}M,mem-path={path},share={'on' if shared else 'off'}"
    return ["-object", memory, "-machine", "memory-backend=memory"]


@dataclass(frozen=True)
class Card:
    """A network card, for QEMU's command line and for QMP's netdev_add and device_add.

    port    its tap
    number  its position in the plan's order, from 0
    mtu     bytes
    """

    port: str
    number: int
    mac_address: str
    mtu: int

    @property
    def identifier(self) -> str:
        return f"net{self.number}"

    @property
    def slot(self) -> int:
        return self.number // 8

    @property
    def backend(self) -> dict[str, str]:
        """Properties of the tap, for a QEMU that opens it itself."""
        return {"ifname": self.port, "script": "no", "downscript": "no", "vhost": "off"}

    @property
    def device(self) -> dict[str, str]:
        """Properties of the card."""
        address = f"{_FIRST_SLOT + self.slot:#x}.{self.number % 8}"
        size = {"host_mtu": str(self.mtu)} if self.mtu != 1500 else {}
        return {"driver": "virtio-net-pci", "netdev": self.identifier, "mac": self.mac_address, "romfile": "", "addr": address, "multifunction": "on", **size}


def cards(plan: HostPlan, vnode: VnodePlan, control_mtu: int) -> list[Card]:
    """Return every network card in order: control, experiment, uplinks. Raises HostError when there are too many."""
    mtu = {substrate.name: substrate.mtu for substrate in plan.substrates}
    found = [(vnode.control.port, vnode.control.mac_address, control_mtu)] if vnode.control else []
    found += [(interface.port, interface.mac_address, mtu[interface.substrate]) for interface in vnode.interfaces]
    found += [(uplink.port, uplink.mac_address, mtu[uplink.substrate]) for uplink in vnode.uplinks]
    if len(found) > MOST_CARDS:
        raise HostError(f"node {vnode.name} has {len(found)} network cards: a virtual machine can have {MOST_CARDS}")
    return [Card(port, number, mac_address, size) for number, (port, mac_address, size) in enumerate(found)]


def unit_text(experiment: str, name: str, where: MachinePaths, command: list[str], cold: list[str]) -> str:
    """Return the node's systemd unit. It starts the node cold, unless the file ``where.start`` exists. The arguments in ``cold`` have no spaces."""
    templates = f"{ExperimentPaths(experiment).directory}/templates"  # QEMU opens a template's memory for writing, and then writes to a private copy
    return _UNIT.format(
        sandbox=sandbox.UNIT.format(writable=f"{where.directory} {where.sockets} -{templates}"),
        experiment=experiment, name=name, key=UNIT_KEY, report=where.report, start=where.start, start_key=_START,
        cold=" ".join(cold).replace("%", "%%"), command=" ".join(map(quoted, command)),
    )


def quoted(argument: str) -> str:
    """Quote one argument for ExecStart of systemd."""
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") + '"'


def start_args(args: list[str]) -> str:
    """Return the text of ``MachinePaths.start``. The arguments have no spaces."""
    return f'{_START}="{" ".join(args)}"\n'
