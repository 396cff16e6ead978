# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the host's network managers off an experiment's devices, whatever the operator's own files match.

Each experiment has three files in /run. They are there before its devices, and go after them. A reboot forgets them, and the experiment's unit
writes them again.

``/run/systemd/network/-benito-PID.EID.network``   systemd-networkd does not manage these devices
``/run/systemd/network/-benito-PID.EID.link``      udev gives them no other name, MAC address or alias
``/run/NetworkManager/conf.d/benito-PID.EID.conf`` NetworkManager does not manage them

networkd and udev take the first file that matches, in the order of names in all folders. '-' sorts before digits and letters, so ours comes first.
Files of ifupdown cannot be overridden, see ifupdown.py. docs/vhost.md says what to do about other managers.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from ...errors import HostError
from ...hostplan import HostPlan, ports_of
from ..base.paths import ExperimentPaths, remove_empty, remove_file, write_atomically
from ..base.text_files import text_or_none
from . import netlink
from .ifupdown import refuse_stanzas
from .marks import INSIDE, PREFIXES, is_ours
from .netlink import Link

_NETWORKD, _NETWORKMANAGER = "/run/systemd/network", "/run/NetworkManager/conf.d"
_STATES = "/run/systemd/netif/links"  # what networkd says of each device, by its index
# The names that embedding/binding/identifiers.py makes. udev accepts no pattern of more than 15 characters.
_MADE = tuple(f"{prefix}{'?' * 13}" for prefix in sorted((*PREFIXES, INSIDE)))
_RELOADS = {
    "systemd-udevd": ("udevadm", "control", "--reload"),
    "systemd-networkd": ("networkctl", "reload"),
    "NetworkManager": ("nmcli", "general", "reload", "conf"),
}
_LIMIT_S = 60
_EMBEDDED = "embedded_pnode"

_HEAD = "written by benito-host for {experiment}, removed at swap-out"
_NETWORK = "# deter.benito: {head}\n[Match]\nName={names}\n\n[Link]\nUnmanaged=yes\n"
_LINK = "# deter.benito: {head}\n[Match]\nOriginalName={names}\n\n[Link]\nMACAddressPolicy=none\n"
# Either section is enough. An operator's file replaces "unmanaged-devices" of all files before it, so there is the other one, too.
_CONF = "# deter.benito: {head}\n[keyfile]\nunmanaged-devices+={names}\n\n[device-{name}]\nmatch-device={names}\nmanaged=0\n"


def keep_unmanaged(plan: HostPlan, paths: ExperimentPaths, dry_run: bool = False) -> tuple[list[str], list[str]]:
    """Write the files and let the managers that run read them, if anything about them is new.

    Return (changes, managers that could not be told, with the reason), both as text. Raises HostError, also when ifupdown would configure the devices.
    """
    live = netlink.links()
    refuse_stanzas(device_names(plan))
    wanted = _files(plan, paths, live)
    told = "\0".join(wanted.values())  # if an earlier run ended between writing and reloading, the managers do not know yet
    if all(text_or_none(path) == text for path, text in wanted.items()) and text_or_none(_record(paths)) == told:
        return [], []
    refused: list[str] = []
    if not dry_run:
        refused = write_manager_files(wanted)
        write_atomically(_record(paths), told)
    return [f"network managers: kept off the devices of {paths.experiment}"], refused


def release_unmanaged(paths: ExperimentPaths) -> list[str]:
    """Remove the files and let the managers know. Call it when the devices are gone. Return the changes as text."""
    return [f"{path}: removed" for path in remove_manager_files(_name(paths))]


def manager_files(name: str, head: str, patterns: Sequence[str], names: Sequence[str] = (), cards: Sequence[str] = ()) -> dict[str, str]:
    """Return {path: text} of the files that keep network managers off devices.

    name      of the files, and of their section for NetworkManager
    head      who has written them
    patterns  of names of devices
    names     of devices
    cards     devices that keep the name that udev gives them
    """
    specs = [f"interface-name:{pattern}" for pattern in patterns] + [f"interface-name:={device}" for device in (*names, *cards)]
    network, link_file, conf = _paths(name)
    return {
        network: _NETWORK.format(head=head, names=" ".join((*patterns, *names, *cards))),
        link_file: _LINK.format(head=head, names=" ".join((*patterns, *names))),
        conf: _CONF.format(head=head, name=name, names=";".join(specs)),
    }


