# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the base chains of nftables, with their rules as far as passing needs them, as the kernel has them.

Asking the kernel for the rules of base chains only is cheap where other programs have thousands of rules, as Kubernetes does.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import HostError
from . import netlink
from .netlink_messages import attribute_of, attributes_of
from .ruleset import PASS_MARK

NETLINK_NETFILTER = 12
COMMENT = "passes experiments of deter.benito"
"""The comment of our rules in other programs' chains. Only rules with it are ever removed, and in ebtables those that look for our mark."""

_SUBSYSTEM = 10 << 8  # nftables
_GET_TABLE, _GET_CHAIN, _GET_RULE = _SUBSYSTEM | 1, _SUBSYSTEM | 4, _SUBSYSTEM | 7
NFGENMSG = 4  # bytes of the structure before the attributes
_FAMILIES = {1: "inet", 2: "ip", 7: "bridge", 10: "ip6"}
_HOOKS = ("prerouting", "input", "forward", "output", "postrouting")  # of all these families
# NFTA_…
_TABLE_NAME, _TABLE_FLAGS = 1, 2
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 1, 3, 4, 5, 7
_HOOK_NUMBER, _HOOK_PRIORITY = 1, 2
_RULE_TABLE, _RULE_CHAIN, _RULE_HANDLE = 1, 2, 3
_NFT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9/\\_.-]*")  # names that nft can read
_DORMANT, _OWNER = 0x1, 0x2  # flags of a table
_DROP = 0  # a policy
_EBTABLES_MARK = b"mark_m\0"  # the match of ebtables, which has no comments
_EBTABLES_VALUE = struct.pack("@L", PASS_MARK) + b"\xff\xff\xff\xff"  # and the mask, of which ebtables sets 32 bits or all


@dataclass(frozen=True)
class Rule:
    """A rule of a base chain: whether it is our passing rule, and nftables' handle of it."""

    ours: bool
    handle: int = 0


@dataclass(frozen=True)
class Chain:
    """A base chain of another program.

    family   ``ip``, ``ip6``, ``inet`` or ``bridge``; or the command of a filter that is not nftables', such as ``iptables-legacy``
    hook     ``prerouting``, ``input``, ``forward``, ``output`` or ``postrouting``
    drops    whether its policy is to drop
    rules    in order
    refused  why no rule of ours can be inserted, "" when it can
    remedy   what the user can do then
    """

    family: str
    table: str
    name: str
    hook: str
    drops: bool
    rules: tuple[Rule, ...]
    priority: int = 0
    refused: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"

    @property
    def matters(self) -> bool:
        """Return whether it could drop or change anything."""
        return self.drops or any(not rule.ours for rule in self.rules)

    @property
    def passes(self) -> bool:
        """Return whether our rule is its first, and nowhere else."""
        return [rule.ours for rule in self.rules].count(True) == 1 and self.rules[0].ours


def nft_chains() -> list[Chain]:
    """Return the base chains of nftables that are not deter.benito's own, without those for address translation. Raises HostError."""
    flags = {(family, _text(found[_TABLE_NAME])): _number(found[_TABLE_FLAGS]) for family, found in _list(_GET_TABLE)}
    chains = []
    for family, found in _list(_GET_CHAIN):
        table, name = _text(found[_CHAIN_TABLE]), _text(found[_CHAIN_NAME])
        hook = attributes_of(found.get(_CHAIN_HOOK, b""))
        is_nat = found.get(_CHAIN_TYPE, b"").startswith(b"nat\0")
        if _HOOK_NUMBER not in hook or is_nat or table.startswith("benito_") or flags.get((family, table), 0) & _DORMANT:
            continue
        number = _number(hook[_HOOK_NUMBER])
        if number < len(_HOOKS):
            refused, remedy = _refused(table, name, bool(flags.get((family, table), 0) & _OWNER))
            chains.append(Chain(
                _FAMILIES[family], table, name, _HOOKS[number], _number(found.get(_CHAIN_POLICY, b"\0\0\0\1")) == _DROP, _rules(family, table, name),
                struct.unpack("!i", hook[_HOOK_PRIORITY])[0], refused, remedy))
    return chains


def _refused(table: str, chain: str, owned: bool) -> tuple[str, str]:
    """Return why no rule can be inserted, and what to do; "" twice when one can."""
    if owned:
        return ("the running program that made the table lets no other change it",
                "if it is firewalld, set NftablesTableOwner=no in /etc/firewalld/firewalld.conf and restart firewalld")
    if not (_NFT_NAME.fullmatch(table) and _NFT_NAME.fullmatch(chain)):
        return "nft cannot read its name", "remove it, or give it another name"
    return "", ""


def _rules(family: int, table: str, chain: str) -> tuple[Rule, ...]:
    request = attribute_of(_RULE_TABLE, table.encode() + b"\0") + attribute_of(_RULE_CHAIN, chain.encode() + b"\0")
    # a kernel that lists the rules of other chains, too, ignores the request's attributes
    return tuple(Rule(_is_ours(found), int.from_bytes(found[_RULE_HANDLE], "big")) for _family, found in _list(_GET_RULE, family, request)
                 if _text(found[_RULE_TABLE]) == table and _text(found[_RULE_CHAIN]) == chain)


def _is_ours(rule: dict[int, bytes]) -> bool:
    body = b"".join(value for number, value in rule.items() if number not in (_RULE_TABLE, _RULE_CHAIN))
    return COMMENT.encode() in body or (_EBTABLES_MARK in body and _EBTABLES_VALUE in body)


def _list(kind: int, family: int = 0, request: bytes = b"") -> Iterator[tuple[int, dict[int, bytes]]]:
    """Yield (family, attributes) of everything of this kind. What is removed meanwhile is left out."""
    try:
        for body in netlink.dump(kind, bytes((family, 0, 0, 0)) + request, NETLINK_NETFILTER):
            if body[0] in _FAMILIES:
                yield body[0], attributes_of(body, NFGENMSG)
    except HostError:
        if not request:  # else the chain may be gone
            raise


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")
