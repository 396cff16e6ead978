# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings that experiments raise on a vhost, counted by experiment and restored when none needs them."""

from __future__ import annotations

import json
import os
import subprocess

from ...errors import HostError
from ..base.locks import machine_lock
from ..base.paths import ROOT, ExperimentPaths, read_json, write_atomically

MACHINE_BELOW = "/etc/benito/machine-sysctls.json"  # in a pnode that is a container: what the local testbed has set on the machine below


def apply_sysctls(paths: ExperimentPaths, wanted: dict[str, int], dry_run: bool = False) -> tuple[list[str], list[str]]:
    """Raise kernel settings to the values that the plan needs. Never lower one.

    Return (changes, settings that could not be set, with the reason), both as text.
    """
    with machine_lock():
        book = read_json(f"{ROOT}/sysctls.json", {})
        below = read_json(MACHINE_BELOW, {})
        changes, refused = [], []
        for name, value in sorted(wanted.items()):
            path = f"/proc/sys/{name.replace('.', '/')}"
            current = _number(path)
            if current is None or current < value:
                reason = _cannot(name, path, value, current)
                if reason:
                    refused += [reason] if below.get(name, 0) < value else []
                    continue
                changes.append(f"sysctl {name}: {current} -> {value}")
            if not dry_run:
                entry = book.setdefault(name, {"before": current, "users": {}})
                entry["users"][paths.experiment] = value
                if current is not None and current < value:
                    _write(path, value)
        if not dry_run and book:
            write_atomically(f"{ROOT}/sysctls.json", json.dumps(book, indent=1))
        return changes, refused


def release_sysctls(paths: ExperimentPaths) -> list[str]:
    """Restore the settings that this experiment has raised, unless another experiment needs them. Return the changes as text."""
    with machine_lock():
        book = read_json(f"{ROOT}/sysctls.json", {})
        changes = []
        for name, entry in list(book.items()):
            if entry["users"].pop(paths.experiment, None) is None:
                continue
            path, value = f"/proc/sys/{name.replace('.', '/')}", max([entry["before"], *entry["users"].values()])
            if (_number(path) or 0) > value:
                _write(path, value)
                changes.append(f"sysctl {name}: restored to {value}")
            if not entry["users"]:
                del book[name]
        if book:
            write_atomically(f"{ROOT}/sysctls.json", json.dumps(book, indent=1))
        elif os.path.exists(f"{ROOT}/sysctls.json"):
            os.unlink(f"{ROOT}/sysctls.json")
        return changes


def _cannot(name: str, path: str, value: int, current: int | None) -> str:
    if current is None:
        return f"{name} = {value}: this namespace does not have it; set it on the machine below"
    if not name.startswith("net.") and _in_container():
        return f"{name} = {value} (now {current}): belongs to the machine on which this container runs; set it there"
    if not os.access(path, os.W_OK):
        return f"{name} = {value} (now {current}): cannot be written here"
    return ""


def _in_container() -> bool:
    return subprocess.run(["systemd-detect-virt", "--container", "--quiet"], check=False).returncode == 0


def _number(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as stream:
            return int(stream.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _write(path: str, value: int) -> None:
    try:
        with open(path, "w", encoding="ascii") as stream:
            stream.write(str(value))
    except OSError as exc:
        raise HostError(f"cannot set {path} to {value}: {exc.strerror}") from exc