def write_manager_files(wanted: dict[str, str]) -> list[str]:
    """Write {path: text}. Let the managers that run read them. Return those that do not, with the reason, as text."""
    for path, text in wanted.items():
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        write_atomically(path, text, 0o644)
    return _reload()


def present_manager_files(name: str) -> list[str]:
    """Return the paths of the files of this name that exist."""
    return [path for path in _paths(name) if os.path.exists(path)]


def remove_manager_files(name: str) -> list[str]:
    """Remove the files of this name and let the managers know. Return the removed paths."""
    present = present_manager_files(name)
    for path in present:
        remove_file(path)
    remove_empty(_NETWORKMANAGER, stop="/run")
    if present:
        _reload()
    return present


def managed_devices(paths: ExperimentPaths) -> dict[str, str]:
    """Return {device: the manager that configures it} of the experiment's devices that a network manager has. It should be empty."""
    mine = {link.name: link for link in netlink.links().values() if is_ours(link, paths)}
    found = {}
    for name, link in mine.items():
        state = dict(line.split("=", 1) for line in (text_or_none(f"{_STATES}/{link.index}") or "").splitlines() if "=" in line)
        if state.get("ADMIN_STATE") in ("configuring", "configured", "failed"):
            found[name] = f"systemd-networkd ({state.get('NETWORK_FILE', '')})"
    if mine and os.path.isdir(os.path.dirname(_NETWORKMANAGER)) and "NetworkManager" in _running():
        listed = _run("nmcli", "-t", "-f", "DEVICE,STATE", "device").stdout.splitlines()
        states = dict(line.split(":", 1) for line in listed if ":" in line)
        found.update({name: "NetworkManager" for name in mine if states.get(name, "unmanaged") != "unmanaged" and "external" not in states[name]})
    return found


def device_names(plan: HostPlan) -> list[str]:
    """Return the names of all devices that the plan has on the host, the interfaces of a node that is this machine among them."""
    names = [name for substrate in plan.substrates for name in (substrate.bridge, substrate.tunnel.device if substrate.tunnel else "") if name]
    return names + [port for vnode in plan.vnodes for port in ports_of(vnode)] + _interfaces(plan)


def _interfaces(plan: HostPlan) -> list[str]:
    """Return the interfaces of a node that is this machine, which have names of the user's choice."""
    return [interface.name for vnode in plan.vnodes if vnode.kind == _EMBEDDED and not vnode.ghost for interface in vnode.interfaces]


def _files(plan: HostPlan, paths: ExperimentPaths, live: dict[str, Link]) -> dict[str, str]:
    """Return {path: text}. Names of ours are matched by their form. So devices that are added later are matched without another reload."""
    uplinks = {substrate.uplink for substrate in plan.substrates if substrate.uplink}
    cards = [link.name for link in live.values() if link.mac_address in uplinks and not link.kind]
    return manager_files(_name(paths), _HEAD.format(experiment=paths.experiment), _MADE, _interfaces(plan), cards)


def _name(paths: ExperimentPaths) -> str:
    return f"benito-{paths.experiment}"


def _paths(name: str) -> tuple[str, str, str]:
    return f"{_NETWORKD}/-{name}.network", f"{_NETWORKD}/-{name}.link", f"{_NETWORKMANAGER}/{name}.conf"


def _record(paths: ExperimentPaths) -> str:
    return f"{paths.run}/unmanaged"


def _reload() -> list[str]:
    """Let the managers that run read their files. Return those that do not, with the reason, as text."""
    failed = []
    for unit in _running():
        done = _run(*_RELOADS[unit])
        if done.returncode:
            failed.append(f"{unit} does not read its files again ({' '.join(_RELOADS[unit])}: {(done.stderr or done.stdout).strip()}), "
                          "and may take devices of the experiment: restart it")
    return failed


def _running() -> list[str]:
    """Return the units of managers that run."""
    if not os.path.isdir("/run/systemd/system"):
        return []
    states = _run("systemctl", "is-active", *_RELOADS).stdout.split()
    return [unit for unit, state in zip(_RELOADS, states) if state == "active"]


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=_LIMIT_S)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} is not installed")
    except subprocess.TimeoutExpired as exc:
        raise HostError(f"{' '.join(command)} has not ended within {_LIMIT_S} s") from exc
