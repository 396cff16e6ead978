# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of a virtual machine on disks: a tar archive, and for cloud-init images also a NoCloud seed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import tempfile

from ...errors import HostError
from ...hostplan import HostPlan, VnodePlan
from ..guest import clone_agent
from ..guest.files import BOOT_SCRIPT, BOOT_UNIT, BOOT_UNIT_TEXT
from ..guest.network import MACHINE_COMMAND, MACHINE_SCRIPT, NETWORK_UNIT, GuestFile, unit_text
from .command import SEED_SERIAL

# Runs in a cloud-init image at each boot, as early as possible. It starts the unit, because systemd chose this boot's jobs before the unit existed.
_UNPACK = f"""\
for disk in /sys/block/*; do
    if [ "$(cat $disk/serial 2>/dev/null)" = {SEED_SERIAL} ]; then
        tar -x -f /dev/${{disk##*/}} -C / --overwrite
        systemctl daemon-reload
        sysctl -q -p /etc/sysctl.d/90-benito.conf
        systemctl --no-block start {BOOT_UNIT}
    fi
done
"""

TEMPLATE_HOST = "template.invalid"  # no node can have this name, RFC 6761

_TEMPLATE_UNIT = f"""\
[Unit]
Description=Benito template: waits to become a node
After=multi-user.target
# does not run in a node whose host lost power before its disk had the node's identity
ConditionHost={TEMPLATE_HOST}

[Service]
Type=simple
ExecStart=/usr/bin/python3 -I -S /var/benito/lib/clone_agent.py
StandardOutput=null
KillMode=process
"""


def template_files() -> dict[str, GuestFile]:
    """Return the files that make an image a template, {path: file}: a system without identity and network, in which clone_agent.py waits."""
    with open(clone_agent.__file__, encoding="utf-8") as stream:
        program = stream.read()
    return {
        "etc/hostname": GuestFile(f"{TEMPLATE_HOST}\n"),
        "etc/machine-id": GuestFile("7e3f0e4a5d1c4b6f9a2b8c7d6e5f4a3b\n", 0o444),
        f"etc/systemd/system/{BOOT_UNIT}": GuestFile(BOOT_UNIT_TEXT),
        f"etc/systemd/system/{NETWORK_UNIT}": GuestFile(unit_text(MACHINE_COMMAND)),
        "etc/systemd/system/benito-template.service": GuestFile(_TEMPLATE_UNIT),
        "etc/systemd/system/multi-user.target.wants/benito-template.service": GuestFile(target="/etc/systemd/system/benito-template.service"),
        clone_agent.SSH_OPTIONS.lstrip("/"): GuestFile(f"[Unit]\nConditionHost=!{TEMPLATE_HOST}\n"),
        clone_agent.JOURNAL_OPTIONS.lstrip("/"): GuestFile("[Service]\nSuccessExitStatus=SIGKILL\n"),
        # reached before the node's units start, so that the node's unit does not wait for the network's
        "etc/systemd/system/multi-user.target.wants/network.target": GuestFile(target="/lib/systemd/system/network.target"),
        "var/benito/lib/boot": GuestFile(BOOT_SCRIPT, 0o755),
        "var/benito/lib/network-up": GuestFile(MACHINE_SCRIPT, 0o755),
        "var/benito/lib/clone_agent.py": GuestFile(program, 0o700),
    }


def seed_tar(files: dict[str, GuestFile]) -> bytes:
    """Return the files as an uncompressed tar, owned by root. The same files give the same bytes."""
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for folder, mode in _folders(files):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        for path in sorted(files):
            file, entry = files[path], tarfile.TarInfo(path)
            if file.target:
                entry.type, entry.linkname = tarfile.SYMTYPE, file.target
                archive.addfile(entry)
                continue
            content = file.text.encode()
            entry.size, entry.mode = len(content), file.mode
            archive.addfile(entry, io.BytesIO(content))
    return found.getvalue()


def _folders(files: dict[str, GuestFile]) -> list[tuple[str, int]]:
    """Return (folder, mode) of our own folders, which an image may lack."""
    own = {"var/benito": 0o755, "var/benito/lib": 0o755, "var/benito/lib/keys": 0o755, "var/benito/log": 0o755, "root/.ssh": 0o700}
    return [(folder, mode) for folder, mode in own.items() if folder == "var/benito/log" or any(path.startswith(f"{folder}/") for path in files)]


def cloud_init_files(plan: HostPlan, vnode: VnodePlan) -> dict[str, str]:
    """Return the files of NoCloud: meta-data, user-data, network-config (version 2, by MAC address)."""
    mtu = {substrate.name: substrate.mtu for substrate in plan.substrates}
    cards = {}
    if vnode.control:
        default = {"routes": [{"to": "0.0.0.0/0", "via": vnode.control.gateway}]} if vnode.control.gateway else {}
        cards[vnode.control.interface] = {**_card(vnode.control.interface, vnode.control.mac_address, vnode.control.ip4_address), **default}
    for interface in vnode.interfaces:
        card = {**_card(interface.name, interface.mac_address, interface.ip4_address), "mtu": mtu[interface.substrate]}
        routes = [{"to": route.to, "via": route.via} for route in vnode.routes if _near(route.via, interface.ip4_address)]
        cards[interface.name] = {**card, **({"routes": routes} if routes else {})}
    user = {"bootcmd": [["sh", "-c", _UNPACK]], "ssh_deletekeys": False, "ssh_genkeytypes": ["ed25519"], "disable_root": False, "manage_etc_hosts": False,
            "locale": False, "apt": {"preserve_sources_list": True}}  # so that cloud-init keeps the image's own
    return {
        "meta-data": json.dumps({"instance-id": f"{plan.experiment}-{vnode.name}", "local-hostname": vnode.hostname}) + "\n",
        "user-data": "#cloud-config\n" + json.dumps(user) + "\n",
        "network-config": json.dumps({"version": 2, "ethernets": cards}) + "\n",
    }


def _card(name: str, mac_address: str, address: str) -> dict:
    return {"match": {"macaddress": mac_address}, "set-name": name, "dhcp4": False, "dhcp6": False, "link-local": [], "addresses": [address] if address else []}


def _near(address: str, own: str) -> bool:
    import ipaddress

    return bool(own) and ipaddress.IPv4Address(address) in ipaddress.IPv4Interface(own).network


def write_seed_iso(path: str, files: dict[str, str]) -> None:
    """Write a NoCloud disk. Raises HostError."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as folder:
        for name, text in files.items():
            with open(f"{folder}/{name}", "w", encoding="utf-8") as stream:
                stream.write(text)
        command = ["genisoimage", "-quiet", "-output", f"{path}.new", "-volid", "cidata", "-joliet", "-rock", *(f"{folder}/{name}" for name in files)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as exc:
            raise HostError("genisoimage is not installed on this host: the role deter.benito.qemu_host installs it") from exc
        if done.returncode:
            raise HostError(f"genisoimage: {done.stderr.strip()}")
    os.replace(f"{path}.new", path)
