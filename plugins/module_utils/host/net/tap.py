# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make and open tap devices, which netlink cannot make."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from ...errors import HostError
from ..base.os_errors import holders_of_tap, why

_TUNSETIFF, _TUNSETPERSIST, _TUNSETOWNER = 0x400454CA, 0x400454CB, 0x400454CC
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000


def make_tap(name: str) -> None:
    """Make a persistent tap that root may open without further capabilities. Raises HostError."""
    fd = open_tap(name)
    try:
        fcntl.ioctl(fd, _TUNSETOWNER, 0)
        fcntl.ioctl(fd, _TUNSETPERSIST, 1)
    except OSError as exc:
        raise HostError(f"tap {name}: {why(exc)}") from exc
    finally:
        os.close(fd)


def open_tap(name: str) -> int:
    """Return a descriptor of the tap, which is made if it is not there. Raises HostError."""
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    except OSError as exc:
        raise HostError(f"/dev/net/tun: {exc.strerror}: this host cannot make taps, which virtual machines need") from exc
    try:
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR))
    except OSError as exc:
        os.close(fd)
        holders = holders_of_tap(name) if exc.errno == errno.EBUSY else ""
        raise HostError(f"tap {name}: {f'{exc.strerror}: it is in use by {holders}' if holders else why(exc)}") from exc
    return fd
