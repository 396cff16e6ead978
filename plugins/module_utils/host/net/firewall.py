# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let only planned peers reach the tunnel port, by one nftables table for each experiment.

The table looks only at packets with identifiers of its own experiment, so two experiments on a shared vhost do not disturb each other.
"""

from __future__ import annotations

import json
import subprocess

from ...errors import HostError
from ...hostplan import HostPlan
from ..base import syscalls
from ..base.paths import ExperimentPaths, read_json, write_atomically


def apply_firewall(plan: HostPlan, paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Load the table unless it is there just as it was loaded. Return the changes as text. Raises HostError."""
    wanted = ruleset(plan, paths)
    if not wanted:
        return remove_firewall(paths, dry_run)
    live = _listing(paths)
    record = f"{paths.run}/firewall.json"
    last = read_json(record, {})
    if live and last.get("wanted") == wanted and last.get("live") == live:
        return []
    if not dry_run:
        _nft("-f", "-", text=f"table inet {paths.nft_table}\ndelete table inet {paths.nft_table}\n{wanted}")
        write_atomically(record, json.dumps({"wanted": wanted, "live": _listing(paths)}))
    return [f"firewall table {paths.nft_table}: {'changed' if live else 'made'}"]


def remove_firewall(paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Remove the table if it is there. Return the changes as text. Raises HostError."""
    if not syscalls.installed("nft") or not _listing(paths):
        return []
    if not dry_run:
        _nft("delete", "table", "inet", paths.nft_table)
    return [f"firewall table {paths.nft_table}: removed"]


def ruleset(plan: HostPlan, paths: ExperimentPaths) -> str:
    """Return the table as nft reads it, "" when the plan has no tunnel. The VXLAN identifier is 96 bits into the UDP packet."""
    tunnels = [(substrate, substrate.tunnel) for substrate in plan.substrates if substrate.tunnel]
    if not tunnels:
        return ""
    rules = [f"    udp dport {tunnel.port} @th,96,24 {tunnel.vni} ip saddr != {{ {', '.join(tunnel.remotes)} }} drop"
             for _substrate, tunnel in tunnels if tunnel.remotes]
    rules += [f"    meta nfproto ipv6 udp dport {tunnel.port} @th,96,24 {tunnel.vni} drop" for _substrate, tunnel in tunnels]
    return "\n".join([f"table inet {paths.nft_table} {{", "  chain input {", "    type filter hook input priority -10; policy accept;",
                      *rules, "  }", "}"]) + "\n"


def _listing(paths: ExperimentPaths) -> str:
    tables = _nft("list", "tables").stdout.split("\n")
    return _nft("list", "table", "inet", paths.nft_table).stdout if f"table inet {paths.nft_table}" in tables else ""


def _nft(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        result = subprocess.run(["nft", *arguments], input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise HostError("nft is missing on this host: install the package nftables") from exc
    if result.returncode:
        raise HostError(f"nft {' '.join(arguments)}: {result.stderr.strip()}")
    return result
