# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage control0 with systemd-networkd, with or without netplan: networkd makes control0 itself, from three files of ours.

control0 gets the very text that configures the interface now, under another [Match]. netplan needs no file: it writes networkd's, and ours come
first in the order of names. A netplan fragment could not take addresses away, because netplan joins lists. Until the change is confirmed
the files are in /run, so a reboot forgets them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import time
from collections.abc import Callable

from ...errors import HostError
from ..base.paths import write_atomically
from .device import BRIDGE, delete_bridge, is_bridge, master_of
from .link_config import LinkConfig, await_link_config, complete, index_of
from .state import Record, make_directory, run

PERSISTENT, VOLATILE = "/etc/systemd/network", "/run/systemd/network"
# '-' sorts before every digit: no operator's 00-… comes before these.
NETDEV, NETWORK, PORT = "0-benito-control0.netdev", "0-benito-control0.network", "0-benito-control0-port.network"
IN_ORDER = (NETDEV, NETWORK, PORT)  # the port last in, first out: never an interface under a bridge that is not there
HEAD = "# deter.benito control0: written by benito-host, removed by 'benito-host control-bridge down'\n"
TIMEOUT_S = 25  # seconds for networkd to be done, a DHCP lease included
NOT_UNDERSTOOD = ("Bridge", "Bond", "VLAN", "MACVLAN", "MACVTAP", "IPVLAN", "IPVTAP", "VRF", "VXLAN", "Tunnel", "BatmanAdvanced", "Xfrm", "IPoIB")

_NETDEV = """\
[NetDev]
Name={bridge}
Kind=bridge
MACAddress={mac}

[Bridge]
STP=no
ForwardDelaySec=0
MulticastSnooping=no
"""


def _state_of(interface: str) -> dict[str, str]:
    """Return what networkd says of an interface, {} when it says nothing."""
    try:
        with open(f"/run/systemd/netif/links/{index_of(interface)}", encoding="utf-8") as stream:
            lines = [line.strip().partition("=") for line in stream if "=" in line and not line.startswith("#")]
    except OSError:
        return {}
    return {name: value.strip('"') for name, _equals, value in lines}


def in_charge(interface: str) -> str:
    """Return ``networkd`` or ``netplan`` when systemd-networkd configures the interface, else ""."""
    state = _state_of(interface)
    if not state.get("NETWORK_FILE") or state.get("ADMIN_STATE") in (None, "unmanaged", "linger"):
        return ""
    if run("systemctl", "is-active", "systemd-networkd", accept=True).strip() != "active":
        return ""
    return "netplan" if "-netplan-" in os.path.basename(state["NETWORK_FILE"]) else "networkd"


def sections(text: str) -> list[tuple[str, list[str]]]:
    """Return [("Network", ["DHCP=yes"]), …] of a unit file. Comments and empty lines are left out, continued lines are joined."""
    found: list[tuple[str, list[str]]] = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            found.append((line[1:-1], []))
        elif line and line[0] not in "#;" and found:
            found[-1][1].append(line)
    return found


def network_for_bridge(text: str, iaid: str = "") -> str:
    """Return the .network text that gives control0 everything that ``text`` gave the interface.

    iaid  number that the DHCP client identified the interface by, "" when it did not
    Raises HostError when the text makes the interface part of something else.
    """
    parts = [("Match", [f"Name={BRIDGE}"])]
    for name, lines in sections(text):
        if name == "Match":
            continue
        odd = [line for line in lines if name == "Network" and line.split("=")[0].strip() in NOT_UNDERSTOOD]
        if odd:
            raise HostError(f"systemd-networkd has {odd[0]} for the control interface: this arrangement is not understood, nothing was changed")
        kept = [line for line in lines if not (name == "Link" and line.startswith(("MACAddress", "Unmanaged")))]
        parts.append((name, kept))
    if iaid and not any(line.startswith("IAID") for name, lines in parts if name in ("DHCP", "DHCPv4") for line in lines):
        parts += [("DHCPv4", [f"IAID={iaid}"]), ("DHCPv6", [f"IAID={iaid}"])]
    return HEAD + "\n".join("\n".join([f"[{name}]", *lines]) + "\n" for name, lines in parts)


