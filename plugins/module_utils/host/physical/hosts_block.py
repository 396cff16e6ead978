# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep an experiment's names in the host's own /etc/hosts: one block between two lines that name the experiment.

The block comes first, so the experiment's names win. What was there before follows it byte for byte. Removing the block
leaves the file as it was, with whatever others have changed in it since.
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
    """Write exactly these lines into the experiment's block. Return the changes as text. Raises HostError."""
    text = _read()
    if text is None:
        raise HostError(f"{PATH}: this host has no such file for the experiment's names: create it")
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
    """Remove the block. Return the changes as text. Raises HostError when the block has no end."""
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


def _blocks(paths: ExperimentPaths) -> re.Pattern[bytes]:
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
    """Replace the file whole or not at all, and keep its mode, owner and attributes. A file that is a mount point can only be written into."""
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
        os.utime(temporary)  # caches of the file look at its time
        os.replace(temporary, path)
    except OSError as exc:
        raise HostError(f"cannot write {path}: {errno.errorcode.get(exc.errno or 0, '')} {exc.strerror}") from exc
