# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of attributes that rules set: values that planning would refuse. ``topology/attribute_names.py`` checks their names."""

from __future__ import annotations

import re

from ..embedding.attribute_values import MOST_CPUS, is_pass, is_size, is_web_address
from ..embedding.kinds import ALLOWED, kind_named
from ..embedding.placement.catalogue import ARCHITECTURES
from ..names import NODE_RULE, is_node_name, safe_partition
from ..topology import attributes as names
from ..topology.attribute_names import is_containers_family
from ..topology.attributes import containers_name
from ..topology.scope import shown
from .draft import usual_name

_PARTITION_RULE = "letters, digits, '_', '.' or '-', at most 64"
_SIZE_RULE = "a number and G or M, like 2G"
_URL_RULE = "an http or https URL of an image"
_TRUTHS = ("true", "yes", "1", "false", "no", "0")
_PNODE = re.compile(r"pnode-[0-9]+")


def _is_vhost(text: str) -> bool:
    return is_node_name(text) and not _PNODE.fullmatch(text)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", text))


# {canonical name: (check of a value, valid values)} of the attributes whose values are checked
_VALUES = {
    names.NODE_TYPE: (lambda text: kind_named(text) is not None, ALLOWED),
    names.PARTITION: (safe_partition, _PARTITION_RULE),
    names.PARTITION_PASS: (is_pass, "a whole number, 0 to 999999999"),
    names.VHOST: (_is_vhost, f"the name of a computer, or of a virtual machine to be made: {NODE_RULE}"),
    names.OPENVZ_TEMPLATE: (bool, "the name of an image"),
    names.OPENVZ_DISKSPACE: (is_size, _SIZE_RULE),
    names.QEMU_URL: (is_web_address, _URL_RULE),
    names.MAVERICK_URL: (is_web_address, _URL_RULE),
    names.QEMU_ARCH: (lambda text: text in ARCHITECTURES, f"one of {', '.join(ARCHITECTURES)}"),
    names.GHOST: (lambda text: text.lower() in _TRUTHS, "true or false"),
    names.IMAGE: (bool, "the name of an image"),
    names.MEMORY: (is_size, _SIZE_RULE),
    names.CPUS: (lambda text: text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_CPUS, f"a whole number, 1 to {MOST_CPUS}"),
    names.LATENCY_MODEL: (lambda text: text in ("hop", "path"), "hop or path"),
    names.LOSS_MODEL: (lambda text: text in ("hop", "path"), "hop or path"),
    names.RX_RATE: (_is_number, "a number of kb/s"),
    names.RX_LATENCY: (_is_number, "a number of milliseconds"),
    names.RX_LOSS: (_is_number, "a fraction from 0 to 1"),
    names.COST: (_is_number, "a number"),
}


def value_fault(name: str, value: str) -> tuple[str, str] | None:
    """Return (what is wrong, what is allowed) about an invalid value of a known attribute; None if it is valid."""
    canonical = containers_name(name)
    if canonical not in _VALUES or _VALUES[canonical][0](value):
        return None
    return f"{shown(value)} is not one of its values", _VALUES[canonical][1]


def written_name(name: str) -> str:
    """Return the spelling of an attribute to be set: the usual one if it is known, else unchanged."""
    canonical = containers_name(name)
    return usual_name(name) if is_containers_family(canonical) else name
