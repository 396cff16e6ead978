# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel limits that a vhost must raise for its vnodes (facts.md: traps others fell into)."""

from __future__ import annotations

_MOST_NEIGHBOURS = 1 << 22


def vhost_sysctls(vnodes: int, ports: int, neighbours: int, containers: int = 0) -> dict[str, int]:
    """Return {sysctl: least value} for a host of vnodes. Sysctls whose kernel default is large enough are left out.

    vnodes      number of vnodes on it
    ports       number of their interfaces
    neighbours  number of (interface, other member of its substrate) pairs: the most entries of all
                their neighbour tables, which share one limit
    containers  number of vnodes that are system containers, each with an init and services of its own
    """
    neighbours = min(neighbours, _MOST_NEIGHBOURS)
    needed = {}
    for family in ("ipv4", "ipv6"):
        for name, value, default in (("gc_thresh1", neighbours, 128), ("gc_thresh2", 2 * neighbours, 512), ("gc_thresh3", 4 * neighbours, 1024)):
            needed[f"net.{family}.neigh.default.{name}"] = (value, default)
    needed["net.core.netdev_max_backlog"] = (4 * ports, 1000)  # a broadcast reaches every port at once
    needed["fs.inotify.max_user_instances"] = (128 + 4 * vnodes + 16 * containers, 128 + 4 * 16)  # all vnodes share the user root
    needed["fs.inotify.max_user_watches"] = (64 * vnodes + 256 * containers, 8192)
    needed["kernel.pty.max"] = (1024 + 4 * vnodes + 16 * containers, 4096)
    needed["kernel.pid_max"] = (16 * vnodes + 128 * containers, 32768)
    needed["kernel.keys.maxkeys"] = (64 * containers, 200)  # systemd makes a key ring for each service, all for one user
    needed["kernel.keys.maxbytes"] = (4096 * containers, 20000)
    return {name: value for name, (value, default) in needed.items() if value > default}
