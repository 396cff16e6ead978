# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which attributes have an effect, on which elements, and which other names are likely to be misspelt ones (spec/topdl.md "Attribute names").

TopDL has no list of attributes: other programs may use any name. So an unknown name is never an error. A name of the ``containers:``
family is always remarked on if it is unknown. A name without a prefix is remarked on only if it resembles one that has an effect.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ..errors import Problem
from . import attributes as names
from .attributes import PREFIX, containers_name
from .model import Element, Topology
from .scope import named, shown

COMPUTER, SUBSTRATE, INTERFACE, OTHER, EXPERIMENT = "computer", "substrate", "interface", "other", "experiment"
FAILURE_ACTION = "failureaction"
_FAMILIES = {"env": EXPERIMENT, "vtype": EXPERIMENT}
_CONTAINERLAB = "containerlab"  # the reader of its files keeps what it has no place for under this prefix
_SHOWN_NAMES = 20
# Slips are allowed in names of at least so many characters; one less in those of middling length.
_LONG, _MIDDLING = 8, 6

# {canonical name: types of elements that it has an effect on, or is kept for other programs}
CONTAINERS = {
    names.NODE_TYPE: (COMPUTER,),
    names.PARTITION: (COMPUTER,),
    names.PARTITION_PASS: (COMPUTER,),
    names.VHOST: (COMPUTER,),
    names.OPENVZ_TEMPLATE: (COMPUTER,),
    names.OPENVZ_DISKSPACE: (COMPUTER,),
    names.QEMU_URL: (COMPUTER,),
    names.MAVERICK_URL: (COMPUTER,),
    names.QEMU_ARCH: (COMPUTER,),
    names.GHOST: (COMPUTER,),
    names.IMAGE: (COMPUTER,),
    names.MEMORY: (COMPUTER,),
    names.CPUS: (COMPUTER,),
    names.LATENCY_MODEL: (EXPERIMENT,),
    names.LOSS_MODEL: (SUBSTRATE,),
    names.RX_RATE: (INTERFACE,),
    names.RX_LATENCY: (INTERFACE,),
    names.RX_LOSS: (INTERFACE,),
    names.COST: (SUBSTRATE,),
    names.ROUTE: (COMPUTER,),
    names.RTPROTO: (EXPERIMENT, COMPUTER),
    "queue_limit": (INTERFACE,),
    "queue_in_bytes": (INTERFACE,),
    "ip_routing": (EXPERIMENT,),
    "sync_server": (EXPERIMENT,),
}
# The same of names without a prefix.
PLAIN = {
    names.STARTUP: (COMPUTER,),
    FAILURE_ACTION: (COMPUTER, SUBSTRATE),
    names.IP4_ADDRESS: (INTERFACE,),
    names.IP4_NETMASK: (INTERFACE,),
    names.LOSS: (INTERFACE, SUBSTRATE),
}
_NOT_OURS = frozenset(("type", "fixed", "testbed", names.RTPROTO, *PLAIN))  # in use without a prefix
_BY_LOWER = {name.lower(): name for name in CONTAINERS}
_SYNONYMS = {"startcmd": names.STARTUP, "startcommand": names.STARTUP, "startupcommand": names.STARTUP, "netmask": names.IP4_NETMASK}


def name_warnings(topology: Topology) -> tuple[Problem, ...]:
    """Return one Problem for each misspelt, unknown or misplaced name of an attribute: at the first element that has it, with the number of the others."""
    first: dict[tuple[str, str], tuple[int, str]] = {}
    times: dict[tuple[str, str], int] = {}
    for element_type, label, element, line in _elements(topology):
        for name in dict.fromkeys(attribute.name for attribute in element.attributes):
            if name_remark(element_type, name) is not None:
                first.setdefault((element_type, name), (line, label))
                times[element_type, name] = times.get((element_type, name), 0) + 1
    found = []
    for (element_type, name), (line, text) in list(first.items())[:_SHOWN_NAMES]:
        remark, hint = name_remark(element_type, name) or ("", "")
        others = times[element_type, name] - 1
        more = f"; {others} more {element_type}{'s have' if others > 1 else ' has'} it" if others else ""
        found.append(Problem(f"the attribute {shown(name)} {remark}{more}", topology.source, line, text, hint))
    if len(first) > _SHOWN_NAMES:
        found.append(Problem(f"{len(first) - _SHOWN_NAMES} more names of attributes have no effect", topology.source))
    return tuple(found)


