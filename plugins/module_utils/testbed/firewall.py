# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall of a testbed: a table of its own, and passage through other programs' closed doors."""

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
    """The table: pnodes reach the world masqueraded, nobody but this machine reaches them, and they reach no service of this machine but DNS.

    Traffic that stays on one bridge passes here only where br_netfilter is loaded.
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


def closed_doors(chains: list[dict]) -> tuple[Chain, ...]:
    """The chains that drop what is forwarded unless a rule of theirs lets it through, as Docker's and ufw's do.

    chains  what ``nft -json list chains`` has under "nftables"
    Returns (family, table, chain) of each. Such a chain must be passed beside our own: accepting there does not help here.
    """
    found = [entry["chain"] for entry in chains if "chain" in entry]
    return tuple((chain["family"], chain["table"], chain["name"]) for chain in found
                 if chain.get("hook") == "forward" and chain.get("policy") == "drop" and chain["family"] in ("ip", "inet"))


class Firewall:
    """The firewall of one testbed on this machine. ``subnets`` is not needed to remove it."""

    def __init__(self, identity: Identity, subnets: Subnets = NO_SUBNETS):
        self.identity = identity
        self.subnets = subnets
        self.comment = f"benito testbed {identity.id}"

    def is_up(self) -> bool:
        comment = re.search(r'comment "[^"]*"', render_firewall(self.identity, self.subnets))
        return bool(comment and comment[0] in self._table()) and not self._shut_doors()

    def is_there(self) -> bool:
        """Whether anything of it is on this machine."""
        return bool(self._table()) or any(self._passes(door) for door in self._chains())

    def up(self) -> None:
        """Put the table in place, in one transaction, whatever there was of it, and open the doors."""
        table = self.identity.firewall_table
        run("nft", "-f", "-", stdin=f"table inet {table}\ndelete table inet {table}\n{render_firewall(self.identity, self.subnets)}")
        for door in self._shut_doors():
            self._close(door)
            for bridge in (self.identity.control_bridge, self.identity.experiment_bridge):
                for direction in ("iifname", "oifname"):
                    run("nft", "insert", "rule", *door, direction, f'"{bridge}"', "counter", "accept", "comment", f'"{self.comment}"')

    def down(self) -> None:
        for door in self._chains():
            self._close(door)
        if self._table():
            run("nft", "delete", "table", "inet", self.identity.firewall_table)

    def _table(self) -> str:
        return run("nft", "list", "table", "inet", self.identity.firewall_table, check=False).stdout

    def _shut_doors(self) -> tuple[Chain, ...]:
        return tuple(door for door in closed_doors(self._listing("chains")) if len(self._passes(door)) != 4)

    def _chains(self) -> tuple[Chain, ...]:
        """Every foreign chain for forwarded packets: a door that is open now may have been closed when we came."""
        found = [entry["chain"] for entry in self._listing("chains") if "chain" in entry]
        return tuple((chain["family"], chain["table"], chain["name"]) for chain in found
                     if chain.get("hook") == "forward" and not chain["table"].startswith("benito_"))

    def _passes(self, door: Chain) -> tuple[str, ...]:
        """The handles of our rules in the chain ``door``."""
        rules = [entry["rule"] for entry in self._listing("chain", *door) if "rule" in entry]
        return tuple(str(rule["handle"]) for rule in rules if rule.get("comment") == self.comment)

    def _close(self, door: Chain) -> None:
        for handle in self._passes(door):
            run("nft", "delete", "rule", *door, "handle", handle)

    def _listing(self, *what: str) -> list[dict]:
        return (run_json("nft", "-json", "-a", "list", *what) or {}).get("nftables", [])


def legacy_iptables_warning() -> str:
    """A note where rules of the old iptables are loaded, which this cannot read; "" elsewhere."""
    if "filter" not in read_text("/proc/net/ip_tables_names").split():
        return ""
    return "rules of iptables-legacy are loaded here; if their FORWARD chain drops, pnodes have no way out"
