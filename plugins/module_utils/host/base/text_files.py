# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files of the host that need not be there, or that a node may have replaced."""

from __future__ import annotations

import errno
import os
import stat

_WIDTH = 200  # bytes that are read for each line
_AT_LEAST, _AT_MOST = 8192, 1 << 20  # bytes


def text_or_none(path: str) -> str | None:
    """Return the text of a file, None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return None


def read_end(path: str, lines: int) -> str:
    """Return about the last ``lines`` lines of a log, which has to be cleaned. Raises OSError, also when it is no regular file."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as stream:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        most = min(max(lines * _WIDTH, _AT_LEAST), _AT_MOST)
        stream.seek(max(0, found.st_size - most))
        return stream.read(most).decode(errors="replace")
