# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch changes of one nftables table by whatever program."""

from __future__ import annotations

import errno
import socket

from .netlink_messages import attribute_bytes, messages

_NETLINK_NETFILTER = 12
_NFNLGRP_NFTABLES = 7
_NFGENMSG = 4  # bytes, before the attributes
_TABLE = 1  # NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE, …
_RECEIVE = 262144


class TableWatch:
    """A socket on which the kernel tells of every change of nftables in the current network namespace. Raises OSError."""

    def __init__(self, table: str):
        self._table = table.encode() + b"\0"
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER)
        self._sock.bind((0, 1 << (_NFNLGRP_NFTABLES - 1)))
        self.fd = self._sock.fileno()

    def read(self) -> bool:
        """Take all events. Return whether one was about the table, or whether some were lost."""
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
            concerned = concerned or any(attribute_bytes(body, _TABLE, _NFGENMSG) == self._table for _kind, _sequence, body in messages(data))
