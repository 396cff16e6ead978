# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of virtual machines' units."""

from __future__ import annotations

from ..base.paths import ExperimentPaths
from ..base.systemctl import systemctl


def machine_units(paths: ExperimentPaths, names: list[str]) -> dict[str, tuple[str, int | None]]:
    """Return {node: (``active``, ``dead`` or ``missing``, exit code of a dead one, 128 + n for signal n)}."""
    found: dict[str, tuple[str, int | None]] = {}
    for name, fields in _shown(paths, names, "LoadState", "ActiveState", "ExecMainCode", "ExecMainStatus").items():
        if fields.get("LoadState") != "loaded":
            found[name] = ("missing", None)
        elif fields["ActiveState"] in ("active", "activating", "reloading"):
            found[name] = ("active", None)
        else:
            status = int(fields.get("ExecMainStatus") or 0)
            found[name] = ("dead", status if fields.get("ExecMainCode") in ("0", "1") else 128 + status)
    return {name: found.get(name, ("missing", None)) for name in names}


def machine_processes(paths: ExperimentPaths, names: list[str]) -> dict[str, int]:
    """Return {node: process id of its QEMU} of those that run."""
    return {name: int(fields["MainPID"]) for name, fields in _shown(paths, names, "MainPID").items() if fields.get("MainPID", "0") != "0"}


def _shown(paths: ExperimentPaths, names: list[str], *properties: str) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    text = systemctl("show", f"--property={','.join(properties)}", *(paths.node_unit(name) for name in names), check=False).stdout
    return {name: dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for name, block in zip(names, text.strip().split("\n\n"))}
