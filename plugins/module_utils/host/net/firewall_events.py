# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch changes of nftables that concern an experiment, by whatever program."""

from __future__ import annotations

import errno
import socket

from .filter_chains import NETLINK_NETFILTER, NFGENMSG
from .netlink_messages import attribute_bytes, messages

_NFNLGRP_NFTABLES = 7
_TABLE = 1  # NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE, …
_RECEIVE = 262144
_OURS = b"benito_"  # with which the names of our tables begin
_RULES = {0, 2, 3, 5, 6, 8}  # NFT_MSG_NEWTABLE, DELTABLE, NEWCHAIN, DELCHAIN, NEWRULE, DELRULE: not elements of sets, which change often


class TableWatch:
    """A socket on which the kernel tells of every change of nftables in the current network namespace. Raises OSError.

    What concerns the experiment is its own table, and the rules of other programs, but not the tables of other experiments.
    """

    def __init__(self, table: str):
        self._table = table.encode() + b"\0"
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, NETLINK_NETFILTER)
        self._sock.bind((0, 1 << (_NFNLGRP_NFTABLES - 1)))
        self.fd = self._sock.fileno()

    def read(self) -> bool:
        """Take all events. Return whether one concerns the experiment, or whether some were lost."""
        concerned = False
        while True:
            try:
                data = self._sock.recv(_RECEIVE)
            except BlockingIOError:
                return concerned
            except OSError as exc:
                if exc.errno != errno.ENOBUFS:
                    raise
                concerned = True  # the kernel had no room for all events
                continue
            concerned = concerned or any(self._concerns(kind & 0xFF, attribute_bytes(body, _TABLE, NFGENMSG)) for kind, _sequence, body in messages(data))

    def _concerns(self, kind: int, table: bytes) -> bool:
        return table == self._table or (kind in _RULES and bool(table) and not table.startswith(_OURS))
