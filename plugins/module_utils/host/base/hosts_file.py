# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts file of a node: one list for all nodes, except that a bare name may have another address on one node."""

from __future__ import annotations

from ...hostplan import HostsEntry

_HEAD = "127.0.0.1\tlocalhost loghost\n::1\tlocalhost ip6-localhost ip6-loopback\n"


class HostsFile:
    """Renders the file for one node after another. Nodes without aliases share one text.

    entries  the shared list; the last name of an entry is the bare node name if the entry has the node's main address
    """

    def __init__(self, entries: tuple[HostsEntry, ...]):
        self._names = [(entry.address, list(entry.names)) for entry in entries]
        self._bare = {entry.names[-1]: number for number, entry in enumerate(entries) if entry.names}
        self._line: dict[str, int] = {}
        for number, entry in enumerate(entries):
            self._line.setdefault(entry.address, number)
        self._shared = [_line(address, names) for address, names in self._names]
        self._text = "".join(self._shared)

    def text(self, aliases: dict[str, str]) -> str:
        """Return the file of a node on which the names in ``aliases`` have these addresses."""
        return _HEAD + self.lines(aliases)

    def lines(self, aliases: dict[str, str]) -> str:
        """Return the file without the lines that every machine has."""
        if not aliases:
            return self._text
        changed: dict[int, list[str]] = {}
        for name, address in aliases.items():
            if name in self._bare:
                number = self._bare[name]
                changed.setdefault(number, list(self._names[number][1])).remove(name)
            number = self._line[address]
            changed.setdefault(number, list(self._names[number][1])).append(name)
        lines = list(self._shared)
        for number, names in changed.items():
            lines[number] = _line(self._names[number][0], names)
        return "".join(lines)


def _line(address: str, names: list[str]) -> str:
    return f"{address}\t{' '.join(names)}\n" if names else ""
