# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment's names in the host's own /etc/hosts: one block between two lines that name the experiment.

The block stands first, so that within the experiment its names win, and what was there follows byte for byte. Taking
the block out again gives the file as it was, with whatever others changed in it meanwhile.
"""

from __future__ import annotations

import errno
import os
import re
import shutil

from ...errors import HostError
from ..base import syscalls
from ..base.paths import ExperimentPaths

PATH = "/etc/hosts"


def apply_hosts(paths: ExperimentPaths, lines: str, dry_run: bool = False) -> list[str]:
    """Have exactly these lines in the experiment's block. Returns changes in words. Raises HostError."""
    text = _read()
    if text is None:
        raise HostError(f"this host has no {PATH} for the experiment's names")
    block = f"{_begin(paths)}: made by deter.benito, removed at swap-out\n{lines}{_end(paths)}\n".encode()
    wanted = _blocks(paths).sub(lambda _found: b"", text)
    _refuse_half(paths, wanted)
    wanted = block + wanted
    if wanted == text:
        return []
    if not dry_run:
        _replace(wanted)
    return [f"{PATH}: the names of {paths.experiment} written"]


def remove_hosts(paths: ExperimentPaths) -> list[str]:
    """Take the block out. Returns changes in words. Raises HostError when its end cannot be told."""
    try:
        os.unlink(_temporary())
    except FileNotFoundError:
        pass
    text = _read()
    rest = _blocks(paths).sub(lambda _found: b"", text or b"")
    _refuse_half(paths, rest)
    if text is None or rest == text:
        return []
    _replace(rest)
    return [f"{PATH}: the names of {paths.experiment} removed"]


def _begin(paths: ExperimentPaths) -> str:
    return f"# BEGIN benito {paths.experiment}"


def _end(paths: ExperimentPaths) -> str:
    return f"# END benito {paths.experiment}"


def _blocks(paths: ExperimentPaths):
    begin, end = (re.escape(line.encode()) for line in (_begin(paths), _end(paths)))
    return re.compile(rb"^%b:[^\n]*\n(?:(?!%b:|%b\n)[^\n]*\n)*%b(?:\n|\Z)" % (begin, begin, end, end), re.MULTILINE)


def _refuse_half(paths: ExperimentPaths, text: bytes) -> None:
    if re.search(rb"^%b:" % re.escape(_begin(paths).encode()), text, re.MULTILINE):
        raise HostError(f"{PATH}: the line '{_end(paths)}' is gone, so the block of this experiment has no end: remove the block by hand")


def _read() -> bytes | None:
    try:
        with open(PATH, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _temporary() -> str:
    return f"{os.path.realpath(PATH)}.benito-new"


def _replace(text: bytes) -> None:
    """Whole or not at all, with mode, owner and attributes as they are. A file that is mounted there can only be written into."""
    path, temporary = os.path.realpath(PATH), _temporary()
    try:
        if syscalls.is_mount_point(path):
            with open(path, "wb") as stream:
                stream.write(text)
            return
        found = os.stat(path)
        with open(temporary, "wb") as stream:
            os.fchown(stream.fileno(), found.st_uid, found.st_gid)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        shutil.copystat(path, temporary)
        os.utime(temporary)  # who caches the file looks at its time
        os.replace(temporary, path)
    except OSError as exc:
        raise HostError(f"cannot write {path}: {errno.errorcode.get(exc.errno, '')} {exc.strerror}") from exc
