# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage control0 with NetworkManager, which makes control0 itself from two keyfiles of ours that precede the interface's own profile.

control0 gets the sections [ipv4], [ipv6] and [proxy] of the profile that is active now. Until the change is confirmed the
keyfiles are in /run, so a reboot forgets them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os

from ...errors import HostError
from ..base.paths import write_atomically
from .device import BRIDGE, delete_bridge, master_of
from .link_config import LinkConfig, await_link_config, complete
from .networkd import sections
from .state import Record, make_directory, run

PERSISTENT, VOLATILE = "/etc/NetworkManager/system-connections", "/run/NetworkManager/system-connections"
BRIDGE_PROFILE, PORT_PROFILE = "benito-control0", "benito-control0-port"
IN_ORDER = (BRIDGE_PROFILE, PORT_PROFILE)
HEAD = "# deter.benito control0: written by benito-host, removed by 'benito-host control-bridge down'\n"
TIMEOUT_S = 35  # seconds for NetworkManager to be done, a DHCP lease included
ADDRESSING = ("ipv4", "ipv6", "proxy")
HARDWARE = ("ethernet", "802-3-ethernet", "ethtool")
ORDINARY = ("connection", "user", ".nmmeta", *ADDRESSING, *HARDWARE)


def in_charge(interface: str) -> str:
    """Return ``NetworkManager`` when one of its profiles is active on the interface, else ""."""
    if run("systemctl", "is-active", "NetworkManager", accept=True).strip() != "active":
        return ""
    lines = run("nmcli", "-g", "GENERAL.STATE,GENERAL.CON-UUID", "device", "show", interface, accept=True).splitlines()
    managed = len(lines) == 2 and lines[0].startswith("100") and "externally" not in lines[0] and lines[1].strip()
    return "NetworkManager" if managed else ""


def bridge_profile(mac: str, text: str) -> str:
    """Return the keyfile of control0 with the addressing of the keyfile ``text``."""
    parts = [("connection", [f"id={BRIDGE_PROFILE}", f"uuid={_uuid(BRIDGE_PROFILE)}", "type=bridge", f"interface-name={BRIDGE}", "autoconnect-priority=999",
                             "autoconnect-slaves=1"]),
             ("bridge", [f"mac-address={mac}", "stp=false", "forward-delay=0", "multicast-snooping=false"])]
    parts += [(name, lines) for name, lines in sections(text) if name in ADDRESSING]
    return _keyfile(parts)


def port_profile(interface: str, text: str) -> str:
    """Return the keyfile of the interface below control0, with the hardware settings of the keyfile ``text``."""
    parts = [("connection", [f"id={PORT_PROFILE}", f"uuid={_uuid(PORT_PROFILE)}", "type=ethernet", f"interface-name={interface}", f"master={BRIDGE}",
                             "slave-type=bridge", "autoconnect-priority=999"])]
    parts += [(name, lines) for name, lines in sections(text) if name in HARDWARE]
    return _keyfile(parts)


def _keyfile(parts: list[tuple[str, list[str]]]) -> str:
    return HEAD + "\n".join("\n".join([f"[{name}]", *lines]) + "\n" for name, lines in parts)


def _uuid(name: str) -> str:
    import uuid

    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.benito"))


def refuse_odd_profile(text: str) -> None:
    """Raise HostError that names what in the profile cannot be given to a bridge."""
    for name, lines in sections(text):
        joined = [line for line in lines if name == "connection" and line.startswith(("master=", "slave-type=", "controller=", "port-type="))]
        if joined or name not in ORDINARY:
            what = joined[0] if joined else f"the section [{name}]"
            raise HostError(f"NetworkManager's profile of the control interface has {what}: this arrangement is not understood, nothing was changed")


class NetworkManager:
    """See the module."""

    def prepare(self, record: Record) -> Record:
        """Compose our keyfiles. Raises HostError when the active profile cannot be read or is not understood."""
        active = run("nmcli", "-g", "GENERAL.CON-UUID", "device", "show", record.interface).strip()
        listed = run("nmcli", "-t", "-e", "no", "-f", "UUID,FILENAME", "connection", "show").splitlines()
        path = dict(line.split(":", 1) for line in listed if ":" in line).get(active, "")
        try:
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        except OSError as exc:
            raise HostError(f"NetworkManager's profile {active} of {record.interface} is not in a keyfile: not understood, nothing was changed") from exc
        refuse_odd_profile(text)
        files = {f"{PERSISTENT}/{BRIDGE_PROFILE}.nmconnection": bridge_profile(record.mac, text),
                 f"{PERSISTENT}/{PORT_PROFILE}.nmconnection": port_profile(record.interface, text)}
        return dataclasses.replace(record, files=files, memory={"profile": active})

    def adopt(self, record: Record) -> None:
        """Let NetworkManager make control0 and put the interface into it. Raises HostError when that takes more than TIMEOUT_S seconds."""
        for path, text in record.files.items():
            _write(f"{VOLATILE}/{os.path.basename(path)}", text)
        run("nmcli", "connection", "reload")
        run("nmcli", "-w", str(TIMEOUT_S), "connection", "up", "uuid", _uuid(PORT_PROFILE), seconds=TIMEOUT_S + 5)
        if master_of(record.interface) != BRIDGE:
            raise HostError(f"NetworkManager did not put {record.interface} into {BRIDGE}")
        carried = record.carried()
        complete(carried, BRIDGE)
        await_link_config(carried, BRIDGE, TIMEOUT_S)

    def persist(self, record: Record) -> None:
        """Write the keyfiles for every boot. The profiles are the same, so NetworkManager has nothing to do."""
        for path, text in record.files.items():
            _write(path, text)
        _remove(VOLATILE)
        run("nmcli", "connection", "reload")

    def release(self, record: Record, link_config: LinkConfig) -> None:
        """Remove our keyfiles and give the interface its own profile again."""
        _remove(PERSISTENT)
        _remove(VOLATILE)
        run("nmcli", "connection", "reload", accept=True)
        up = run("nmcli", "-w", str(TIMEOUT_S), "connection", "up", "uuid", record.memory.get("profile", ""), "ifname", record.interface, accept=True)
        if not up:
            run("nmcli", "-w", str(TIMEOUT_S), "device", "connect", record.interface, accept=True)
        delete_bridge()
        complete(link_config, record.interface)
        await_link_config(link_config, record.interface, TIMEOUT_S)

    def is_kept(self, record: Record) -> bool:
        """Return whether the persistent form is as it was written."""
        with contextlib.suppress(OSError):
            for path, text in record.files.items():
                with open(path, encoding="utf-8") as stream:
                    if stream.read() != text:
                        return False
            return True
        return False


def _write(path: str, text: str) -> None:
    make_directory(os.path.dirname(path))
    write_atomically(path, text, 0o600)


def _remove(directory: str) -> None:
    for name in reversed(IN_ORDER):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{directory}/{name}.nmconnection")