def network_for_port(interface: str, text: str) -> str:
    """Return the .network text of the interface below control0: its link settings, no addresses."""
    kept = [line for name, lines in sections(text) if name == "Link" for line in lines if not line.startswith(("Required", "Unmanaged"))]
    link = "\n".join(["[Link]", *kept, "RequiredForOnline=no"])
    return f"{HEAD}[Match]\nName={interface}\n\n{link}\n\n[Network]\nBridge={BRIDGE}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=no\n"


class Networkd:
    """See the module."""

    def prepare(self, record: Record) -> Record:
        """Compose our files. Raises HostError when what networkd has for the interface is not understood."""
        state = _state_of(record.interface)
        names = [state["NETWORK_FILE"], *re.split(r"[:\s]+(?=/)", state.get("NETWORK_FILE_DROPINS", ""))]
        text = "\n".join(_text_of(path) for path in names if path)
        texts = {NETDEV: HEAD + _NETDEV.format(bridge=BRIDGE, mac=record.mac), NETWORK: network_for_bridge(text, _iaid(record.interface)),
                 PORT: network_for_port(record.interface, text)}
        memory = {"file": os.path.basename(names[0]), "made": "" if os.path.isdir(VOLATILE) else VOLATILE}
        return dataclasses.replace(record, files={f"{PERSISTENT}/{name}": texts[name] for name in IN_ORDER}, memory=memory)

    def adopt(self, record: Record) -> None:
        """Let networkd make control0 and put the interface into it. Raises HostError when that takes more than TIMEOUT_S seconds."""
        for name in IN_ORDER:
            _write(f"{VOLATILE}/{name}", record.files[f"{PERSISTENT}/{name}"])
        run("networkctl", "reload")
        _until(lambda: is_bridge() and master_of(record.interface) == BRIDGE and _uses(BRIDGE, NETWORK) and _uses(record.interface, PORT),
               f"systemd-networkd did not put {record.interface} into {BRIDGE}")
        carried = record.carried()
        complete(carried, BRIDGE)
        await_link_config(carried, BRIDGE, TIMEOUT_S)

    def persist(self, record: Record) -> None:
        """Write the files for every boot. Their text is the same, so networkd has nothing to do."""
        for name in IN_ORDER:
            _write(f"{PERSISTENT}/{name}", record.files[f"{PERSISTENT}/{name}"])
        _remove(VOLATILE)

    def release(self, record: Record, link_config: LinkConfig) -> None:
        """Remove our files and let networkd configure the interface from the operator's files again."""
        _remove(PERSISTENT)
        _remove(VOLATILE)
        run("networkctl", "reload", accept=True)
        delete_bridge()
        run("networkctl", "reconfigure", record.interface, accept=True)
        with contextlib.suppress(HostError):
            _until(lambda: _uses(record.interface, record.memory["file"]) and not master_of(record.interface), "")
        complete(link_config, record.interface)
        await_link_config(link_config, record.interface, TIMEOUT_S)
        if record.memory["made"]:
            with contextlib.suppress(OSError):
                os.rmdir(record.memory["made"])

    def is_kept(self, record: Record) -> bool:
        """Return whether the persistent form is as it was written."""
        with contextlib.suppress(HostError):
            return all(_text_of(path) == text for path, text in record.files.items())
        return False


def _uses(interface: str, name: str) -> bool:
    state = _state_of(interface)
    return os.path.basename(state.get("NETWORK_FILE", "")) == name and state.get("ADMIN_STATE") == "configured"


def _iaid(interface: str) -> str:
    """Return the number that the DHCP client identifies the interface by, unless that is its MAC address (RFC 4361: ff, 4 bytes of IAID, DUID)."""
    try:
        text = _text_of(f"/run/systemd/netif/leases/{index_of(interface)}")
    except HostError:
        return ""
    found = re.search(r"^CLIENTID=ff([0-9a-fA-F]{8})", text, re.MULTILINE)
    return str(int(found.group(1), 16)) if found else ""


def _write(path: str, text: str) -> None:
    make_directory(os.path.dirname(path))
    write_atomically(path, text, 0o644)


def _remove(directory: str) -> None:
    for name in reversed(IN_ORDER):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{directory}/{name}")


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError as exc:
        raise HostError(f"cannot read {path}, which configures the control interface: {exc.strerror}") from exc


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise HostError(f"{what} within {TIMEOUT_S} s")
        time.sleep(0.05)
