# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what ifupdown has for an experiment's devices. Nothing can override its files, so an experiment is refused with the file and the line.

ifupdown configures a device that a stanza ``iface`` names. A pattern, ``auto /b*=lan``, or a ``mapping`` gives a device the stanza of another name.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence

from ...errors import HostError

_FILE = "/etc/network/interfaces"
_PROGRAM = "/sbin/ifup"
_PATTERN = re.compile(r"/(?P<glob>[^/=]+)(?:/[^=]*)?(?:=(?P<stanza>\S+))?")  # [VARIABLE]/VALUE[/OPTIONS][=LOGICAL]; a VARIABLE is not about names
_MOST_FILES = 1000


def refuse_stanzas(names: Sequence[str], file: str = _FILE, program: str = _PROGRAM) -> None:
    """Raise HostError if ifupdown would configure one of these devices. It names the file and the line."""
    if not os.path.exists(program):
        return
    entries = list(_lines(file))
    mappings = [pattern for _where, words in entries if words[0] == "mapping" for pattern in words[1:]]
    for where, words in entries:
        for word in words[1:]:
            name = _touched(words[0], word, names, mappings)
            if name:
                raise HostError(f"{where}: '{' '.join(words)}' makes ifupdown configure {name}, a device of this experiment: let it match fewer names")


def _touched(keyword: str, word: str, names: Sequence[str], mappings: Sequence[str]) -> str:
    """Return a device that this word of a line gives a stanza to, or ""."""
    if keyword == "iface":
        return word if word in names else ""
    pattern = _PATTERN.fullmatch(word)
    if not pattern or not (keyword in ("auto", "rename") or keyword.startswith("allow-")):
        return ""
    return next((name for name in fnmatch.filter(names, pattern["glob"]) if pattern["stanza"] or any(fnmatch.fnmatchcase(name, one) for one in mappings)), "")


def _lines(file: str, seen: set[str] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yield (``file:line``, words) of each line that is no comment, with those of the files that it sources."""
    seen = set() if seen is None else seen
    if file in seen or len(seen) > _MOST_FILES:
        return
    seen.add(file)
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            lines = stream.read().replace("\\\n", "\\").split("\n")  # a continued line counts as several below
    except OSError:
        return
    number = 1
    for line in lines:
        where, number = f"{file}:{number}", number + 1 + line.count("\\")
        words = line.replace("\\", " ").split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] in ("source", "source-directory"):
            for pattern in words[1:]:
                path = os.path.join(os.path.dirname(file), pattern)
                for found in sorted(glob.glob(path if words[0] == "source" else f"{path}/*")):
                    yield from _lines(found, seen)
        else:
            yield where, words
