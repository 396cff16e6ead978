# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe completely what is in an image that is built here: the same recipe in the same week is the same image."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ..debian.bootstrap import host_origin
from ..errors import HostError
from ..hostplan import ImagePlan

_VERSION = 7  # raise it when build.py or initrd.py makes something else of the same recipe

ROOT, DISK = "root", "disk"
_PACKAGES = (
    "systemd", "systemd-sysv", "openssh-server", "sudo", "iproute2", "iputils-ping", "python3", "procps", "ca-certificates",
)
# nftables: a virtual machine that carries processes is a vhost, and installing packages takes it minutes under emulation
_DISK_PACKAGES = ("nftables", "udev", "kmod", "qemu-guest-agent", "busybox-static", "e2fsprogs", "linux-image-cloud-amd64")
DISK_MB = 4096
QEMU_ARCHITECTURES = {"amd64": "x86_64"}  # for which Debian has a kernel made for virtual machines that we tried

_MASKED = (
    "getty.target", "getty-static.service", "console-getty.service", "serial-getty@.service", "getty@.service",
    "systemd-modules-load.service", "systemd-pstore.service", "systemd-remount-fs.service",
    "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount", "dev-mqueue.mount", "proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service",
    "systemd-firstboot.service", "systemd-sysusers.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
    "systemd-machine-id-commit.service", "systemd-random-seed.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service",
    "systemd-update-done.service", "ldconfig.service", "systemd-network-generator.service", "systemd-networkd-wait-online.service",
    "systemd-networkd-persistent-storage.service", "systemd-ask-password-console.path", "systemd-ask-password-wall.path",
    "systemd-boot-system-token.service", "systemd-pcrphase.service", "systemd-pcrphase-sysinit.service", "systemd-pcrmachine.service",
    "systemd-tpm2-setup.service", "systemd-tpm2-setup-early.service", "tpm2.target", "sshd-keygen.service",
    "e2scrub_reap.service", "e2scrub_all.timer", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer",
    "systemd-tmpfiles-clean.timer", "systemd-journal-flush.service", "systemd-logind.service", "systemd-user-sessions.service", "systemd-repart.service",
    "modprobe@.service", "kmod-static-nodes.service", "systemd-tmpfiles-setup-dev.service", "systemd-tmpfiles-setup-dev-early.service",
    "systemd-timesyncd.service", "systemd-userdbd.socket", "systemd-sysext.socket", "systemd-pcrextend.socket", "systemd-pcrlock.socket",
    "tmp.mount", "run-lock.mount", "systemd-udev-load-credentials.service", "systemd-creds.socket", "systemd-initctl.socket",
)
"""What no node needs: consoles without a password to log in by, updates behind the experimenter's back, and what only a system with a past needs at boot."""
_ROOT_MASKED = (
    "systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket", "systemd-udevd-varlink.socket", "systemd-udev-trigger.service",
    "systemd-udev-settle.service",
)
"""What is the machine's and not a container's."""

_GENERATORS = tuple(f"systemd-{name}-generator" for name in (
    "bless-boot", "cryptsetup", "debug", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "run", "ssh", "system-update", "tpm2", "veritysetup"))
"""Programs that systemd starts at each boot to look for things that no node has."""

