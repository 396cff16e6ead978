# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of attributes that rules set: their names, the types of their elements, and values that planning would refuse."""

from __future__ import annotations

import difflib
import re

from ..embedding.attribute_values import MOST_CPUS, is_pass, is_size, is_web_address
from ..embedding.kinds import ALLOWED, kind_named
from ..embedding.placement.catalogue import ARCHITECTURES
from ..names import NODE_RULE, is_node_name, safe_partition
from ..topology import attributes as names
from ..topology.attributes import PREFIX, containers_name
from ..topology.scope import shown
from .draft import usual_name
from .rules import COMPUTER, EXPERIMENT, INTERFACE, SUBSTRATE

_PARTITION_RULE = "letters, digits, '_', '.' or '-', at most 64"
_SIZE_RULE = "a number and G or M, like 2G"
_URL_RULE = "an http or https URL of an image"
_TRUTHS = ("true", "yes", "1", "false", "no", "0")
_PNODE = re.compile(r"pnode-[0-9]+")


def _anything(_text: str) -> bool:
    return True


def _is_vhost(text: str) -> bool:
    return is_node_name(text) and not _PNODE.fullmatch(text)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", text))


# {canonical name: (types of elements that it has an effect on, check of a value, valid values)}
KNOWN = {
    names.NODE_TYPE: ((COMPUTER,), lambda text: kind_named(text) is not None, ALLOWED),
    names.PARTITION: ((COMPUTER,), safe_partition, _PARTITION_RULE),
    names.PARTITION_PASS: ((COMPUTER,), is_pass, "a whole number, 0 to 999999999"),
    names.VHOST: ((COMPUTER,), _is_vhost, f"the name of a computer, or of a virtual machine to be made: {NODE_RULE}"),
    names.OPENVZ_TEMPLATE: ((COMPUTER,), bool, "the name of an image"),
    names.OPENVZ_DISKSPACE: ((COMPUTER,), is_size, _SIZE_RULE),
    names.QEMU_URL: ((COMPUTER,), is_web_address, _URL_RULE),
    names.MAVERICK_URL: ((COMPUTER,), is_web_address, _URL_RULE),
    names.QEMU_ARCH: ((COMPUTER,), lambda text: text in ARCHITECTURES, f"one of {', '.join(ARCHITECTURES)}"),
    names.GHOST: ((COMPUTER,), lambda text: text.lower() in _TRUTHS, "true or false"),
    names.IMAGE: ((COMPUTER,), bool, "the name of an image"),
    names.MEMORY: ((COMPUTER,), is_size, _SIZE_RULE),
    names.CPUS: ((COMPUTER,), lambda text: text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_CPUS, f"a whole number, 1 to {MOST_CPUS}"),
    names.LATENCY_MODEL: ((EXPERIMENT,), lambda text: text in ("hop", "path"), "hop or path"),
    names.LOSS_MODEL: ((SUBSTRATE,), lambda text: text in ("hop", "path"), "hop or path"),
    names.RX_RATE: ((INTERFACE,), _is_number, "a number of kb/s"),
    names.RX_LATENCY: ((INTERFACE,), _is_number, "a number of milliseconds"),
    names.RX_LOSS: ((INTERFACE,), _is_number, "a fraction from 0 to 1"),
    "queue_limit": ((INTERFACE,), _anything, ""),
    "queue_in_bytes": ((INTERFACE,), _anything, ""),
    "cost": ((SUBSTRATE,), _is_number, "a number"),
    "route": ((COMPUTER,), _anything, ""),
    "rtproto": ((EXPERIMENT,), _anything, ""),
    "ip_routing": ((EXPERIMENT,), _anything, ""),
    "sync_server": ((EXPERIMENT,), _anything, ""),
}
_FAMILIES = {"env": EXPERIMENT, "vtype": EXPERIMENT}
_WITHOUT_PREFIX = ("rtproto",)  # an effective attribute of computers
_BY_LOWER = {name.lower(): name for name in KNOWN}


def name_remark(element_type: str, name: str) -> tuple[str, str] | None:
    """Return (remark, suggestion or "") about an unusual attribute ``name`` on an element of this type; None if it is usual."""
    canonical = containers_name(name)
    if canonical is None:
        return _foreign(name)
    family, colon, _rest = canonical.partition(":")
    if colon and family in _FAMILIES:
        element_types = (_FAMILIES[family],)
    elif canonical in KNOWN:
        element_types = KNOWN[canonical][0]
    else:
        near = difflib.get_close_matches(canonical.lower(), _BY_LOWER, 1)
        return "is not known here; it has no effect", f"perhaps {PREFIX}{_BY_LOWER[near[0]]}" if near else ""
    return None if element_type in element_types else (f"has no effect on {_a(element_type)}", f"it belongs to {' or '.join(map(_a, element_types))}")


def value_fault(name: str, value: str) -> tuple[str, str] | None:
    """Return (what is wrong, what is allowed) about an invalid value of a known attribute; None if it is valid."""
    canonical = containers_name(name)
    if canonical not in KNOWN or KNOWN[canonical][1](value):
        return None
    return f"{shown(value)} is not one of its values", KNOWN[canonical][2]


def written_name(name: str) -> str:
    """Return the spelling of an attribute to be set: the usual one if it is known, else unchanged."""
    canonical = containers_name(name)
    return usual_name(name) if canonical in KNOWN or (canonical or "").partition(":")[0] in _FAMILIES else name


def _foreign(name: str) -> tuple[str, str] | None:
    """Return a remark about a name without our prefix if it resembles one of ours, else None: other names are free."""
    prefix, colon, rest = name.rpartition(":")
    if not colon and name.lower() in _BY_LOWER and name not in _WITHOUT_PREFIX:
        return "is another attribute than the one with a prefix; it has no effect", f"perhaps {PREFIX}{_BY_LOWER[name.lower()]}"
    if colon and difflib.get_close_matches(prefix.lower(), ["containers", "benito"], 1, 0.8):
        return "is not known here; it has no effect", f"perhaps {PREFIX}{_BY_LOWER.get(rest.lower(), rest)}"
    return None


def _a(element_type: str) -> str:
    special = {EXPERIMENT: "the experiment as a whole", INTERFACE: "an interface", "other": "an element that is no computer"}
    return special.get(element_type, f"a {element_type}")
