# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running systemctl."""

from __future__ import annotations

import subprocess

from ...errors import HostError


def systemctl(*arguments: str, check: bool = True):
    """Run systemctl. Raises HostError with what it and the unit said."""
    try:
        result = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise HostError("this host has no systemd: a vhost must be booted with it") from exc
    if check and result.returncode:
        raise HostError(f"systemctl {' '.join(arguments)}: {result.stderr.strip()}")
    return result