_FILES = (
    ("etc/default/locale", "LANG=C.UTF-8\n"),
    ("etc/fstab", ""),
    ("etc/ssh/sshd_config.d/benito.conf", """\
# Written by deter.benito.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
MaxSessions 100
MaxStartups 100:30:200
"""),
    ("etc/systemd/journald.conf.d/benito.conf", "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nForwardToSyslog=no\n"),
    ("etc/systemd/system/ssh.service.d/benito.conf", "# Checks nothing twice.\n[Service]\nExecStartPre=\n"),
    ("etc/tmpfiles.d/systemd-nologin.conf", "# No user waits for the end of the boot.\n"),
    ("etc/systemd/system.conf.d/benito.conf", "[Manager]\nDefaultTimeoutStopSec=20s\n"),
)
_NOT_LOADED = (
    "aesni_intel", "ghash_clmulni_intel", "sha512_ssse3", "sha256_ssse3", "sha1_ssse3", "crct10dif_pclmul", "crc32_pclmul", "kvm_amd", "kvm_intel",
    "ata_piix", "ata_generic", "powernow_k8", "acpi_cpufreq", "serio_raw", "evdev", "button", "psmouse", "pcspkr", "i2c_piix4", "floppy", "ccp",
    "intel_rapl_common", "intel_rapl_msr", "qemu_fw_cfg",
)
"""Kernel modules that udev would load for a processor or board as QEMU has them and that no node needs; ``modprobe`` still loads each of them."""
_NO_RULES = (
    "50-firmware", "60-autosuspend", "60-cdrom_id", "60-drm", "60-evdev", "60-fido-id", "60-infiniband", "60-input-id", "60-persistent-alsa",
    "60-persistent-input", "60-persistent-storage-tape", "60-persistent-v4l", "60-sensor", "70-camera", "70-joystick", "70-memory", "70-mouse",
    "70-power-switch", "70-touchpad", "70-uaccess", "71-seat", "73-seat-late", "73-special-net-names", "75-net-description", "75-probe_mtd",
    "78-sound-card", "80-net-setup-link", "81-net-dhcp", "85-hwclock", "96-e2scrub",
)
"""Rules of udev for what such a machine never has, and names of network cards, which the node's own network gives. A quarter of the time of a boot under
emulation is udev's."""
_TRIGGER = """\
# Only what such a machine has: the others of its devices need neither a name nor a module.
[Service]
ExecStart=
ExecStart=-udevadm trigger --action=add --subsystem-match=block --subsystem-match=net --subsystem-match=virtio-ports
"""
_DISK_FILES = (
    ("etc/systemd/system/systemd-udev-trigger.service.d/benito.conf", _TRIGGER),
    *((f"etc/udev/rules.d/{name}.rules", "# Never needed here.\n") for name in _NO_RULES),
    ("etc/modprobe.d/benito.conf", "# Written by deter.benito: not loaded at boot.\n" + "".join(f"blacklist {name}\n" for name in _NOT_LOADED)),
)


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in an image, beside the week in which it is built.

    form          ``root`` or ``disk``
    architecture  as dpkg names it
    masked        systemd units and
    generators    programs that never start
    files         (path, text) put over the system
    disk_mb       size of the disk, MiB; 0 for form ``root``
    """

    name: str
    form: str
    suite: str
    architecture: str
    sources: tuple
    packages: tuple
    apt_options: tuple = ()
    certificates: tuple = ()
    masked: tuple = _MASKED
    generators: tuple = _GENERATORS
    files: tuple = _FILES
    disk_mb: int = 0
    version: int = _VERSION

    def digest(self, when: time.struct_time) -> str:
        """Return the digest of the image built at ``when``: a new one each ISO week, so that no node is far behind the archive."""
        content = json.dumps(asdict(self), sort_keys=True) + time.strftime("%Gw%V", when)
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def plan(self, when: time.struct_time) -> ImagePlan:
        """Return the image as a host plan names it."""
        disk = self.form == DISK
        return ImagePlan(
            digest=self.digest(when), name=self.name, form=self.form, disk_format="qcow2" if disk else "",
            architecture=QEMU_ARCHITECTURES[self.architecture], kernel=disk,
        )


def recipe(name: str, form: str, suite: str, packages: Iterable[str] = ()) -> Recipe:
    """Return the recipe of the catalogue's image ``name`` on this machine: a minimal Debian ``suite`` with further ``packages``.

    Raises HostError: no image is built on machines of this architecture.
    """
    origin = host_origin(suite)
    if origin.architecture not in QEMU_ARCHITECTURES:
        raise HostError(f"image {name} cannot be built on a machine of architecture {origin.architecture}, only on {', '.join(QEMU_ARCHITECTURES)}: "
                        "name an image that is fetched")
    disk = form == DISK
    return Recipe(
        name=name, form=form, suite=suite, architecture=origin.architecture, sources=origin.sources,
        packages=tuple(dict.fromkeys((*_PACKAGES, *(_DISK_PACKAGES if disk else ()), *packages))),
        apt_options=origin.apt_options, certificates=origin.certificates,
        masked=_MASKED if disk else (*_MASKED, *_ROOT_MASKED), files=(*_FILES, *_DISK_FILES) if disk else _FILES, disk_mb=DISK_MB if disk else 0,
    )
