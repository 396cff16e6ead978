# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For the tasks that run benito-host: where it is on a host, and how they report what it says."""

from __future__ import annotations

PROGRAM = "/var/benito/bin/benito-host"


def outcome(result: dict) -> dict:
    """A result as a task reports it, with a diff of what changed in words."""
    changes = result.get("changes", [])
    return {**result, "diff": {"before": "", "after": "".join(f"{change}\n" for change in changes)}}
