# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List and change the chains of iptables-legacy, ip6tables-legacy, ebtables-legacy and arptables-legacy, which nftables does not know.

Their tables are not looked at unless the kernel has them, because the commands would make them.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

from ..base import syscalls
from .filter_chains import COMMENT, Chain, Rule
from .ruleset import PASS_MARK

ARPTABLES = "arptables-legacy"
_EBTABLES = "ebtables-legacy"
_NAMES = {"iptables-legacy": "/proc/net/ip_tables_names", "ip6tables-legacy": "/proc/net/ip6_tables_names", ARPTABLES: "/proc/net/arp_tables_names"}
_EBTABLES_MODULES = ("ebtable_filter", "ebtable_nat", "ebtable_broute")  # ebtables does not list its tables
_TRANSLATION = "nat"  # a table of iptables whose chains see only tracked packets, of which experiments have none
_LIMIT_S = 60
_MARK = ("--mark", f"{PASS_MARK:#x}")


def legacy_tables() -> list[tuple[str, str]]:
    """Return (command, table) of every table of these filters that this network namespace has. This reads files only."""
    found = [(command, table) for command, path in _NAMES.items() for table in _lines(path) if table != _TRANSLATION]
    modules = {line.split(" ", 1)[0] for line in _lines("/proc/modules")}
    return found + [(_EBTABLES, module[len("ebtable_"):]) for module in _EBTABLES_MODULES if module in modules]


def legacy_chains() -> list[Chain]:
    """Return the chains of these tables that packets come to by themselves. One that cannot be looked at has ``refused``."""
    return [chain for command, table in legacy_tables() for chain in _chains(command, table)]


def run_iptables(command: str, chain: Chain, action: str) -> str:
    """Insert (``-I``) or delete (``-D``) our rule with a command of the iptables family. Return what it says if it fails, else ""."""
    comment = () if command.startswith("ebtables") else ("-m", "comment", "--comment", COMMENT)
    match = _MARK if command.startswith("ebtables") else ("-m", "mark", *_MARK)
    result = _run(command, *_wait(command), "-t", chain.table, action, chain.name, *match, *comment, "-j", "ACCEPT")
    return (result.stderr.strip() or f"exit status {result.returncode}") if result.returncode else ""


def _chains(command: str, table: str) -> list[Chain]:
    unknown = Chain(command, table, "FORWARD", "forward", True, ())
    if not syscalls.installed(command):
        return [replace(unknown, refused=f"{command} is not installed on this host, so nobody can tell what the table holds",
                        remedy="install iptables (Debian's package has it), or remove the table's kernel module")]
    listing = ("-L", "FORWARD", "-n") if command == ARPTABLES else ("-L", "--Lx") if command == _EBTABLES else ("-S",)
    result = _run(command, *_wait(command), "-t", table, *listing)
    if result.returncode:
        return [replace(unknown, refused=f"{command} cannot list it: {result.stderr.strip()}", remedy="repair it, or remove the table")]
    if command == ARPTABLES:
        rules = [line for line in result.stdout.splitlines() if line.startswith("-")]
        return [replace(unknown, drops="policy DROP" in result.stdout, rules=(Rule(False),) * len(rules),
                        refused="arptables cannot tell an experiment's frames", remedy="let the chain accept, or set net.bridge.bridge-nf-call-arptables=0")]
    return _parsed(command, table, result.stdout)


def _parsed(command: str, table: str, listing: str) -> list[Chain]:
    """Return the chains of a listing of commands: ``-P CHAIN POLICY`` of chains of the kernel, then ``-A CHAIN RULE``."""
    policies: dict[str, str] = {}
    rules: dict[str, list[Rule]] = {}
    for line in listing.splitlines():
        words = line.split()
        if "-P" in words[:-2]:
            policies[words[words.index("-P") + 1]] = words[words.index("-P") + 2]
        elif "-A" in words[:-1]:
            ours = f'"{COMMENT}"' in line or (command == _EBTABLES and words[-4:] == [*_MARK, "-j", "ACCEPT"])
            rules.setdefault(words[words.index("-A") + 1], []).append(Rule(ours))
    return [Chain(command, table, name, name.lower(), policy == "DROP", tuple(rules.get(name, ()))) for name, policy in policies.items()]


def _wait(command: str) -> tuple[str, ...]:
    """Return the arguments to wait for another program that is changing the tables."""
    return ("-w", str(_LIMIT_S // 2)) if command.startswith("ip") else ()


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S, env={**os.environ, "LC_ALL": "C"})


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            return stream.read().splitlines()
    except OSError:
        return []
