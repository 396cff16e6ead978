# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of container kinds. A new kind is one line here, one file in host/ and one role."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of container: how a computer is realised.

    own_machine  whether it is a physical machine by itself, shared with nobody and never packed
    carries      whether it may be the vhost of processes
    login        whether it has an SSH service of its own, whose host key is made at creation
    aliases      other spellings found in published files
    """

    name: str
    own_machine: bool = False
    carries: bool = False
    login: bool = False
    aliases: tuple[str, ...] = ()


EMBEDDED_PNODE, QEMU, OPENVZ, PROCESS = "embedded_pnode", "qemu", "openvz", "process"

KINDS = {
    kind.name: kind
    for kind in (
        Kind(EMBEDDED_PNODE, own_machine=True),
        Kind(QEMU, carries=True, login=True),
        Kind(OPENVZ, login=True, aliases=("open_vz",)),
        Kind(PROCESS),
    )
}
ALLOWED = f"one of {', '.join(KINDS)}"

_SPELLINGS = {spelling: kind.name for kind in KINDS.values() for spelling in (kind.name, *kind.aliases)}


def kind_named(text: str) -> str | None:
    """Return the name of the kind that ``text`` spells, in any case or by an alias. Return None when there is no such kind."""
    return _SPELLINGS.get(text.strip().lower())
