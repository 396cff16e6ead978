# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a node that has a system of its own (openvz, qemu), as files over that system: names, addresses, routes.

One run of ``ip`` sets everything up, ten times faster than systemd-networkd. The image needs systemd, a POSIX shell and iproute2.
"""

from __future__ import annotations

import ipaddress
import shlex
from dataclasses import dataclass

from ...hostplan import HostPlan, InterfacePlan, VnodePlan
from .clone_agent import IS_SET, WAIT

NETWORK_UNIT = "benito-network.service"
MACHINE_COMMAND = "/bin/sh /var/benito/lib/network-up"
"""The command of a qemu node's network unit."""
_LINES = "var/benito/lib/network"

_UNIT = """\
[Unit]
Description=Benito network: interfaces, addresses and routes of this node
DefaultDependencies=no
Before=network-pre.target network.target systemd-sysctl.service ssh.service shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command}
"""


def waits(what: str) -> str:
    """Return the line at which a script waits in a warm template until the clone has become a node."""
    pipe = f"{WAIT}{what}"
    return f"[ ! -p {pipe} ] || read -r _go < {pipe}"


# The kernel numbers cards as it finds them. If one must get the name of another, all are first renamed to temporary names. A card that is not
# in the plan (another vhost's wire) gives up its name.
MACHINE_SCRIPT = r"""# Written by deter.benito. Sets this node's interfaces up: names by MAC address, then addresses and routes.
WAIT
. /var/benito/lib/network
cd /sys/class/net || exit 1
tries=0
while :; do
    missing=$count clash= direct= others= away= back=
    for card in *; do
        read -r mac < "$card/address" || continue
        case " $cards" in
            *" $mac="*) ;;
            *"=$card "*) others="${others}link set dev $card name benito-$card
" && continue ;;
            *) continue ;;
        esac
        name=${cards#*"$mac="}
        name=${name%% *}
        missing=$((missing - 1))
        [ "$card" != "$name" ] || continue
        [ ! -e "$name" ] || clash=yes
        direct="${direct}link set dev $card name $name
"
        away="${away}link set dev $card name benito$missing
"
        back="${back}link set dev benito$missing name $name
"
    done
    [ "$missing" -gt 0 ] && [ "$tries" -lt 300 ] || break
    tries=$((tries + 1))
    sleep 0.1
done
[ -z "$clash" ] || direct=$others$away$back
if printf '%s' "$direct" "$lines" | ip -force -batch - && [ "$missing" = 0 ]; then
    : > IS_SET
else
    echo "not all interfaces of this node could be set up; $missing of $count are missing" >&2
    exit 1
fi
""".replace("IS_SET", IS_SET).replace("WAIT", waits("network"))


@dataclass(frozen=True)
class GuestFile:
    """A file, or a symbolic link if it has a ``target``."""

    text: str = ""
    mode: int = 0o644
    target: str = ""


def container_network(plan: HostPlan, vnode: VnodePlan, control_mtu: int) -> dict[str, GuestFile]:
    """Return the files that set up the interfaces of an openvz node at each boot, {path: file}. The interfaces have their names already.

    control_mtu  of the control network, bytes
    """
    return {_LINES: GuestFile(_lines(plan, vnode, control_mtu)), **_unit(f"-ip -force -batch /{_LINES}")}


def machine_network(plan: HostPlan, vnode: VnodePlan, control_mtu: int) -> dict[str, GuestFile]:
    """Return the files that name and set up the interfaces of a qemu node, {path: file}. For images that the collection builds."""
    named = {vnode.control.mac_address: vnode.control.interface} if vnode.control else {}
    named.update({interface.mac_address: interface.name for interface in vnode.interfaces})
    values = {"count": str(len(named)), "cards": "".join(f"{mac}={name} " for mac, name in named.items()), "lines": _lines(plan, vnode, control_mtu)}
    return {
        _LINES: GuestFile("".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())),
        "var/benito/lib/network-up": GuestFile(MACHINE_SCRIPT, 0o755),
        **_unit(MACHINE_COMMAND),
    }


def unit_text(command: str) -> str:
    """Return the unit that sets the interfaces up by this command."""
    return _UNIT.format(command=command)


def _unit(command: str) -> dict[str, GuestFile]:
    """Return the unit, and the link that starts it at boot."""
    return {
        f"etc/systemd/system/{NETWORK_UNIT}": GuestFile(unit_text(command)),
        f"etc/systemd/system/sysinit.target.wants/{NETWORK_UNIT}": GuestFile(target=f"/etc/systemd/system/{NETWORK_UNIT}"),
    }


def addresses(vnode: VnodePlan) -> list[tuple[str, str]]:
    """Return (interface, address without prefix length) of each interface with an address."""
    found = [(vnode.control.interface, vnode.control.ip4_address)] if vnode.control else []
    found += [(interface.name, interface.ip4_address) for interface in vnode.interfaces]
    return [(name, address.split("/")[0]) for name, address in found if address]


def routes_of(vnode: VnodePlan, interface: InterfacePlan) -> list[tuple[str, str]]:
    """Return (prefix, gateway) of the routes through this interface: those whose gateway is on its subnet."""
    if not interface.ip4_address:
        return []
    subnet = ipaddress.IPv4Interface(interface.ip4_address).network
    return [(route.to, route.via) for route in vnode.routes if ipaddress.IPv4Address(route.via) in subnet]


def _lines(plan: HostPlan, vnode: VnodePlan, control_mtu: int) -> str:
    """Return the batch of commands for ip, one per line."""
    mtu = {substrate.name: substrate.mtu for substrate in plan.substrates}
    lines: list[str] = []
    if vnode.control:
        lines += _interface(vnode.control.interface, control_mtu, vnode.control.ip4_address)
        lines += [f"route replace default via {vnode.control.gateway} dev {vnode.control.interface}"] if vnode.control.gateway else []
    for interface in vnode.interfaces:
        lines += _interface(interface.name, mtu[interface.substrate], interface.ip4_address)
        lines += [f"route replace {to} via {via}" for to, via in routes_of(vnode, interface)]
    return "".join(f"{line}\n" for line in lines)


def _interface(name: str, mtu: int, address: str) -> list[str]:
    lines = [f"link set dev {name} addrgenmode none", f"link set dev {name} mtu {mtu}"]
    return [*lines, *([f"address replace {address} brd + dev {name}"] if address else []), f"link set dev {name} up"]
