# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the network manager of an interface, and make each of them put control0 in its place.

Every manager has four operations: ``prepare`` (compose our files; changes nothing), ``adopt`` (make control0 now, so that a reboot
forgets it), ``persist`` (keep it for every boot) and ``release`` (remove our files, give the interface back what it had).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import time
from collections.abc import Callable
from typing import Union

from ...errors import HostError
from ..base.paths import write_atomically
from ..base.text_files import text_or_none
from . import networkd, networkmanager
from .device import BRIDGE, bring_back, bring_over, is_bridge
from .link_config import LinkConfig, addresses, index_of, missing
from .state import CONFIRMED, Record, make_directory, run

MARK = "deter.benito control0"
BOOT_UNIT = "benito-control-bridge.service"
BOOT_UNIT_PATH = f"/etc/systemd/system/{BOOT_UNIT}"
HOOKS = ("/etc/network/if-up.d/benito-control-bridge", "/etc/network/if-down.d/benito-control-bridge")
STRANGERS = {"connman": "ConnMan", "wickedd": "wicked", "dhcpcd": "dhcpcd", "network": "network-scripts"}

_BOOT_UNIT = """\
# {mark}: written by benito-host, removed by 'benito-host control-bridge down'
[Unit]
Description=deter.benito: the control bridge over {interface}
After=network.target local-fs.target
ConditionPathExists={state}

[Service]
Type=oneshot
ExecStart={program} control-bridge boot

[Install]
WantedBy=multi-user.target
"""

_HOOK = """\
#!/bin/sh
# {mark}: written by benito-host, removed by 'benito-host control-bridge down'
# The stanzas of {interface} stay as they are: control0 takes over what ifup gave (when ifup is done with all of them),
# and gives it back before ifdown.
[ "$IFACE" = "{interface}" ] && [ -e {state} ] || exit 0
case "$MODE" in
    start) systemctl --no-block restart {unit} ;;
    stop) {program} control-bridge boot --leave >/dev/null ;;
esac
exit 0
"""


class Moved:
    """A host where no program watches the interface: benito-host moves its addresses and routes, now and at each boot."""

    def prepare(self, record: Record) -> Record:
        """Compose our files. Raises HostError when what configures the interface is not understood."""
        raise NotImplementedError

    def adopt(self, record: Record) -> None:
        bring_over(record.interface, record.carried())

    def persist(self, record: Record) -> None:
        for path, text in record.files.items():
            make_directory(os.path.dirname(path))
            write_atomically(path, text, 0o755 if path in HOOKS else 0o644)

    def release(self, record: Record, link_config: LinkConfig) -> None:
        for path in record.files:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if is_bridge() or missing(link_config, record.interface):
            bring_back(record.interface, link_config)

    def is_kept(self, record: Record) -> bool:
        """Return whether the persistent form is as it was written."""
        return all(text_or_none(path) == text for path, text in record.files.items())


class Unmanaged(Moved):
    """An interface that nothing configures: that of a container whose network is set from outside."""

    def prepare(self, record: Record) -> Record:
        """Compose the boot unit. Raises HostError when the addresses are leased by a program that is not known."""
        if has_lease(record.interface):
            raise HostError(f"the address of {record.interface} is leased by a DHCP client that belongs to no network manager known here: not understood")
        text = _BOOT_UNIT.format(mark=MARK, interface=record.interface, state=CONFIRMED, program=" ".join(record.program))
        return dataclasses.replace(record, files={BOOT_UNIT_PATH: text})

    def persist(self, record: Record) -> None:
        super().persist(record)
        run("systemctl", "enable", "--quiet", BOOT_UNIT)

    def release(self, record: Record, link_config: LinkConfig) -> None:
        if os.path.exists(BOOT_UNIT_PATH):
            run("systemctl", "disable", "--quiet", BOOT_UNIT, accept=True)
        super().release(record, link_config)
        reload_units()


