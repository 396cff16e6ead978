# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load, look at and remove the packet filter of an experiment: two nftables tables, whose rules are in ruleset.py."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess

from ...errors import HostError
from ...hostplan import HostPlan
from ...names import CONTROL
from ..base import syscalls
from ..base.os_errors import program_error
from ..base.paths import ExperimentPaths, read_json, remove_file, write_atomically
from ..guest.resolver import name_servers, resolv_conf
from . import netlink
from .bridge_driver import MOST_ADDRESSES
from .control_rules import ControlSide
from .netlink import Link
from .ruleset import FAMILIES, is_needed, ruleset
from .underlay import underlay_index

_TRACKING = "/proc/sys/net/netfilter/nf_conntrack_count"  # is there as soon as the kernel can track connections
_LEARNED = re.compile(r"(set learned \{.*?)\n\s*elements = \{.*?\}", re.DOTALL)  # in a listing: what packets have put into the set


def apply_firewall(plan: HostPlan, paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Load the tables unless they are there just as they were loaded. Return the changes as text. Raises HostError."""
    if not is_needed(plan):
        return remove_firewall(paths, dry_run)
    wanted, live, last = _wanted(plan, paths), _listing(paths), read_json(_record(paths), {})
    if live and last.get("wanted") == wanted and last.get("live") == live:
        return []
    if not dry_run:
        names = [f"{family} {paths.nft_table}" for family in FAMILIES]
        _nft("-f", "-", text="".join(f"table {name}\ndelete table {name}\n" for name in names) + wanted)
        write_atomically(_record(paths), json.dumps({"wanted": wanted, "live": _listing(paths)}))
    return [f"firewall table {paths.nft_table}: {'changed' if live else 'made'}"]


def remove_firewall(paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Remove the tables if they are there. Return the changes as text. Raises HostError."""
    if not syscalls.installed("nft"):
        return []
    present = _nft("list", "tables").stdout.split("\n")
    found = [family for family in FAMILIES if f"table {family} {paths.nft_table}" in present]
    if not dry_run:
        for family in found:
            _nft("delete", "table", family, paths.nft_table)
        remove_file(_record(paths))
    return [f"firewall table {paths.nft_table}: removed"] if found else []


def firewall_state(plan: HostPlan, paths: ExperimentPaths) -> str:
    """Return ``up``, ``missing``, ``changed`` (by another program), or "" for a plan that needs no filter. Raises HostError."""
    if not is_needed(plan):
        return ""
    live = _listing(paths)
    return "missing" if not live else "up" if live == read_json(_record(paths), {}).get("live") else "changed"


def _wanted(plan: HostPlan, paths: ExperimentPaths) -> str:
    """Return the tables for the devices that this host has now."""
    local = next((substrate.tunnel.local for substrate in plan.substrates if substrate.tunnel), "")
    underlay = socket.if_indextoname(underlay_index(local)) if local else ""
    live = netlink.links()
    uplinks = {substrate.uplink for substrate in plan.substrates if substrate.uplink}
    cards = [link.name for link in live.values() if link.mac_address in uplinks and not link.kind]
    return ruleset(plan, paths, underlay, _control_side(live), cards, 0 if _bounded(plan, live) else MOST_ADDRESSES, os.path.exists(_TRACKING))


def _control_side(live: dict[str, Link]) -> ControlSide:
    if CONTROL not in live:
        return ControlSide()
    bridge = live[CONTROL]
    addresses = [prefix.split("/")[0] for index, prefix in netlink.ipv4_addresses() if index == bridge.index]
    servers = [server for server in name_servers(resolv_conf()) if ":" not in server]
    return ControlSide(bridge.mac_address, tuple(sorted(addresses)), tuple(sorted(servers)))


def _bounded(plan: HostPlan, live: dict[str, Link]) -> bool:
    """Return whether the kernel bounds how many addresses the experiment's bridges learn, as Linux 6.7 and later do."""
    bridges = [live[substrate.bridge] for substrate in plan.substrates if substrate.bridge in live]
    return all("IFLA_BR_FDB_MAX_LEARNED" in link.data for link in bridges)


def _record(paths: ExperimentPaths) -> str:
    return f"{paths.run}/firewall.json"


def _listing(paths: ExperimentPaths) -> str:
    """Return the live tables as nft lists them, "" unless both are there."""
    text = ""
    for family in FAMILIES:
        result = _run("-s", "list", "table", family, paths.nft_table)
        if result.returncode and "No such file or directory" in result.stderr:
            return ""
        text += _checked(result, f"list table {family} {paths.nft_table}").stdout
    return _LEARNED.sub(r"\1", text)


def _nft(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return _checked(_run(*arguments, text=text), " ".join(arguments))


def _run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["nft", *arguments], input=text, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError as exc:
        raise HostError("nft is missing on this host: install the package nftables") from exc


def _checked(result: subprocess.CompletedProcess[str], what: str) -> subprocess.CompletedProcess[str]:
    if result.returncode:
        raise HostError(f"nft {what}: {program_error(result.stderr.strip())}")
    return result
