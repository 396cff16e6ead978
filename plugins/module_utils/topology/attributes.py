# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of attributes: the ``containers:`` family, its aliases in existing files, and their precedence.

Source: spec/topdl.md "Attribute names". Files use the prefixes ``containers:``, ``containers::``,
``container:`` and ``benito:``. The name after the prefix is compared case-insensitively.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from .model import Attribute, Element

NODE_TYPE = "node_type"
PARTITION = "partition"
PARTITION_PASS = "PartitionPass"
VHOST = "vhost"
LATENCY_MODEL = "latency_model"
LOSS_MODEL = "loss_model"
RX_RATE = "rx_rate"
RX_LATENCY = "rx_latency"
RX_LOSS = "rx_loss"
OPENVZ_TEMPLATE = "openvz_template"
OPENVZ_DISKSPACE = "openvz_diskspace"
QEMU_URL = "qemu_url"
MAVERICK_URL = "maverick_url"
QEMU_ARCH = "qemu_arch"
GHOST = "ghost"
IMAGE = "image"
MEMORY = "memory"
CPUS = "cpus"
RTPROTO = "rtproto"
ROUTE = "route"
COST = "cost"

STARTUP = "startup"
IP4_ADDRESS = "ip4_address"
IP4_NETMASK = "ip4_netmask"
LOSS = "loss"

PREFIX = "containers:"
_PREFIXES = ("containers::", PREFIX, "container:", "benito:")
_CANONICAL = (
    NODE_TYPE,
    PARTITION,
    PARTITION_PASS,
    VHOST,
    LATENCY_MODEL,
    LOSS_MODEL,
    RX_RATE,
    RX_LATENCY,
    RX_LOSS,
    OPENVZ_TEMPLATE,
    OPENVZ_DISKSPACE,
    QEMU_URL,
    MAVERICK_URL,
    QEMU_ARCH,
    GHOST,
    IMAGE,
    MEMORY,
    CPUS,
    RTPROTO,
    ROUTE,
    COST,
)
_SPELLINGS = {name.lower(): name for name in _CANONICAL}
_SPELLINGS.update(packingpass=PARTITION_PASS, partition_pass=PARTITION_PASS, packing_pass=PARTITION_PASS)


E = TypeVar("E", bound=Element)


@lru_cache(maxsize=4096)
def containers_name(attribute_name: str) -> str | None:
    """Return the canonical name behind any spelling: ``container:Node_Type`` → ``node_type``; None for other attributes."""
    for prefix in _PREFIXES:
        if attribute_name.startswith(prefix):
            suffix = attribute_name[len(prefix) :].strip().lower()
            return _SPELLINGS.get(suffix, suffix)
    return None


def containers_attribute(element: Element, name: str) -> str | None:
    """Return the value of the containers attribute ``name``, whatever its spelling in the file; None if absent.

    The canonical spelling takes precedence over an alias. Among equal spellings the first one counts.
    """
    wanted = _SPELLINGS.get(name.lower(), name)
    found = None
    for attribute in element.attributes:
        if containers_name(attribute.name) == wanted:
            if attribute.name == PREFIX + wanted:
                return attribute.value
            if found is None:
                found = attribute.value
    return found


def containers_attributes(element: Element) -> dict[str, str]:
    """Return {canonical name: value} of all containers attributes, by the rules of ``containers_attribute``."""
    found: dict[str, str] = {}
    canonical: set[str] = set()
    for attribute in element.attributes:
        name = containers_name(attribute.name)
        if name is None or name in canonical:
            continue
        if attribute.name == PREFIX + name:
            canonical.add(name)
            found[name] = attribute.value
        else:
            found.setdefault(name, attribute.value)
    return found


def is_true(text: str | None) -> bool:
    """Return whether an attribute's value means true, such as that of ``containers:ghost``."""
    return text is not None and text.strip().lower() in ("true", "yes", "1")


def with_containers_attribute(element: E, name: str, value: str | None) -> E:
    """Return a copy of ``element`` with ``containers:<name>`` set to ``value`` and all its other spellings removed.

    The attribute takes the place of the first one that it replaces, else the end. The value None removes it.
    """
    wanted = _SPELLINGS.get(name.lower(), name)
    attributes = []
    to_place = value
    for attribute in element.attributes:
        if containers_name(attribute.name) != wanted:
            attributes.append(attribute)
        elif to_place is not None:
            attributes.append(Attribute(PREFIX + wanted, to_place))
            to_place = None
    if to_place is not None:
        attributes.append(Attribute(PREFIX + wanted, to_place))
    return replace(element, attributes=tuple(attributes))
