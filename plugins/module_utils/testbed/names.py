# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of a local testbed's objects, and the paths of its files. Pure.

The name of every kernel object is derived from the testbed's identity. So two testbeds never conflict, and an object with such a
name is known to be the testbed's, even after an interrupted run.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass

from ..errors import InputError, Problem

NAME_RULE = "a lower-case letter, then lower-case letters, digits or '-', at most 16 in all, not ending in '-'"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,14}[a-z0-9])?")

HOME_RULE = "letters, digits and / . _ + @ % = - only: the path goes into mount options and into ssh's command line"
_HOME = re.compile(r"/[A-Za-z0-9/._+@%=-]*")

CONTROL = "eth0"
EXPERIMENT = "eth1"
PORTS = "bt" + "?" * 13
"""The pattern of the names of all ports of pnodes, of every testbed."""


def hash13(*parts: str) -> str:
    """Return 13 characters of lower-case base32 (65 bits) that identify ``parts``: the end of every kernel object's name."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:13]


@dataclass(frozen=True)
class Identity:
    """The identity of a testbed: its name, and its BENITO_HOME (absolute, links resolved)."""

    home: str
    name: str

    @property
    def id(self) -> str:
        return hash13("testbed", self.home, self.name)

    @property
    def control_bridge(self) -> str:
        return "bc" + self.id

    @property
    def experiment_bridge(self) -> str:
        return "be" + self.id

    @property
    def firewall_table(self) -> str:
        return "benito_testbed_" + self.id

    @property
    def cgroup(self) -> str:
        return "benito-testbed-" + self.id

    @property
    def mark(self) -> str:
        """Return the readable name that links and rules carry beside their hashed one."""
        return "benito testbed " + self.name

    def pnode(self, index: int) -> str:
        return f"{self.name}-{index}"

    @property
    def carrier(self) -> str:
        """Return the name of the hidden pnode that carries pnodes which are virtual machines.

        Its number is -1, so its addresses precede theirs.
        """
        return f"{self.name}-carrier"

    def index_of(self, pnode: str) -> int:
        """Return the number of a pnode, or -1 for a name that no pnode of this testbed can have."""
        match = re.fullmatch(re.escape(self.name) + r"-(0|[1-9][0-9]*)", pnode)
        return int(match.group(1)) if match else -1

    def port(self, pnode: str, interface: str) -> str:
        """Return the name of the machine's end of a pnode's ``interface``."""
        return PORTS[:2] + hash13("port", self.id, pnode, interface)

    def mac_address(self, pnode: str, interface: str) -> str:
        digest = hashlib.sha256("\0".join(("mac", self.id, pnode, interface)).encode()).digest()
        return "02:" + ":".join(f"{octet:02x}" for octet in digest[:5])


@dataclass(frozen=True)
class Paths:
    """The paths of a testbed's files. Removing the testbed removes all of them except ``cache``."""

    identity: Identity
    cache: str

    @property
    def root(self) -> str:
        return os.path.join(self.identity.home, "testbed", self.identity.name)

    @property
    def lock(self) -> str:
        return self.root + ".lock"

    @property
    def state(self) -> str:
        return os.path.join(self.root, "state.json")

    @property
    def key(self) -> str:
        return os.path.join(self.root, "id_ed25519")

    @property
    def known_hosts(self) -> str:
        return os.path.join(self.root, "known_hosts")

    @property
    def pnodes(self) -> str:
        return os.path.join(self.root, "pnodes")

    def pnode(self, pnode: str) -> str:
        return os.path.join(self.pnodes, pnode)

    @property
    def templates(self) -> str:
        """Return the folder of warm templates, which all pnodes of this machine share."""
        return os.path.join(self.cache, "templates")

    @property
    def inventory(self) -> str:
        name = self.identity.name
        file = "local_testbed.yml" if name == "local" else f"local_testbed_{name}.yml"
        return os.path.join(self.identity.home, "inventory", file)


def identify(home: str, name: str) -> Identity:
    """Return the identity of the testbed ``name`` under ``home`` (BENITO_HOME, ``~`` allowed).

    Raises InputError for a name that is no valid host name and path. Raises InputError for a home that cannot be in mount options or
    ssh's command line.
    """
    if not _NAME.fullmatch(name):
        raise InputError(Problem(f"{name!r} is not a valid name of a testbed", element="testbed", hint=NAME_RULE))
    home = os.path.realpath(os.path.expanduser(home))
    if not _HOME.fullmatch(home):
        raise InputError(Problem(f"{home!r} is not a valid directory of a testbed", element="BENITO_HOME", hint=HOME_RULE))
    return Identity(home, name)
