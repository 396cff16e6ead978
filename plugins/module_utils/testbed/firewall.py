# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall of a testbed: a table of its own, and rules in other programs' chains that would drop the testbed's packets."""

from __future__ import annotations

import hashlib
import re

from ..commands import run, run_json
from ..files import read_text
from .addresses import NO_SUBNETS, Subnets
from .names import Identity

Chain = tuple[str, str, str]
"""Family, table and name of a chain of nftables."""


def render_firewall(identity: Identity, subnets: Subnets) -> str:
    """Return the table of rules.

    Pnodes reach the outside masqueraded. Only this machine reaches the pnodes. Of this machine's services they reach only DNS.
    Traffic within one bridge passes these chains only if br_netfilter is loaded.
    """
    control, experiment = identity.control_bridge, identity.experiment_bridge
    body = f"""
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {subnets.control} ip daddr != {subnets.control} masquerade
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    iifname . oifname {{ "{control}" . "{control}", "{experiment}" . "{experiment}" }} accept
    iifname "{experiment}" drop
    oifname "{experiment}" drop
    iifname "{control}" accept
    oifname "{control}" ct state established,related accept
    oifname "{control}" drop
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "{experiment}" drop
    iifname "{control}" ct state established,related accept
    iifname "{control}" meta l4proto {{ icmp, igmp }} accept
    iifname "{control}" meta l4proto {{ tcp, udp }} th dport 53 accept
    iifname "{control}" drop
  }}
"""
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    return f'table inet {identity.firewall_table} {{\n  comment "{identity.mark} {digest}"\n{body}}}\n'


def dropping_chains(chains: list[dict]) -> tuple[Chain, ...]:
    """Return the chains that drop forwarded packets unless one of their own rules accepts them, as those of Docker and ufw do.

    chains  the list "nftables" of ``nft -json list chains``
    A packet has to pass these chains, too: accepting it in our own chain is not enough.
    """
    found = [entry["chain"] for entry in chains if "chain" in entry]
    return tuple((chain["family"], chain["table"], chain["name"]) for chain in found
                 if chain.get("hook") == "forward" and chain.get("policy") == "drop" and chain["family"] in ("ip", "inet"))


class Firewall:
    """The firewall of one testbed on this machine. Removing it does not need ``subnets``."""

    def __init__(self, identity: Identity, subnets: Subnets = NO_SUBNETS):
        self.identity = identity
        self.subnets = subnets
        self.comment = f"benito testbed {identity.id}"

    def is_up(self) -> bool:
        """Return whether all rules are in place."""
        comment = re.search(r'comment "[^"]*"', render_firewall(self.identity, self.subnets))
        return bool(comment and comment[0] in self._table()) and not self._unpassed_chains()

    def is_there(self) -> bool:
        """Return whether any rule of it is on this machine."""
        return bool(self._table()) or any(self._passes(chain) for chain in self._chains())

    def up(self) -> None:
        """Install the table in one transaction, and accept the testbed's packets in chains that drop by default."""
        table = self.identity.firewall_table
        run("nft", "-f", "-", stdin=f"table inet {table}\ndelete table inet {table}\n{render_firewall(self.identity, self.subnets)}")
        for chain in self._unpassed_chains():
            self._close(chain)
            for bridge in (self.identity.control_bridge, self.identity.experiment_bridge):
                for direction in ("iifname", "oifname"):
                    run("nft", "insert", "rule", *chain, direction, f'"{bridge}"', "counter", "accept", "comment", f'"{self.comment}"')

    def down(self) -> None:
        """Remove all rules of the testbed."""
        for chain in self._chains():
            self._close(chain)
        if self._table():
            run("nft", "delete", "table", "inet", self.identity.firewall_table)

    def _table(self) -> str:
        return run("nft", "list", "table", "inet", self.identity.firewall_table, check=False).stdout

    def _unpassed_chains(self) -> tuple[Chain, ...]:
        return tuple(chain for chain in dropping_chains(self._listing("chains")) if len(self._passes(chain)) != 4)

    def _chains(self) -> tuple[Chain, ...]:
        """Return every foreign chain for forwarded packets. One that accepts now may have dropped when our rules were added."""
        found = [entry["chain"] for entry in self._listing("chains") if "chain" in entry]
        return tuple((chain["family"], chain["table"], chain["name"]) for chain in found
                     if chain.get("hook") == "forward" and not chain["table"].startswith("benito_"))

    def _passes(self, chain: Chain) -> tuple[str, ...]:
        """Return the handles of our rules in a chain."""
        rules = [entry["rule"] for entry in self._listing("chain", *chain) if "rule" in entry]
        return tuple(str(rule["handle"]) for rule in rules if rule.get("comment") == self.comment)

    def _close(self, chain: Chain) -> None:
        for handle in self._passes(chain):
            run("nft", "delete", "rule", *chain, "handle", handle)

    def _listing(self, *what: str) -> list[dict]:
        return (run_json("nft", "-json", "-a", "list", *what) or {}).get("nftables", [])


def legacy_iptables_warning() -> str:
    """Return a warning if rules of iptables-legacy are loaded, which nft does not list; else ""."""
    if "filter" not in read_text("/proc/net/ip_tables_names").split():
        return ""
    return "rules of iptables-legacy are loaded on this machine: if their FORWARD chain drops packets, pnodes cannot reach the outside"
