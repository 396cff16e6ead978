# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name servers of nodes with a system of their own: those of their host that another machine can reach."""

from __future__ import annotations

import re
from collections.abc import Iterable

SOURCES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf")
"""The host's own file, then the files in which local resolvers keep the servers that they ask themselves."""
_KEPT = re.compile(r"\s*(nameserver|search|domain|options)\s")
_SERVER = re.compile(r"\s*nameserver\s+(\S+)")
_LOOPBACK = re.compile(r"127\.|::1$|0\.0\.0\.0$")


def resolv_conf() -> str:
    """Return the text of a node's /etc/resolv.conf, the same for every kind; "" when this host has no server that a node can ask."""
    return usable_resolv_conf(_text(path) for path in SOURCES)


def usable_resolv_conf(texts: Iterable[str]) -> str:
    """Return the first of ``texts`` that names a server which another machine can ask, without servers on the loopback; "" if none does."""
    for text in texts:
        lines = [line for line in text.splitlines() if _KEPT.match(line)]
        lines = [line for line in lines if not any(_LOOPBACK.match(server) for server in name_servers(line))]
        if name_servers("\n".join(lines)):
            return "\n".join(lines) + "\n"
    return ""


def name_servers(text: str) -> tuple[str, ...]:
    """Return the addresses of the name servers in the text of a resolv.conf, in order."""
    return tuple(found[1] for found in map(_SERVER.match, text.splitlines()) if found)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
