# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let an experiment's packets pass the packet filters of other programs: Docker's, ufw's, firewalld's, Kubernetes'.

A packet that one chain accepts still comes to all others. With br_netfilter, frames that cross a bridge come to the chains of IP, too. The
experiment's own tables mark its packets (ruleset.py), and the first rule of every other program's chain accepts packets with that mark:

* in the hooks prerouting, forward and postrouting, for frames between nodes;
* in the hooks input and output, for packets of the tunnels, if the experiment has any: only packets from planned peers have the mark.

Chains for address translation see no packet of an experiment, because these are not tracked. All experiments of a host share the rules,
and the last one to leave removes them.
"""

from __future__ import annotations

import os
import subprocess

from ...errors import HostError
from ...hostplan import HostPlan
from ..base import syscalls
from ..base.locks import machine_lock
from ..base.paths import ExperimentPaths, experiments_here
from ..base.plan_file import read_plan
from .filter_chains import COMMENT, Chain, nft_chains
from .legacy_chains import ARPTABLES, legacy_chains, legacy_tables, run_iptables
from .ruleset import MARKING, PASS_MARK, is_needed

PASSED = "passed"
"""The state in which no chain may drop packets of the experiment."""
_BRIDGED = ("prerouting", "forward", "postrouting")  # the hooks to which frames between nodes come
_OF_HOST = ("input", "output")
_IPTABLES_NFT = {"ip": "iptables-nft", "ip6": "ip6tables-nft", "bridge": "ebtables-nft"}  # who reads tables of these families that it has made itself
_IPTABLES_TABLES = ("filter", "mangle", "raw", "security", "nat", "broute")
_SWITCHES = {"ip": ("iptables",), "ip6": ("ip6tables",), "inet": ("iptables", "ip6tables"), "iptables-legacy": ("iptables",),
             "ip6tables-legacy": ("ip6tables",), ARPTABLES: ("arptables",)}


def pass_foreign_filters(plan: HostPlan, paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Insert our rule where it is not the first one. Return the changes as text.

    Raises HostError that names every chain that may drop the experiment's packets and takes no rule.
    """
    if not is_needed(plan):
        return []
    with machine_lock():
        open_chains = [chain for chain in _chains_of(plan) if not chain.passes]
        failures = {str(chain): _refusal(chain) or ("" if dry_run else _insert(chain)) for chain in open_chains}
    blocking = [_verdict(chain, failures[str(chain)]) for chain in open_chains if failures[str(chain)] and _reaches(chain)]
    if blocking:
        raise HostError(f"another program's packet filter may drop the packets of {paths.experiment}: " + "; ".join(blocking))
    return [f"packet filter {chain} (hook {chain.hook}): passes experiments" for chain in open_chains if not failures[str(chain)]]


def foreign_state(plan: HostPlan, paths: ExperimentPaths) -> str:
    """Return ``passed``, the first chain that may drop packets of the experiment, or "" when no other program's chain sees them. Raises HostError."""
    chains = _chains_of(plan) if is_needed(plan) else []
    return next((str(chain) for chain in chains if not chain.passes and _reaches(chain)), PASSED if any(chain.passes for chain in chains) else "")


def foreign_hooks() -> tuple[list[str], list[str]]:
    """Return (the other programs' chains that an experiment's packets come to and a swap-in can pass, verdicts on those that it cannot). Raises HostError."""
    chains = [chain for chain in (*nft_chains(), *legacy_chains()) if _is_before(chain, True) and chain.matters and _reaches(chain)]
    refusals = {str(chain): _refusal(chain) for chain in chains if not chain.passes}
    blocking = [_verdict(chain, refusals[str(chain)]) for chain in chains if refusals.get(str(chain))]
    return [str(chain) for chain in chains if not refusals.get(str(chain))], blocking


def legacy_unpassed(paths: ExperimentPaths) -> bool:
    """Return whether a chain of iptables-legacy lacks our rule. Where the kernel has no such tables this only reads small files. Raises HostError."""
    if not legacy_tables():
        return False
    plan = read_plan(paths)
    return is_needed(plan) and any(_sees(chain, plan) and chain.matters and not chain.passes and not _refusal(chain) for chain in legacy_chains())


def tunnel_droppers(plan: HostPlan) -> str:
    """Return the chains that may drop packets of the tunnels, as text, "" if there are none."""
    return ", ".join(str(chain) for chain in _chains_of(plan) if chain.hook in _OF_HOST and not chain.passes)


