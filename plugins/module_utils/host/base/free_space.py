# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep images from filling a disk. A few bytes may unpack to terabytes, so both controller and vhosts count what they write.

Everything that fetches or unpacks an image sends its bytes through ``copy``.
"""

from __future__ import annotations

import os

from ...errors import HostError

TYPE_CHECKING = False  # typing, which has it, takes longer to read than all that is imported here
if TYPE_CHECKING:
    from typing import IO

MOST_BYTES = 64 << 30
"""The most bytes that one image may have, fetched or unpacked, holes included."""
LEAST_RESERVE = 1 << 30
"""Bytes of a file system that images leave free. On a large one they leave ``_RESERVED_SHARE`` of it, but no more than ``_MOST_RESERVE``."""
_MOST_RESERVE = 10 << 30
_RESERVED_SHARE = 0.05
_CHUNK = 1 << 20
_STEP = 4 << 20


class WriteLimit:
    """A count of the bytes that are written for one image to the file system of ``directory``.

    what  the image, for messages
    """

    def __init__(self, directory: str, what: str):
        self._directory, self._what = directory, what
        self._size = self._checked_at = 0

    def require(self, size: int) -> None:
        """Check that a file of ``size`` bytes fits. Raises HostError."""
        self._refuse_more_than_most(size)
        require_room(self._directory, self._what, size)

    def add(self, size: int) -> None:
        """Count ``size`` more bytes. Raises HostError when the image is too large, or too little space is left."""
        self._size += size
        self._refuse_more_than_most(self._size)
        if self._size >= self._checked_at:
            self._checked_at = self._size + _STEP
            require_room(self._directory, self._what)

    def _refuse_more_than_most(self, size: int) -> None:
        if size > MOST_BYTES:
            raise HostError(f"{self._what} has more than {MOST_BYTES >> 30} GiB, which is too much for an image")


def copy(source: IO[bytes], target: IO[bytes], limit: WriteLimit) -> None:
    """Copy all bytes, of which ``limit`` counts each before it is written. Raises HostError, OSError."""
    while True:
        block = source.read(_CHUNK)
        if not block:
            return
        limit.add(len(block))
        target.write(block)


def require_room(directory: str, what: str, size: int = 0) -> None:
    """Check that the file system of ``directory`` can take ``size`` more bytes, and files. Raises HostError."""
    free, reserve = _free_and_reserve(directory)
    if free - size < reserve:
        needed = f"needs {size >> 20} MiB: " if size else "does not fit: "
        raise HostError(f"{what} {needed}{directory} has {free >> 20} MiB free, of which {reserve >> 20} MiB stay free for others")
    found = os.statvfs(directory)
    if found.f_files and found.f_favail < found.f_files * _RESERVED_SHARE:
        raise HostError(f"{what} does not fit: {directory} has room for only {found.f_favail} more files")


def room(directory: str) -> int:
    """Return how many bytes images may still take on the file system of ``directory``."""
    free, reserve = _free_and_reserve(directory)
    return max(0, free - reserve)


def _free_and_reserve(directory: str) -> tuple[int, int]:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize, max(LEAST_RESERVE, min(_MOST_RESERVE, int(found.f_blocks * found.f_frsize * _RESERVED_SHARE)))
