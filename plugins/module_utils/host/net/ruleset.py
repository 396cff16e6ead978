# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packet filter of an experiment as nft reads it. Pure text.

Two tables keep the nodes of an experiment away from the host. Both look only at devices and identifiers of their own experiment, so
two experiments on a shared vhost do not disturb each other.

* In ``inet``, the host neither takes nor routes a packet that arrived by a device of the experiment, and a tunnel takes packets only
  from planned peers, by the underlay's device.
* In ``bridge``, no frame leaves a bridge upwards to the host. Frames from node to node are not looked at. What nodes send to the
  control network is in control_rules.py.

Both tables also give PASS_MARK to what crosses bridges between nodes, and to packets of planned peers. Other programs' filters pass
packets with that mark, see foreign_filters.py. A mark does not leave the host: the kernel removes it where a packet enters another
network namespace.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ...hostplan import HostPlan, Tunnel
from ..base.paths import ExperimentPaths
from .control_rules import ControlSide, control_rules

FAMILIES = ("inet", "bridge")
PASS_MARK = 0x3062
"""The packet mark of experiments. It has no bit that Kubernetes, Calico, Cilium, Tailscale or Weave match on."""
MARKING = -310  # priority of the chains that set it: before those of ebtables, iptables and everything else that is usual
_FIRST = -300  # priority
_SET_MARK = f"meta mark set {PASS_MARK:#x}"


def is_needed(plan: HostPlan) -> bool:
    """Return whether this host has devices of the experiment that nodes are attached to."""
    return bool(plan.substrates or _control_ports(plan))


def ruleset(plan: HostPlan, paths: ExperimentPaths, underlay: str, control: ControlSide, cards: Iterable[str] = (), most_addresses: int = 0,
            tracks: bool = True) -> str:
    """Return the tables.

    underlay        name of the device that carries the tunnels, "" when there are none
    control         the host's end of the control network
    cards           names of the host's own network cards that are members of bridges
    most_addresses  how many MAC addresses nodes may send from, where bridges cannot bound that themselves; else 0
    tracks          whether the kernel can track connections. A rule about that would load its module
    """
    cards = tuple(cards)
    return "".join([_table(paths, "inet", [*_arrivals(plan, paths), *_untracked(plan, paths, tracks), *_tunnels(plan, underlay)]),
                    _table(paths, "bridge", [*_marks(plan, paths, cards), *_inputs(plan, paths, cards), *_senders(paths, most_addresses),
                                             *_control(plan, control)])])


def _table(paths: ExperimentPaths, family: str, lines: Iterable[str]) -> str:
    return "\n".join([f"table {family} {paths.nft_table} {{", *(f"  {line}" for line in lines), "}"]) + "\n"


def _chain(name: str, hook: str, priority: int, rules: Iterable[str]) -> list[str]:
    return [f"chain {name} {{", f"  type filter hook {hook} priority {priority}; policy accept;", *(f"  {rule}" for rule in rules), "}"]


def _arrivals(plan: HostPlan, paths: ExperimentPaths) -> list[str]:
    """Drop what arrives at the host by a device of the experiment. Only the interfaces of an embedded pnode are its own."""
    own = _own(plan)
    mine = f"iifgroup {paths.group} iifname != {own}" if own else f"iifgroup {paths.group}"
    taken = [f"{mine} drop"]
    if own:  # the kernel obeys redirects where the interface or the whole host does
        taken += [f"iifname {own} icmp type redirect drop", f"iifname {own} icmpv6 type nd-redirect drop"]
    # br_netfilter shows the packets that cross a bridge to the hooks prerouting and forward, with the bridge as both devices
    routed = [f"{mine} oifgroup != {paths.group} drop"] + ([f"iifname {own} oifname {own} {_SET_MARK}"] if own else [])
    return _chain("arrivals", "input", _FIRST, taken) + _chain("routed", "forward", _FIRST, routed)


def _own(plan: HostPlan) -> str:
    """Return the set of the interfaces of the node that is this machine, "" when it is none."""
    return _devices(interface.name for vnode in plan.vnodes if vnode.kind == "embedded_pnode" for interface in vnode.interfaces)


def _untracked(plan: HostPlan, paths: ExperimentPaths, tracks: bool) -> list[str]:
    """Keep what crosses a bridge out of the host's connection tracking, so that no address translation of the host rewrites it.

    br_netfilter would have it tracked. Nodes of two experiments may use the same addresses, and those of the host's containers.
    """
    if not plan.substrates:
        return []
    own = _own(plan)
    mine = f"iifgroup {paths.group} iifname != {own}" if own else f"iifgroup {paths.group}"
    # its interfaces are in the network namespace of the bridges, so packets still have the mark; the machine's own filter decides about them
    rules = [*([f"{mine} notrack"] if tracks else []), *([f"iifname {own} meta mark set 0"] if own else [])]
    return _chain("untracked", "prerouting", MARKING, rules) if rules else []