class Ifupdown(Moved):
    """ifupdown, which runs our hook after each ifup and before each ifdown. Its own stanzas stay untouched."""

    def prepare(self, record: Record) -> Record:
        if has_lease(record.interface) and not dhclients(record.interface):
            raise HostError(f"{record.interface} has a leased address but no dhclient: this DHCP client under ifupdown is not understood")
        words = {"mark": MARK, "interface": record.interface, "state": CONFIRMED, "program": " ".join(record.program), "unit": BOOT_UNIT}
        files = {BOOT_UNIT_PATH: _BOOT_UNIT.format(**words), **{path: _HOOK.format(**words) for path in HOOKS}}
        return dataclasses.replace(record, files=files)

    def adopt(self, record: Record) -> None:
        await_ifup()
        super().adopt(record)
        hand_over_leases(record.interface, BRIDGE)

    def persist(self, record: Record) -> None:
        super().persist(record)
        reload_units()

    def release(self, record: Record, link_config: LinkConfig) -> None:
        super().release(record, link_config)
        hand_over_leases(BRIDGE, record.interface)
        reload_units()


def reload_units() -> None:
    """Let systemd notice that our boot unit was added or removed."""
    run("systemctl", "daemon-reload", accept=True)
    run("systemctl", "reset-failed", BOOT_UNIT, accept=True)


def await_ifup(seconds: int = 300) -> None:
    """Wait until no ifup runs, because it applies an interface's stanzas one after another. Raises HostError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while processes(lambda argv: os.path.basename(argv[0]) == "ifup"):
        if time.monotonic() > deadline:
            raise HostError(f"an ifup still runs after {seconds} s")
        time.sleep(0.2)


def has_lease(interface: str) -> bool:
    """Return whether an IPv4 address of the interface has a lifetime."""
    return any(not address.permanent for address in addresses(index_of(interface)) if address.family == socket.AF_INET)


def dhclients(interface: str) -> list[tuple[int, list[str]]]:
    """Return (process, argv) of each dhclient that serves the interface."""
    return processes(lambda argv: os.path.basename(argv[0]) == "dhclient" and argv[-1] == interface)


def processes(wanted: Callable[[list[str]], bool]) -> list[tuple[int, list[str]]]:
    """Return (process, argv) of those in our network namespace whose argv is ``wanted``."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            with open(f"/proc/{name}/cmdline", "rb") as stream:
                argv = stream.read().decode().rstrip("\0").split("\0")
            if wanted(argv) and os.path.samefile(f"/proc/{name}/ns/net", "/proc/self/ns/net"):
                found.append((int(name), argv))
    return found


def hand_over_leases(source: str, target: str) -> None:
    """Let each dhclient of ``source`` serve ``target`` instead, without releasing the lease."""
    for process, argv in dhclients(source):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, 9)  # any gentler end would release the lease
        run(*argv[:-1], target)


Manager = Union[networkd.Networkd, networkmanager.NetworkManager, Moved]
_MANAGERS: dict[str, Callable[[], Manager]] = {
    "networkd": networkd.Networkd,
    "netplan": networkd.Networkd,
    "NetworkManager": networkmanager.NetworkManager,
    "ifupdown": Ifupdown,
    "none": Unmanaged,
}


def manager(name: str) -> Manager:
    """Return the manager of that name. Raises HostError for one that is not known."""
    if name not in _MANAGERS:
        raise HostError(f"network manager {name} is not known to this benito-host")
    return _MANAGERS[name]()


def in_charge(interface: str) -> str:
    """Return the name of the one manager that configures the interface.

    Raises HostError when there are two, or one that is not known.
    """
    found = [name for name in (networkd.in_charge(interface), networkmanager.in_charge(interface), _ifupdown_in_charge(interface)) if name]
    if len(found) > 1:
        raise HostError(f"{interface} is configured by {' and '.join(found)} at once: this is not understood, nothing was changed")
    if found:
        return found[0]
    for unit, name in STRANGERS.items():
        if run("systemctl", "is-active", unit, accept=True).strip() == "active":
            raise HostError(f"{interface} may be configured by {name}, which is not understood")
    return "none"


def _ifupdown_in_charge(interface: str) -> str:
    lines = (text_or_none("/run/network/ifstate") or "").split()
    if any(line.split("=")[0] == interface for line in lines):
        return "ifupdown"
    if run("ifquery", interface, accept=True).strip():
        raise HostError(f"{interface} has a stanza in /etc/network/interfaces that ifup has not brought up: not understood, nothing was changed")
    return ""
