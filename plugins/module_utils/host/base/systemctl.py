# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running systemctl, and what it shows of units."""

from __future__ import annotations

import subprocess

from ...errors import HostError

UNITS = "/run/systemd/system"
"""Where units lie that do not outlive a reboot."""


def systemctl(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run systemctl. Raises HostError with its error message when it fails, unless ``check`` is false."""
    try:
        result = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise HostError("this host has no systemd: a vhost must be booted with it") from exc
    if check and result.returncode:
        raise HostError(f"systemctl {' '.join(arguments)}: {result.stderr.strip()}")
    return result
