# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks whether this machine's kernel supports pnodes and their nodes. Each ability is tried, not read from a configuration.

Each probe uses the ability in namespaces of its own, so that it leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass

from ..commands import run
from ..errors import HostError

_OVERLAY = """
cd "$1"; mkdir lower upper work merged; touch lower/removed
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
rm merged/removed; touch merged/made; test -e upper/made; test -c upper/removed; mkdir merged/removed
"""

_NAT = """
nft -f - <<'RULES'
table inet benito_probe {
  chain nat { type nat hook postrouting priority srcnat; policy accept; ip saddr 192.0.2.0/24 masquerade; }
  chain filter { type filter hook forward priority filter; policy accept; ct state established,related accept; }
}
RULES
echo 1 > /proc/sys/net/ipv4/ip_forward
"""

_BRIDGE = "ip link add ba type bridge; ip link add va type veth peer name vb; ip link set va master ba up"

_CGROUP = """
test -d /sys/fs/cgroup/systemd && top=/sys/fs/cgroup/systemd || top=/sys/fs/cgroup
test -e $top/cgroup.procs || { echo "no hierarchy with processes is mounted under /sys/fs/cgroup" >&2; exit 1; }
mkdir $top/benito-probe-$$; rmdir $top/benito-probe-$$
"""


@dataclass(frozen=True)
class Probe:
    """One ability of the kernel: its name, its purpose, and a shell script that fails without it ($1: a scratch directory)."""

    ability: str
    needed_for: str
    script: str
    namespaces: tuple[str, ...] = ("--net", "--mount")


PROBES = (
    Probe("network namespaces", "pnodes and process vnodes", "true", ("--net",)),
    Probe("mount namespaces", "pnodes and process vnodes", "true", ("--mount",)),
    Probe("PID namespaces", "pnodes", "true", ("--pid", "--fork")),
    Probe("UTS namespaces", "host names of pnodes and process vnodes", "true", ("--uts",)),
    Probe("IPC namespaces", "pnodes", "true", ("--ipc",)),
    Probe("cgroup namespaces", "pnodes", "true", ("--cgroup",)),
    Probe("cgroups", "pnodes, and ending a vnode's processes", _CGROUP, ()),
    Probe("overlayfs", "the root file systems of pnodes", _OVERLAY, ("--mount",)),
    Probe("veth", "the interfaces of pnodes and process vnodes", "ip link add va type veth peer name vb"),
    Probe("bridge", "control and experiment networks, substrates", _BRIDGE),
    Probe("VXLAN", "substrates that span pnodes", "ip link set lo up; ip link add vx type vxlan id 42 dstport 4789 local 127.0.0.1"),
    Probe("TAP devices (/dev/net/tun)", "virtual machines on pnodes", "ip tuntap add ta mode tap"),
    Probe("nftables NAT and connection tracking", "the pnodes' access to package archives", _NAT),
)


def lacking(scratch: str, probes: tuple[Probe, ...] = PROBES) -> tuple[str, ...]:
    """Return one line for each probe that fails, in order; none if the kernel has every ability.

    scratch  the pnodes' directory; its nearest existing parent is used, and left unchanged
    """
    while not os.path.isdir(scratch):
        scratch = os.path.dirname(scratch)
    with tempfile.TemporaryDirectory(prefix=".benito-probe-", dir=scratch) as directory:
        lines = []
        for number, probe in enumerate(probes):
            own = os.path.join(directory, str(number))
            os.mkdir(own)
            failure = _try(probe, own)
            if failure:
                lines.append(f"{probe.ability}, needed for {probe.needed_for}: {failure}")
        return tuple(lines)


def check(scratch: str) -> None:
    """Raise HostError that names every ability that this kernel lacks, if it lacks any."""
    lines = lacking(scratch)
    if lines:
        raise HostError("this machine's kernel does not support a local testbed. Nothing was made. It lacks:\n" + "\n".join(f"  - {line}" for line in lines))


def _try(probe: Probe, directory: str) -> str:
    """Return why the probe failed, as the tool reported it; "" when it succeeded."""
    unshare = ("unshare", *probe.namespaces) if probe.namespaces else ()
    if unshare and not shutil.which("unshare"):
        return "the command unshare is not installed on this machine (package util-linux)"
    try:
        done = run(*unshare, "sh", "-ec", probe.script, "probe", directory, check=False, seconds=20)
    except HostError as exc:
        return str(exc)
    if not done.returncode:
        return ""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return lines[0] if lines else f"exit status {done.returncode}"
