# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read NS files in tests, and extract parts of the topology."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.attributes import LOSS, RX_LATENCY, RX_LOSS, RX_RATE, containers_attribute
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.reader import read_ns_text

HEAD = "set ns [new Simulator]\nsource tb_compat.tcl\n"
TAIL = "\n$ns run\n"
TWO = "set a [$ns node]\nset b [$ns node]\n"
THREE = TWO + "set c [$ns node]\n"
LINK = TWO + "set link0 [$ns duplex-link $a $b 10Mb 10ms DropTail]\n"
LAN = THREE + 'set lan0 [$ns make-lan "$a $b $c" 100Mb 10ms]\n'
# the line of the first command of a body
FIRST = HEAD.count("\n") + 1


def read(body, profile="default", folder="/nonexistent", whole=False):
    """Return (topology, warnings as texts) of an NS file with ``body`` between its first and last lines."""
    text = body if whole else HEAD + body + TAIL
    topology, warnings, _sources = read_ns_text(text if isinstance(text, bytes) else text.encode(), "lab.tcl", str(folder), profile)
    return topology, [str(warning) for warning in warnings]


def topology_of(body, **options):
    return read(body, **options)[0]


def errors_of(body, **options):
    """Return the errors of a file as texts."""
    try:
        read(body, **options)
    except InputError as exc:
        return [str(problem) for problem in exc.problems]
    return []


def names(topology):
    return [computer.name for computer in topology.computers]


def members(topology):
    """Return {substrate: names of its members}."""
    return {name: [computer.name for computer, _interface in those] for name, those in topology.attachments().items()}


def computer(topology, name):
    return next(computer for computer in topology.computers if computer.name == name)


def ways(topology, substrate):
    """Return {(from, to): (delay in ms, kb/s, loss)} between all members of a substrate, by the hop rules (topdl.md)."""
    (its,) = [one for one in topology.substrates if one.name == substrate]
    ports = topology.attachments()[substrate]
    result = {}
    for sender, out in ports:
        for receiver, into in ports:
            if sender is receiver:
                continue
            usual = out if len(ports) == 2 else into
            delay = _ms(its, out) + float(containers_attribute(into, RX_LATENCY) or _ms(its, usual))
            rates = [_kbps(its, out), float(containers_attribute(into, RX_RATE) or _kbps(its, into))]
            kept = (1 - _loss(its, out)) * (1 - float(containers_attribute(into, RX_LOSS) or _loss(its, usual)))
            result[sender.name, receiver.name] = (round(delay, 6), min((rate for rate in rates if rate), default=0), round(1 - kept, 9))
    return result


def _ms(substrate, interface):
    found = interface.latency or substrate.latency
    return found.time_ms if found else 0.0


def _kbps(substrate, interface):
    found = interface.capacity or substrate.capacity
    return found.rate_kbps if found else 0


def _loss(substrate, interface):
    return float(interface.attribute(LOSS) or substrate.attribute(LOSS) or 0)
