# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of a start command, the same for nodes of every kind."""

from __future__ import annotations

from ...hostplan import HostPlan, VnodePlan

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh",
    "LANG": "C.UTF-8",
}


def start_environment(plan: HostPlan, vnode: VnodePlan) -> dict[str, str]:
    """Return the variables that a node's start command finds. A node whose start command has another user replaces those of root."""
    return {**_ENVIRONMENT, "BENITO_PID": plan.pid, "BENITO_EID": plan.eid, "BENITO_NODE": vnode.name, **vnode.environment}
