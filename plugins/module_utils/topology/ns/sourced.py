# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that an NS file reads with ``source``. They are kept in a folder ``FILE.d`` beside it, by their paths.

An NS file with such a folder reads them from there, so the kept copy can be read again.
"""

from __future__ import annotations

import os
import stat

from ..scope import shown
from .interpreter import MAX_BYTES, SourceLocation
from .reading import Reading

SUFFIX = ".d"
MOST_FILES = 200
MOST_BYTES = 16 * 2**20
_LONGEST_NAME, _LONGEST_PATH = 255, 1000


def folder_of_sources(path: str) -> str:
    """Return the folder of the files that the NS file ``path`` may read: ``FILE.d`` if it exists, else its own folder."""
    path = os.path.abspath(path)
    return path + SUFFIX if os.path.isdir(path + SUFFIX) else os.path.dirname(path)


def keep_source(reading: Reading, location: SourceLocation, given: str, path: str, folder: str) -> None:
    """Keep the content of ``path``, which the file just read as ``given``; report an error if that is not possible."""
    kept = reading.network.sourced
    relative = _name(given, path, os.path.realpath(folder))
    if relative in kept:
        return
    wrong = _wrong_path(relative)
    if wrong:
        reading.found.error(location, "source", f"{shown(given)} cannot be kept with the experiment: {wrong}")
        return
    content = _content(path)
    if content is None:
        reading.found.error(location, "source", f"{shown(given)} cannot be kept with the experiment: it cannot be read any more")
    elif len(kept) >= MOST_FILES or sum(map(len, kept.values())) + len(content) > MOST_BYTES:
        reading.found.error(location, "source", f"{shown(given)} is one too many", f"at most {MOST_FILES} files, of {MOST_BYTES // 2**20} MB in all")
    else:
        kept[relative] = content


def _name(given: str, path: str, root: str) -> str:
    """Return the path of the file below ``root``: ``given`` if it denotes the file, else relative to ``root``."""
    asked = os.path.normpath(given)
    return asked if os.path.realpath(os.path.join(root, asked)) == path and not os.path.isabs(asked) else os.path.relpath(path, root)


def _wrong_path(relative: str) -> str:
    """Return the reason why a path is not usable in an experiment's directory, "" if it is."""
    parts = relative.split("/")
    if ".." in parts or os.path.isabs(relative):
        return "it is not below the folder of this file"
    if not relative.isprintable() or "\ufffd" in relative:
        return "its name has characters that cannot be printed"
    if len(relative.encode()) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in parts):
        return "its name is too long"
    return ""


def _content(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        return None
    return content if len(content) <= MAX_BYTES else None