def close_foreign_filters(paths: ExperimentPaths) -> list[str]:
    """Remove our rules from other programs' chains if no other experiment is on this host. Return the changes as text. Raises HostError."""
    with machine_lock():
        if [name for name in experiments_here() if name != paths.experiment] or not syscalls.installed("nft"):
            return []
        passed = [chain for chain in (*nft_chains(), *legacy_chains()) if any(rule.ours for rule in chain.rules)]
        failures = [f"{chain}: {failure}" for chain in passed if (failure := _remove(chain))]
    if failures:
        raise HostError("our rule cannot be removed from another program's packet filter: " + "; ".join(failures))
    return [f"packet filter {chain} (hook {chain.hook}): our rule is removed" for chain in passed]


def _chains_of(plan: HostPlan) -> list[Chain]:
    """Return the other programs' chains that see packets of the plan and could do something to them."""
    return [chain for chain in (*nft_chains(), *legacy_chains()) if _sees(chain, plan) and chain.matters]


def _sees(chain: Chain, plan: HostPlan) -> bool:
    return _is_before(chain, any(substrate.tunnel for substrate in plan.substrates))


def _is_before(chain: Chain, has_tunnels: bool) -> bool:
    """Return whether packets between nodes, or of tunnels if there are any, come to the chain's hook."""
    if chain.hook in _BRIDGED:
        return True
    return has_tunnels and chain.hook in _OF_HOST and chain.family in ("ip", "inet", "iptables-legacy")


def _reaches(chain: Chain) -> bool:
    """Return whether packets of experiments come to the chain as the host is set now: to those of IP and ARP only if br_netfilter is on."""
    if chain.hook in _OF_HOST or chain.family not in _SWITCHES:
        return True
    return any(_is_on(f"/proc/sys/net/bridge/bridge-nf-call-{name}") for name in _SWITCHES[chain.family])


def _is_on(path: str) -> bool:
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read().strip() != "0"
    except OSError:
        return False


def _refusal(chain: Chain) -> str:
    """Return why a rule would be of no use or cannot be inserted, "" when it can."""
    if chain.priority <= MARKING and chain.family == "bridge" or chain.priority < MARKING and chain.hook == "input":
        return f"its priority {chain.priority} is before that of deter.benito's own filter ({MARKING}); give it a higher one"
    return f"{chain.refused}; {chain.remedy}" if chain.refused else ""


def _verdict(chain: Chain, failure: str) -> str:
    switches = " and ".join(f"net.bridge.bridge-nf-call-{name}=0" for name in _SWITCHES.get(chain.family, ())) if chain.hook in _BRIDGED else ""
    instead = f" (or set {switches}, if no other program on this host needs it)" if switches else ""
    return f"family {chain.family}, table {chain.table}, chain {chain.name}, hook {chain.hook}: {failure}{instead}"


def _insert(chain: Chain) -> str:
    """Make our rule the first one. Return what is said when that fails, else ""."""
    misplaced = _remove(chain) if any(rule.ours for rule in chain.rules) else ""
    if misplaced:
        return misplaced
    if chain.family.endswith("-legacy"):
        return run_iptables(chain.family, chain, "-I")
    command = _IPTABLES_NFT.get(chain.family, "")
    if command and chain.table in _IPTABLES_TABLES and chain.name == chain.hook.upper() and syscalls.installed(command):
        # the host's iptables must read the rule: its versions differ in what they understand of nft's rules
        if not run_iptables(command, chain, "-I"):
            return ""
    return _nft(f'insert rule {chain} meta mark {PASS_MARK:#x} counter accept comment "{COMMENT}"\n')


def _remove(chain: Chain) -> str:
    """Remove our rules from the chain. Return what is said when that fails, else ""; that a rule is gone already is no failure."""
    failures = []
    for rule in chain.rules:
        if rule.ours:
            failure = run_iptables(chain.family, chain, "-D") if chain.family.endswith("-legacy") else _nft(f"delete rule {chain} handle {rule.handle}\n")
            failures += [failure] if failure and "No such file or directory" not in failure else []
    return failures[0] if failures else ""


def _nft(text: str) -> str:
    result = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    return result.stderr.strip().split("\n")[0] or "nft fails" if result.returncode else ""
