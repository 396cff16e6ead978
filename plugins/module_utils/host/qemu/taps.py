# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The taps of virtual machines: made by us, persistent, on their bridges, with our mark; QEMU only opens them."""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from ...errors import HostError
from ...hostplan import HostPlan, VnodePlan
from ...names import CONTROL
from ..base.paths import ExperimentPaths
from ..net import netlink
from ..net.netlink import IFF_UP, Batch
from ..net.substrates import ours, port_attributes

_TUNSETIFF, _TUNSETPERSIST, _TUNSETOWNER = 0x400454CA, 0x400454CB, 0x400454CC
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000


def apply_taps(plan: HostPlan, vnodes: list[VnodePlan], paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Have every tap of these nodes, up on its bridge. Returns changes in words. Raises HostError."""
    live = netlink.links()
    bridges = {substrate.name: substrate.bridge for substrate in plan.substrates}
    mtu = {substrate.name: substrate.mtu for substrate in plan.substrates}
    control_mtu = mtu_of_control(live)
    changes, batch = [], Batch()
    for vnode in vnodes:
        wires = [(vnode.control.port, CONTROL, CONTROL, control_mtu)] if vnode.control else []
        wires += [(wire.port, wire.name, bridges[wire.substrate], mtu[wire.substrate]) for wire in vnode.interfaces]
        wires += [(wire.port, f"uplink-{wire.substrate}", bridges[wire.substrate], mtu[wire.substrate]) for wire in vnode.uplinks]
        for port, name, bridge, size in wires:
            changes += _tap(batch, paths, live, port, f"{vnode.name}:{name}", bridge, size, dry_run)
    if not dry_run:
        batch.send()
    return changes


def mtu_of_control(live: dict) -> int:
    """The most that the bridge of the control network carries; larger packets it would lose in silence."""
    return live.get(CONTROL, {}).get("mtu", 1500)


def _tap(batch: Batch, paths: ExperimentPaths, live: dict, port: str, whose: str, bridge: str, mtu: int, dry_run: bool) -> list[str]:
    found, what = live.get(port), f"tap {port} of {whose}"
    if found and not ours(found, paths):
        raise HostError(f"{what}: a device of that name exists on this host and is not this experiment's")
    if bridge == CONTROL and CONTROL not in live:
        raise HostError(f"{what}: there is no bridge {CONTROL} on this host: the role deter.benito.control_bridge makes it")
    if found and found.get("master") == bridge and found["mtu"] == mtu and "UP" in found["flags"]:
        return []
    if not dry_run:
        if not found:
            make_tap(port)
        attributes = [("IFLA_IFNAME", port), ("IFLA_MTU", mtu), ("IFLA_GROUP", paths.group)]
        batch.link(what, attrs=[*attributes, *port_attributes(f"{paths.mark}port:{whose}", socket.if_nametoindex(bridge))])
        batch.link(what, {"flags": IFF_UP, "change": IFF_UP}, [("IFLA_IFNAME", port)])
    return [f"{what}: {'put on ' + bridge if found else 'made'}"]


def make_tap(name: str) -> None:
    """A persistent tap that root may open without further capabilities. Raises HostError."""
    fd = open_tap(name)
    try:
        fcntl.ioctl(fd, _TUNSETOWNER, 0)
        fcntl.ioctl(fd, _TUNSETPERSIST, 1)
    except OSError as exc:
        raise HostError(f"tap {name}: {exc.strerror}") from exc
    finally:
        os.close(fd)


def open_tap(name: str) -> int:
    """A descriptor of the tap, which is made if it is not there. Raises HostError."""
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    except OSError as exc:
        raise HostError(f"/dev/net/tun: {exc.strerror}: this host cannot make taps, which virtual machines need") from exc
    try:
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR))
    except OSError as exc:
        os.close(fd)
        raise HostError(f"tap {name}: {exc.strerror}") from exc
    return fd
