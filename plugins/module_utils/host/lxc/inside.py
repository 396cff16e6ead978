# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the init of a running openvz node, and look at the network that the node has given itself.

Root inside is hostile, so only the kernel is asked, by netlink in the network namespace of the node, and no list is read beyond a bound.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import HostError
from ...hostplan import VnodePlan
from ..base.syscalls import CLONE_NEWNET, setns
from ..net.inside import MOST, Inside, differences, look_inside


class NodeEndedError(HostError):
    """The node does not run any more."""


def init_of(lxc_start: int) -> int:
    """Return the process id of the node's init, the child of the unit's main process. Raises NodeEndedError."""
    try:
        with open(f"/proc/{lxc_start}/task/{lxc_start}/children", encoding="ascii") as stream:
            return int(stream.read().split()[0])
    except (OSError, IndexError, ValueError) as exc:
        raise NodeEndedError("the node ended while benito-host was looking at it") from exc


def differences_inside(vnode: VnodePlan, lxc_start: int, mtus: dict[str, int]) -> list[str]:
    """Return how the network inside a node differs from the plan, as text; [] if the node has ended meanwhile.

    lxc_start  process id of its unit's main process
    mtus       {substrate: its MTU}, with that of the control network
    """
    try:
        return differences(vnode, _look(init_of(lxc_start)), mtus)
    except NodeEndedError:
        return []
    except HostError as exc:
        return [f"was not compared: {exc}"]


def _look(init: int) -> Inside:
    with _network_of(init):
        return look_inside(MOST)


@contextmanager
def _network_of(init: int) -> Iterator[None]:
    """Be in the network namespace of the process ``init``. Raises NodeEndedError."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            there = os.open(f"/proc/{init}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as exc:
            raise NodeEndedError("the node ended while benito-host was looking at it") from exc
        try:
            if os.path.samestat(os.fstat(there), os.fstat(before)):  # it has the host's network, so it is not the node any more
                raise NodeEndedError("the node ended while benito-host was looking at it")
            setns(there, CLONE_NEWNET)
        finally:
            os.close(there)
        yield
    finally:
        setns(before, CLONE_NEWNET)
        os.close(before)