def _elements(topology: Topology) -> Iterator[tuple[str, str, Element, int]]:
    """Yield (type of element, its label, the element, its line) of every element with attributes that may have an effect."""
    yield EXPERIMENT, "the topology", topology, topology.line
    for substrate in topology.substrates:
        yield SUBSTRATE, named(SUBSTRATE, substrate.name), substrate, substrate.line
    for computer in topology.computers:
        label = named(COMPUTER, computer.name)
        yield COMPUTER, label, computer, computer.line
        for interface in computer.interfaces:
            yield INTERFACE, f"{label}, {named(INTERFACE, interface.name)}", interface, interface.line or computer.line


@lru_cache(maxsize=4096)
def name_remark(element_type: str, name: str) -> tuple[str, str] | None:
    """Return (remark, suggestion or "") about an unusual attribute ``name`` on an element of this type; None if it is usual."""
    canonical = containers_name(name)
    if canonical is None:
        return _remark_without_prefix(element_type, name)
    family, colon, _rest = canonical.partition(":")
    if colon and family in _FAMILIES:
        return _misplaced(element_type, (_FAMILIES[family],))
    if canonical in CONTAINERS:
        return _misplaced(element_type, CONTAINERS[canonical])
    near = difflib.get_close_matches(canonical.lower(), [*_BY_LOWER, *PLAIN], 1)
    return "is not known here; it has no effect", f"perhaps {_spelled(near[0])}" if near else ""


def is_containers_family(canonical: str | None) -> bool:
    """Return whether a canonical name is a known one, or belongs to a known family such as ``env:NAME``."""
    return canonical in CONTAINERS or (canonical or "").partition(":")[0] in _FAMILIES


def _remark_without_prefix(element_type: str, name: str) -> tuple[str, str] | None:
    """Return a remark about a name without our prefix if it resembles one of ours, else None: other names are free."""
    prefix, colon, rest = name.rpartition(":")
    if colon:
        if prefix != _CONTAINERLAB and difflib.get_close_matches(prefix.lower(), ["containers", "benito"], 1, 0.8):
            return "is not known here; it has no effect", f"perhaps {PREFIX}{_BY_LOWER.get(rest.lower(), rest)}"
        return None
    if name in _NOT_OURS:
        return _misplaced(element_type, PLAIN[name]) if name in PLAIN else None
    if name.lower() in _BY_LOWER:
        return "is another attribute than the one with a prefix; it has no effect", f"perhaps {PREFIX}{_BY_LOWER[name.lower()]}"
    here = [known for known, types in PLAIN.items() if element_type in types]
    near = _SYNONYMS.get(_letters(name))
    if near not in here:
        near = _resembled(name, here, 2) or _resembled(name, [known for known, types in CONTAINERS.items() if element_type in types], 1)
    return ("is not known here; it has no effect", f"perhaps {_spelled(near.lower())}") if near else None


def _misplaced(element_type: str, element_types: tuple[str, ...]) -> tuple[str, str] | None:
    if element_type in element_types:
        return None
    return f"has no effect on {_a(element_type)}", f"it belongs to {' or '.join(map(_a, element_types))}"


def _spelled(lower_name: str) -> str:
    return PREFIX + _BY_LOWER[lower_name] if lower_name in _BY_LOWER else lower_name


def _resembled(name: str, known: Iterable[str], most: int) -> str | None:
    """Return the known name that differs from ``name`` only in case, '_' and '-', and in at most ``most`` slips; None if there is none."""
    letters = _letters(name)
    for right in known:
        size = len(_letters(right))
        allowed = most if size >= _LONG else most - 1 if size >= _MIDDLING else 0
        if abs(len(letters) - size) <= allowed and _slips(letters, _letters(right)) <= allowed:
            return right
    return None


def _letters(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _slips(wrong: str, right: str) -> int:
    """Return the number of characters added, left out, replaced or swapped with their neighbour (the optimal string alignment distance)."""
    before: list[int] = []
    last = list(range(len(right) + 1))
    for row, one in enumerate(wrong, 1):
        line = [row]
        for column, other in enumerate(right, 1):
            least = min(last[column] + 1, line[-1] + 1, last[column - 1] + (one != other))
            if row > 1 and column > 1 and one == right[column - 2] and wrong[row - 2] == other:
                least = min(least, before[column - 2] + 1)
            line.append(least)
        before, last = last, line
    return last[-1]


def _a(element_type: str) -> str:
    special = {EXPERIMENT: "the experiment as a whole", INTERFACE: "an interface", OTHER: "an element that is no computer"}
    return special.get(element_type, f"a {element_type}")
