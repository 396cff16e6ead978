# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock on a file between processes of one machine. Shared by the controller and benito-host: Python 3.9, standard library."""

from __future__ import annotations

import fcntl
import os


def take_lock(path: str, lock_type: int = fcntl.LOCK_EX) -> int | None:
    """Return an open descriptor that holds the lock on the file ``path``. Closing it releases the lock.

    The file and its folder are made as needed. A holder may remove the file before it releases the lock: then the locked file has no
    name any more, and excludes nobody. In that case return None; the caller tries again.
    Raises BlockingIOError when another process holds the lock, other OSErrors when the file cannot be made.
    """
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # the last holder removed the folder, too
        return None
    try:
        fcntl.flock(descriptor, lock_type | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
