# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer of NS files for Emulab, DETER and this collection. It preserves nodes, links, addresses and shaping.

A substrate with two members becomes a duplex-link, one with more a make-lan. Hops that differ are set one by one. Each kind of content that
an NS file cannot hold is one warning.
"""

from __future__ import annotations

import re

from ...errors import InputError, Problem
from ..attributes import IP4_ADDRESS, IP4_NETMASK, LATENCY_MODEL, LOSS, LOSS_MODEL, PREFIX, RX_LATENCY, RX_LOSS, RX_RATE, STARTUP, containers_name
from ..checks import check_deployable
from ..losses import Losses, add_common_losses, first_attributes
from ..model import Computer, Software, Substrate, Topology
from ..scope import named, shown
from .hops import ADDS_UP, Port, adds_up, alike, ports_of, way_between
from .network import HopProfile
from .quoting import TCL_COMMANDS, Variables, quoted
from .testbed_commands import is_shared
from .units import SMALLEST_KBPS, SMALLEST_LOSS, link_cost

# of interfaces: the variable of a queue, and the values that it may have
_OF_QUEUES = {"queue_limit": ("limit_", re.compile(r"[1-9][0-9]{0,8}")), "queue_in_bytes": ("queue-in-bytes_", re.compile(r"[01]"))}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_OPTION = re.compile(r"[-_0-9A-Za-z]+")
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
    return "\n".join(writer.lines) + "\n", writer.losses.warnings()


class _Writer:
    """An NS file being written."""

    def __init__(self, topology: Topology):
        self.topology = topology
        self.lines: list[str] = []
        self.losses = Losses(topology.source, "an NS file")
        self.members = topology.attachments()
        self.variables = Variables([*(one.name for one in topology.computers), *(one.name for one in topology.substrates)])

    def lose(self, thing: Computer | Substrate, message: str, hint: str = "") -> None:
        self.losses.add("node" if isinstance(thing, Computer) else "link or LAN", thing.name, message, thing.line, hint)

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
            elif kind == "computer" and thing.name.lower() == "ops":
                problems.append(Problem("this name is reserved in NS files", self.topology.source, thing.line, label, "another name"))
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
        self._lose_interface_names()
        add_common_losses(self.losses, self.topology)
        protocol = next((one.value for one in self.topology.attributes if one.name == f"{PREFIX}rtproto"), None)
        if protocol is not None:
            self.add(f"${self.variables.simulator} rtproto", quoted(protocol))
        self.add(f"${self.variables.simulator} run")

    def _lose_interface_names(self) -> None:
        """Report names of interfaces that change: an NS file has none, and a reader numbers interfaces in the order of links and LANs."""
        order = {substrate.name: number for number, substrate in enumerate(self.topology.substrates) if len(self.members[substrate.name]) > 1}
        for computer in self.topology.computers:
            written = sorted((one for one in computer.interfaces if one.substrate in order), key=lambda one: order[one.substrate])
            for number, interface in enumerate(written):
                if interface.name != f"inf{number:03}":
                    message = "no place for names of interfaces in an NS file, which numbers them: inf000, inf001, …"
                    self.losses.add("interface", f"{interface.name} of {computer.name}", message, interface.line)

    # --- the whole ---------------------------------------------------------------------------

    def _root(self) -> None:
        computers = {computer.name for computer in self.topology.computers}
        for attribute in first_attributes(self.losses, "the experiment", self.topology.attributes):
            name, value = attribute.name, attribute.value
            if name.startswith(f"{PREFIX}env:") and _OPTION.fullmatch(name.removeprefix(f"{PREFIX}env:")):
                self.add("set", f"opt({name.removeprefix(f'{PREFIX}env:')})", quoted(value))
            elif name.startswith(f"{PREFIX}vtype:"):
                self._vtype(name.removeprefix(f"{PREFIX}vtype:"), value)
            elif name == f"{PREFIX}ip_routing" and value in ("none", "ospf"):
                self.add("tb-set-ip-routing", value)
            elif name == f"{PREFIX}rtproto" or name == f"{PREFIX}sync_server" and value in computers:
                continue  # written with the end of the file, and with the node
            elif containers_name(name) != LATENCY_MODEL:
                self.losses.no_place("attribute", f"{shown(name)} of the experiment", "it")

    def _vtype(self, name: str, value: str) -> None:
        """Write a vtype, given as ``soft pc600 pc850``, ``hard …`` or ``0.5 …``."""
        strength, _space, types = value.partition(" ")
        if not types.strip():
            self.losses.add("vtype", shown(name), "left out, as no type is named")
        elif strength in ("soft", "hard"):
            self.add(f"tb-make-{strength}-vtype", quoted(name), quoted(types))
        else:
            self.add("tb-make-weighted-vtype", quoted(name), quoted(strength), quoted(types))

    # --- links and LANs ------------------------------------------------------------------------

    def _substrate(self, substrate: Substrate) -> None:
        members = self.members[substrate.name]
        if len(members) < 2:
            self.lose(substrate, "left out, as an NS file has none with fewer than two members")
            return
        ports = ports_of(substrate, members, self.topology.latency_model)
        if adds_up(substrate, members, self.topology.latency_model):
            self.lose(substrate, ADDS_UP)
        if len(ports) == 2:
            self._link(substrate, *ports)
        else:
            self._lan(substrate, ports)
        self._of_substrate(substrate, ports)

    def _link(self, substrate: Substrate, first: Port, second: Port) -> None:
        there, back = way_between(first, second), way_between(second, first)
        nodes = [self.variables.value(port.computer.name) for port in (first, second)]
        numbers = self._numbers(substrate, there)
        call = f"[${self.variables.simulator} duplex-link {nodes[0]} {nodes[1]} {numbers[1]} {numbers[0]} DropTail]"
        self.add("set", self.variables.target(substrate.name), call)
        link = self.variables.value(substrate.name)
        same = alike(there, back)
        if same and there.loss:
            self.add("tb-set-link-loss", link, numbers[2])
        if not same:
            self.add("tb-set-link-simplex-params", link, nodes[0], *numbers)
            self.add("tb-set-link-simplex-params", link, nodes[1], *self._numbers(substrate, back))

    def _lan(self, substrate: Substrate, ports: list[Port]) -> None:
        """Write a LAN with the numbers of its first member, then set each hop that differs."""
        usual = ports[0].out
        nodes = " ".join(self.variables.value(port.computer.name) for port in ports)
        hop = self._numbers(substrate, usual)
        whole = self._numbers(substrate, HopProfile(usual.delay_ms * 2, usual.kbps, 0))
        self.add("set", self.variables.target(substrate.name), f'[${self.variables.simulator} make-lan "{nodes}" {whole[1]} {whole[0]}]')
        lan = self.variables.value(substrate.name)
        for port in ports:
            node = self.variables.value(port.computer.name)
            if not (alike(port.out, usual) and alike(port.into, usual)):
                out, into = self._numbers(substrate, port.out), self._numbers(substrate, port.into)
                self.add("tb-set-lan-simplex-params", lan, node, *out, *into)
            elif usual.loss:
                self.add("tb-set-node-lan-loss", node, lan, hop[2])

    def _numbers(self, substrate: Substrate, hop: HopProfile) -> tuple[str, str, str]:
        """Return delay, bandwidth and loss in NS notation; warn of values that NS does not allow, and adjust them."""
        kbps, loss, delay = hop.kbps, hop.loss, hop.delay_ms
        if delay > _LONGEST_MS:
            self.lose(substrate, "a delay is shortened to what an NS file allows", f"at most {_LONGEST_MS:g} ms")
            delay = _LONGEST_MS
        if kbps and not SMALLEST_KBPS <= kbps <= _LARGEST_KBPS:
            self.lose(substrate, "a bandwidth is changed to the nearest that an NS file allows", f"{SMALLEST_KBPS} kb/s to 10 Gb/s")
            kbps = min(max(kbps, SMALLEST_KBPS), _LARGEST_KBPS)
        if kbps != int(kbps):
            self.lose(substrate, "a bandwidth loses its fraction of a kb/s")
        if 0 < loss < SMALLEST_LOSS:
            self.lose(substrate, f"a loss below {_plain(SMALLEST_LOSS)} is left out")
            loss = 0.0
        return f"{_plain(delay)}ms", f"{int(kbps)}kb" if kbps else "*", _plain(loss)

    def _of_substrate(self, substrate: Substrate, ports: list[Port]) -> None:
        """Write the attributes, addresses and queues of a substrate."""
        medium = self.variables.value(substrate.name)
        for attribute in substrate.attributes:
            if attribute.name == f"{PREFIX}cost" and _is_cost(attribute.value):
                self.add(medium, "cost", quoted(attribute.value))
            elif attribute.name != LOSS and containers_name(attribute.name) != LOSS_MODEL:
                self.add("tb-add-network-attribute", medium, quoted(attribute.name), quoted(attribute.value))
        masks = {str(port.interface.attribute(IP4_NETMASK, _DEFAULT_MASK)) for port in ports if port.interface.attribute(IP4_ADDRESS)}
        if len(masks) > 1:
            self.lose(substrate, "different netmasks of members become one")
        for mask in sorted(masks - {_DEFAULT_MASK})[:1]:
            if mask.startswith("255.255."):
                self.add("tb-set-netmask", medium, mask)
            else:
                self.lose(substrate, f"a netmask becomes {_DEFAULT_MASK}, as an NS file allows no such network", "255.255.0.0 or smaller")
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
            if name in _OF_QUEUES and _OF_QUEUES[name][1].fullmatch(attribute.value):
                self.add(queue, "set", _OF_QUEUES[name][0], quoted(attribute.value))
            elif attribute.name not in (IP4_ADDRESS, IP4_NETMASK, LOSS) and name not in _OF_INTERFACES:
                self.add("tb-add-interface-attribute", node, medium, quoted(attribute.name), quoted(attribute.value))

    # --- nodes ---------------------------------------------------------------------------------

    def _computer(self, computer: Computer) -> None:
        node = self.variables.value(computer.name)
        for attribute in first_attributes(self.losses, computer.name, computer.attributes):
            if attribute.name == "failureaction" and attribute.value in ("fatal", "nonfatal", "ignore"):
                if attribute.value != "fatal":
                    self.add("tb-set-node-failure-action", node, attribute.value)
            elif attribute.name in _OF_NODES:
                if (attribute.name, attribute.value) != ("type", "pc"):
                    self.add(_OF_NODES[attribute.name], node, quoted(attribute.value))
            elif attribute.name == f"{PREFIX}route":
                self._routes(computer, node, attribute.value)
            else:
                self.add("tb-add-node-attribute", node, quoted(attribute.name), quoted(attribute.value))
        self._software(computer, node)
        if any(attribute.name == f"{PREFIX}sync_server" and attribute.value == computer.name for attribute in self.topology.attributes):
            self.add("tb-set-sync-server", node)

    def _routes(self, computer: Computer, node: str, text: str) -> None:
        for route in filter(None, (part.split() for part in text.split(";"))):
            if len(route) == 2 and all(self.variables.knows(name) for name in route):
                self.add(node, "add-route", *(self.variables.value(name) for name in route))
            else:
                self.losses.add("route", f"{shown(' '.join(route))} of {computer.name}", "left out, as it leads to nothing", computer.line)

    def _software(self, computer: Computer, node: str) -> None:
        for system in computer.operating_systems[:1]:
            name = system.attribute("osid") or system.name
            if name:
                self.add("tb-set-node-os", node, quoted(name))
        for software in computer.software:
            if not _can_be_written(software):
                self.losses.add("software package", f"{shown(software.location)} of {computer.name}", "left out, as an NS file cannot name it", computer.line)
            elif software.install is None:
                self.add("tb-set-node-rpms", node, quoted(software.location))
            else:
                self.add("tb-set-node-tarfiles", node, quoted(software.install), quoted(software.location))


def _can_be_written(software: Software) -> bool:
    """Return whether this is a package's name without white space, or a file with a folder of the node to unpack it in."""
    location, folder = software.location, software.install
    if not location or location.split() != [location]:
        return False
    return folder is None or folder.split() == [folder] and not is_shared(folder)


def _is_cost(text: str) -> bool:
    """Return whether an NS file can say this cost of a link, and is read as the same text."""
    try:
        return link_cost(text) == text
    except ValueError:
        return False


def _plain(number: float) -> str:
    """Format a number without an exponent."""
    return f"{number:.15f}".rstrip("0").rstrip(".") or "0"