def _marks(plan: HostPlan, paths: ExperimentPaths, cards: Iterable[str]) -> list[str]:
    """Mark frames between nodes, before any other program's chain sees them.

    Of what comes in by the control network only frames that a bridge hands on are marked: others are for the host.
    """
    control, members = _devices(_control_ports(plan)), _devices(cards)
    arriving = [f"iifgroup {paths.group} iifname != {control} {_SET_MARK}" if control else f"iifgroup {paths.group} {_SET_MARK}"] if plan.substrates else []
    arriving += [f"iifname {members} {_SET_MARK}"] if members else []
    crossing = [f"{way} {paths.group} {_SET_MARK}" for way in ("iifgroup", "oifgroup")]
    return (_chain("marked", "prerouting", MARKING, arriving) if arriving else []) + _chain("crossing", "forward", MARKING, crossing)


def _tunnels(plan: HostPlan, underlay: str) -> list[str]:
    """Drop packets of the experiment's tunnels that do not come from a planned peer by the underlay. This looks at whole packets, not at fragments."""
    tunnels = [substrate.tunnel for substrate in plan.substrates if substrate.tunnel]
    if not tunnels:
        return []
    ports: dict[int, list[Tunnel]] = defaultdict(list)
    for tunnel in tunnels:
        ports[tunnel.port].append(tunnel)
    rules = [f"udp dport {port} {_of_tunnels(some)} goto tunnels_{port}" for port, some in ports.items()]
    # a rule goes only to a chain that is there
    return [line for port, some in ports.items() for line in _tunnels_of_port(port, some, underlay)] + _chain("tunnels", "input", MARKING, rules)


def _tunnels_of_port(port: int, tunnels: list[Tunnel], underlay: str) -> list[str]:
    """Return the chain for packets of these tunnels. Tunnels with the same peers share a rule."""
    peers: dict[tuple[str, ...], list[Tunnel]] = defaultdict(list)
    for tunnel in tunnels:
        peers[tunnel.remotes].append(tunnel)
    rules = [f'iifname != "{underlay}" drop', "meta nfproto ipv6 drop"]
    for remotes, some in peers.items():
        which = f"{_of_tunnels(some)} " if len(peers) > 1 else ""
        rules += [f"{which}ip saddr != {_set(remotes)} drop"] if remotes else []
    rules.append(_SET_MARK)
    return [f"chain tunnels_{port} {{", *(f"  {rule}" for rule in rules), "}"]


def _of_tunnels(tunnels: Iterable[Tunnel]) -> str:
    """Return what matches VXLAN packets of these tunnels. Their identifier is 96 bits into the UDP packet."""
    return f"@th,96,24 {_set(str(tunnel.vni) for tunnel in tunnels)}"


def _inputs(plan: HostPlan, paths: ExperimentPaths, cards: Iterable[str]) -> list[str]:
    """Drop frames that bridges of the experiment would hand to the host. Ports of the control network are not on such bridges."""
    control, members = _devices(_control_ports(plan)), _devices(cards)
    rules = [f"iifgroup {paths.group} iifname != {control} drop" if control else f"iifgroup {paths.group} drop"]
    rules += [f"iifname {members} drop"] if members else []
    return _chain("inputs", "input", _FIRST, rules)


def _senders(paths: ExperimentPaths, most_addresses: int) -> list[str]:
    """Bound the MAC addresses that bridges learn. When the set is full, frames from further addresses are dropped until others were silent for long."""
    if not most_addresses:
        return []
    rules = [f"iifgroup {paths.group} update @learned {{ ether saddr }} accept", f"iifgroup {paths.group} drop"]
    learned = ["set learned {", "  type ether_addr", f"  size {most_addresses}", "  flags dynamic,timeout", "  timeout 5m", "}"]
    return [*learned, *_chain("senders", "prerouting", _FIRST, rules)]


def _control(plan: HostPlan, control: ControlSide) -> list[str]:
    rules = control_rules(plan, control)
    return _chain("control", "prerouting", _FIRST, rules) if rules else []


def _control_ports(plan: HostPlan) -> list[str]:
    return [vnode.control.port for vnode in plan.vnodes if vnode.control and not vnode.ghost]


def _devices(names: Iterable[str]) -> str:
    """Return an anonymous set of names of devices, "" when there are none."""
    return _set(f'"{name}"' for name in names)


def _set(items: Iterable[str]) -> str:
    """Return an anonymous set, "" when it would be empty."""
    text = ", ".join(sorted(items))
    return f"{{ {text} }}" if text else ""
