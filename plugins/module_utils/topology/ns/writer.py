# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer of NS files for Emulab, DETER and this collection. It preserves nodes, links, addresses and shaping.

A substrate with two members becomes a duplex-link, one with more a make-lan. Hops that differ are set one by one.
"""

from __future__ import annotations

import re

from ...errors import InputError, Problem
from ..attributes import IP4_ADDRESS, IP4_NETMASK, LATENCY_MODEL, LOSS, LOSS_MODEL, PREFIX, RX_LATENCY, RX_LOSS, RX_RATE, STARTUP, containers_name
from ..checks import check_deployable
from ..model import Computer, Element, Software, Substrate, Topology
from ..scope import named, shown
from .hops import Port, ports_of, way_between
from .network import HopProfile
from .quoting import TCL_COMMANDS, Variables, quoted
from .testbed_commands import is_shared
from .units import SMALLEST_KBPS, SMALLEST_LOSS

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_OPTION = re.compile(r"[-_0-9A-Za-z]+")
_NUMBERED = re.compile(r"inf[0-9]{3,}")
_DEFAULT_MASK = "255.255.255.0"
_LARGEST_KBPS = 10_000_000
_LONGEST_MS = 1e9
# Attributes with a command of their own.
_OF_NODES = {"type": "tb-set-hardware", "fixed": "tb-fix-node", "testbed": "tb-set-node-testbed", STARTUP: "tb-set-node-startcmd"}
_OF_INTERFACES = (RX_RATE, RX_LATENCY, RX_LOSS)


def write_ns(topology: Topology, physical: bool = False) -> tuple[str, tuple[Problem, ...]]:
    """Return (the NS file's text, warnings about content it cannot express).

    physical  whether the computers are physical machines, which may have the reserved names of such

    Raises InputError if the topology is not deployable, or has names that NS does not allow.
    """
    if not physical:
        check_deployable(topology)
    writer = _Writer(topology)
    writer.refuse_names()
    writer.write()
    return "\n".join(writer.lines) + "\n", tuple(writer.warnings)


class _Writer:
    """An NS file being written."""

    def __init__(self, topology: Topology):
        self.topology = topology
        self.lines: list[str] = []
        self.warnings: list[Problem] = []
        self.members = topology.attachments()
        self.variables = Variables([*(one.name for one in topology.computers), *(one.name for one in topology.substrates)])

    def warn(self, element: Element, label: str, message: str, hint: str = "") -> None:
        self.warnings.append(Problem(message, self.topology.source, element.line, label, hint))

    def add(self, *words: str) -> None:
        self.lines.append(" ".join(words))

    def refuse_names(self) -> None:
        problems = []
        first: dict[str, str] = {}
        things = [("computer", one) for one in self.topology.computers] + [("substrate", one) for one in self.topology.substrates]
        for kind, thing in things:
            label = named(kind, thing.name)
            if not _NAME.fullmatch(thing.name):
                problems.append(Problem(f"{shown(thing.name)} is no name in an NS file", self.topology.source, thing.line, label, "letters, digits and '-'"))
            elif thing.name in TCL_COMMANDS:
                problems.append(Problem(f"{thing.name} means something else in an NS file", self.topology.source, thing.line, label, "another name"))
            elif thing.name in first:
                problems.append(Problem(f"an NS file cannot have a {first[thing.name]} and a {kind} of one name", self.topology.source, thing.line, label))
            first.setdefault(thing.name, kind)
        for name, ports in self.members.items():
            computers = [computer.name for computer, _interface in ports]
            for twice in sorted({computer for computer in computers if computers.count(computer) > 1} if len(set(computers)) < len(computers) else ()):
                problems.append(Problem("an NS file cannot attach a node twice", self.topology.source, 0, f"substrate {name}, computer {twice}"))
        if problems:
            raise InputError(problems)

    def write(self) -> None:
        self.add("set", self.variables.simulator, "[new Simulator]")
        self.add("source tb_compat.tcl")
        self._root()
        for computer in self.topology.computers:
            self.add("set", self.variables.target(computer.name), f"[${self.variables.simulator} node]")
        for substrate in self.topology.substrates:
            self._substrate(substrate)
        for computer in self.topology.computers:
            self._computer(computer)
        self._warn_of_interface_names()
        protocol = next((one.value for one in self.topology.attributes if one.name == f"{PREFIX}rtproto"), None)
        if protocol is not None:
            self.add(f"${self.variables.simulator} rtproto", quoted(protocol))
        self.add(f"${self.variables.simulator} run")

    def _warn_of_interface_names(self) -> None:
        """Warn once of all names of interfaces that are lost: an NS file numbers interfaces."""
        own = [
            f"{interface.name} of {computer.name}"
            for computer in self.topology.computers
            for interface in computer.interfaces
            if not _NUMBERED.fullmatch(interface.name)
        ]
        if own:
            listed = ", ".join(own[:6]) + (f" and {len(own) - 6} more" if len(own) > 6 else "")
            self.warn(self.topology, "", f"names of interfaces have no place in an NS file; they will be inf000, inf001, …: {listed}")

    # --- the whole ---------------------------------------------------------------------------

    def _root(self) -> None:
        for attribute in self.topology.attributes:
            name, value = attribute.name, attribute.value
            if name.startswith(f"{PREFIX}env:") and _OPTION.fullmatch(name.removeprefix(f"{PREFIX}env:")):
                self.add("set", f"opt({name.removeprefix(f'{PREFIX}env:')})", quoted(value))
            elif name.startswith(f"{PREFIX}vtype:"):
                self._vtype(name.removeprefix(f"{PREFIX}vtype:"), value)
            elif name == f"{PREFIX}ip_routing" and value in ("none", "ospf"):
                self.add("tb-set-ip-routing", value)
            elif name not in (f"{PREFIX}rtproto", f"{PREFIX}sync_server") and containers_name(name) != LATENCY_MODEL:
                self.warn(self.topology, "", f"the attribute {shown(name)} of the experiment has no place in an NS file")

    def _vtype(self, name: str, value: str) -> None:
        """Write a vtype, given as ``soft pc600 pc850``, ``hard …`` or ``0.5 …``."""
        strength, _space, types = value.partition(" ")
        if not types.strip():
            self.warn(self.topology, "", f"the vtype {shown(name)} names no type and is left out")
        elif strength in ("soft", "hard"):
            self.add(f"tb-make-{strength}-vtype", quoted(name), quoted(types))
        else:
            self.add("tb-make-weighted-vtype", quoted(name), quoted(strength), quoted(types))

    # --- links and LANs ------------------------------------------------------------------------

    def _substrate(self, substrate: Substrate) -> None:
        label = named("substrate", substrate.name)
        members = self.members[substrate.name]
        if len(members) < 2:
            self.warn(substrate, label, "has fewer than two members and is left out")
            return
        ports = ports_of(substrate, members, self.topology.latency_model)
        latencies = {(interface.latency or substrate.latency) for _computer, interface in members}
        if self.topology.latency_model == "path" and len(members) > 2 and len({one.time_ms if one else 0 for one in latencies}) > 1:
            self.warn(substrate, label, "its members have different latencies of whole ways; in the NS file each has half of its own, and they add up")
        if len(ports) == 2:
            self._link(substrate, label, *ports)
        else:
            self._lan(substrate, label, ports)
        self._of_substrate(substrate, ports)

    def _link(self, substrate: Substrate, label: str, first: Port, second: Port) -> None:
        there, back = way_between(first, second), way_between(second, first)
        nodes = [self.variables.value(port.computer.name) for port in (first, second)]
        numbers = self._numbers(substrate, label, there)
        call = f"[${self.variables.simulator} duplex-link {nodes[0]} {nodes[1]} {numbers[1]} {numbers[0]} DropTail]"
        self.add("set", self.variables.target(substrate.name), call)
        link = self.variables.value(substrate.name)
        same = _alike(there, back)
        if same and there.loss:
            self.add("tb-set-link-loss", link, numbers[2])
        if not same:
            self.add("tb-set-link-simplex-params", link, nodes[0], *numbers)
            self.add("tb-set-link-simplex-params", link, nodes[1], *self._numbers(substrate, label, back))

    def _lan(self, substrate: Substrate, label: str, ports: list[Port]) -> None:
        """Write a LAN with the numbers of its first member, then set each hop that differs."""
        usual = ports[0].out
        nodes = " ".join(self.variables.value(port.computer.name) for port in ports)
        hop = self._numbers(substrate, label, usual)
        whole = self._numbers(substrate, label, HopProfile(usual.delay_ms * 2, usual.kbps, 0))
        self.add("set", self.variables.target(substrate.name), f'[${self.variables.simulator} make-lan "{nodes}" {whole[1]} {whole[0]}]')
        lan = self.variables.value(substrate.name)
        for port in ports:
            node = self.variables.value(port.computer.name)
            if not (_alike(port.out, usual) and _alike(port.into, usual)):
                out, into = self._numbers(substrate, label, port.out), self._numbers(substrate, label, port.into)
                self.add("tb-set-lan-simplex-params", lan, node, *out, *into)
            elif usual.loss:
                self.add("tb-set-node-lan-loss", node, lan, hop[2])

    def _numbers(self, substrate: Substrate, label: str, hop: HopProfile) -> tuple[str, str, str]:
        """Return delay, bandwidth and loss in NS notation; warn of values that NS does not allow, and adjust them."""
        kbps, loss, delay = hop.kbps, hop.loss, hop.delay_ms
        if delay > _LONGEST_MS:
            self.warn(substrate, label, f"an NS file cannot have a delay of {delay:g} ms", f"at most {_LONGEST_MS:g} ms")
            delay = _LONGEST_MS
        if kbps and not SMALLEST_KBPS <= kbps <= _LARGEST_KBPS:
            self.warn(substrate, label, f"an NS file cannot have a bandwidth of {kbps} kb/s", f"{SMALLEST_KBPS} kb/s to 10 Gb/s")
            kbps = min(max(kbps, SMALLEST_KBPS), _LARGEST_KBPS)
        if 0 < loss < SMALLEST_LOSS:
            self.warn(substrate, label, "a loss below 0.000005 is left out")
            loss = 0.0
        return f"{_plain(delay)}ms", f"{kbps}kb" if kbps else "*", _plain(loss)

    def _of_substrate(self, substrate: Substrate, ports: list[Port]) -> None:
        """Write the attributes, addresses and queues of a substrate."""
        medium = self.variables.value(substrate.name)
        for attribute in substrate.attributes:
            if attribute.name == f"{PREFIX}cost":
                self.add(medium, "cost", quoted(attribute.value))
            elif attribute.name != LOSS and containers_name(attribute.name) != LOSS_MODEL:
                self.add("tb-add-network-attribute", medium, quoted(attribute.name), quoted(attribute.value))
        masks = {str(port.interface.attribute(IP4_NETMASK, _DEFAULT_MASK)) for port in ports if port.interface.attribute(IP4_ADDRESS)}
        if len(masks) > 1:
            self.warn(substrate, named("substrate", substrate.name), "its members have different netmasks; the NS file has one")
        for mask in sorted(masks - {_DEFAULT_MASK})[:1]:
            self.add("tb-set-netmask", medium, mask)
            if not mask.startswith("255.255."):
                self.warn(substrate, named("substrate", substrate.name), f"an NS file cannot have the netmask {mask}", "255.255.0.0 or smaller")
        for number, port in enumerate(ports):
            self._port(medium, port, number, len(ports))

    def _port(self, medium: str, port: Port, number: int, members: int) -> None:
        node = self.variables.value(port.computer.name)
        address = port.interface.attribute(IP4_ADDRESS)
        if address is not None:
            self.add("tb-set-ip-link" if members == 2 else "tb-set-ip-lan", node, medium, address)
        queue = f"[[${self.variables.simulator} lanlink {medium} {node}] queue]" if members > 2 else f"[{medium} set {'from' if number else 'to'}queue]"
        for attribute in port.interface.attributes:
            name = containers_name(attribute.name)
            if name in ("queue_limit", "queue_in_bytes"):
                self.add(queue, "set", "limit_" if name == "queue_limit" else "queue-in-bytes_", quoted(attribute.value))
            elif attribute.name not in (IP4_ADDRESS, IP4_NETMASK, LOSS) and name not in _OF_INTERFACES:
                self.add("tb-add-interface-attribute", node, medium, quoted(attribute.name), quoted(attribute.value))

    # --- nodes ---------------------------------------------------------------------------------

    def _computer(self, computer: Computer) -> None:
        node, label = self.variables.value(computer.name), named("computer", computer.name)
        seen = set()
        for attribute in computer.attributes:
            if attribute.name in seen:
                self.warn(computer, label, f"the attribute {shown(attribute.name)} stands twice; only the first counts and is written")
            elif attribute.name == "failureaction" and attribute.value in ("fatal", "nonfatal", "ignore"):
                if attribute.value != "fatal":
                    self.add("tb-set-node-failure-action", node, attribute.value)
            elif attribute.name in _OF_NODES:
                if (attribute.name, attribute.value) != ("type", "pc"):
                    self.add(_OF_NODES[attribute.name], node, quoted(attribute.value))
            elif attribute.name == f"{PREFIX}route":
                self._routes(computer, node, attribute.value)
            else:
                self.add("tb-add-node-attribute", node, quoted(attribute.name), quoted(attribute.value))
            seen.add(attribute.name)
        self._software(computer, node, label)
        if any(attribute.name == f"{PREFIX}sync_server" and attribute.value == computer.name for attribute in self.topology.attributes):
            self.add("tb-set-sync-server", node)

    def _routes(self, computer: Computer, node: str, text: str) -> None:
        for route in filter(None, (part.split() for part in text.split(";"))):
            if len(route) == 2 and all(self.variables.knows(name) for name in route):
                self.add(node, "add-route", *(self.variables.value(name) for name in route))
            else:
                self.warn(computer, named("computer", computer.name), f"the route {shown(' '.join(route))} leads to nothing and is left out")

    def _software(self, computer: Computer, node: str, label: str) -> None:
        for system in computer.operating_systems:
            name = system.attribute("osid") or system.name
            if name:
                self.add("tb-set-node-os", node, quoted(name))
        for software in computer.software:
            if not _can_be_written(software):
                self.warn(computer, label, f"the software {shown(software.location)} cannot be named in an NS file, and is left out")
            elif software.install is None:
                self.add("tb-set-node-rpms", node, quoted(software.location))
            else:
                self.add("tb-set-node-tarfiles", node, quoted(software.install), quoted(software.location))
        for what, there in (("cpu", computer.cpus), ("storage", computer.storage), ("service", computer.services)):
            if there:
                self.warn(computer, label, f"its <{what}> has no place in an NS file")


def _can_be_written(software: Software) -> bool:
    """Return whether this is a package's name without white space, or a file with a folder of the node to unpack it in."""
    location, folder = software.location, software.install
    if not location or location.split() != [location]:
        return False
    return folder is None or folder.split() == [folder] and not is_shared(folder)


def _alike(one: HopProfile, other: HopProfile) -> bool:
    return one.kbps == other.kbps and abs(one.delay_ms - other.delay_ms) < 1e-9 and abs(one.loss - other.loss) < 1e-12


def _plain(number: float) -> str:
    """Format a number without an exponent."""
    return f"{number:.15f}".rstrip("0").rstrip(".") or "0"
