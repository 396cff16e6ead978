# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write the kernel's settings of one network device, ``ipv6/accept_ra``, in the current network namespace."""

from __future__ import annotations

import os


def read_setting(name: str, setting: str) -> str | None:
    """Return the value of a setting of the device ``name``, or of ``all``. Return None if the kernel has no such setting or device. Raises OSError."""
    try:
        with open(_path(name, setting), encoding="ascii") as stream:
            return stream.read().strip()
    except FileNotFoundError:
        return None


def write_setting(name: str, setting: str, value: str) -> None:
    """Set it. Raises OSError, also when the kernel has no such setting or device."""
    fd = os.open(_path(name, setting), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _path(name: str, setting: str) -> str:
    family, _slash, leaf = setting.partition("/")
    return f"/proc/sys/net/{family}/conf/{name}/{leaf}"
