# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the values of the attributes that planning reads.

Each ``parse_…`` returns the value, or raises InputError with one Problem: what is wrong with the text, and what would be right. It knows no
place; who calls it adds that.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..errors import InputError, Problem
from ..topology.attributes import RTPROTO, containers_attribute
from ..topology.model import Element
from .kinds import ALLOWED, kind_named

MOST_CPUS = 255
COST_UNIT = 10**6  # costs are whole numbers of millionths, so that sums of them are exact
_LARGEST_COST = 1e9
_WEB_ADDRESS = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_PASS = re.compile(r"[0-9]{1,9}")
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([GM]?)(?:i?B)?", re.IGNORECASE)
_CPUS = re.compile(r"[0-9]{1,3}")
_COST = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SIZE_HINT = "a number and G or M, like 2G"


@dataclass(frozen=True)
class ImageUrl:
    """Where the image of a virtual machine is, and its checksum."""

    address: str
    sha256: str


def is_pass(text: str) -> bool:
    """Return whether ``text`` is a number of a pass."""
    return bool(_PASS.fullmatch(text))


def is_size(text: str) -> bool:
    """Return whether ``text`` is a size of memory or disk: a number, and G or M where it is not in the attribute's own unit."""
    return _size_mb(text, 1) is not None


def parse_kind(text: str) -> str:
    """Parse ``node_type``: the name of a kind, in any spelling."""
    kind = kind_named(text)
    if kind is None:
        raise _wrong(f"unknown node_type {text!r}", ALLOWED)
    return kind


def parse_pass(text: str) -> int | None:
    """Parse ``PartitionPass``; an empty one says nothing."""
    if not text:
        return None
    if not is_pass(text):
        raise _wrong(f"PartitionPass {text!r} is not a number", "0 to 999999999")
    return int(text)


def parse_memory_mb(text: str) -> int:
    """Parse ``memory``, in MiB; a bare number counts MiB."""
    size = _size_mb(text, 1)
    if size is None:
        raise _wrong(f"containers:memory {text!r} is not a size", _SIZE_HINT)
    return size


def parse_disk_mb(text: str) -> int:
    """Parse ``openvz_diskspace``, in MiB; a bare number counts blocks of 1 KiB."""
    size = _size_mb(text, 1 / 1024)
    if size is None:
        raise _wrong(f"containers:openvz_diskspace {text!r} is not a size", _SIZE_HINT)
    return size


def parse_cpus(text: str) -> int:
    """Parse ``cpus``, a number of processors."""
    number = int(text) if _CPUS.fullmatch(text.strip()) else 0
    if not 1 <= number <= MOST_CPUS:
        raise _wrong(f"containers:cpus {text!r} is not a number of processors", f"1 to {MOST_CPUS}")
    return number


def parse_image_url(text: str) -> ImageUrl | None:
    """Parse ``qemu_url``: the address of an image, with its checksum after a # sign; an empty one says nothing."""
    if not text:
        return None
    address, _sign, mark = text.strip().partition("#")
    sha256 = mark.removeprefix("sha256=")
    if not is_web_address(address):
        raise _wrong(f"qemu_url {address!r} is no http or https URL",
                     "a file of the controller needs an entry in the site's images, for containers:image to name")
    if not _SHA256.fullmatch(sha256):
        raise _wrong(f"qemu_url {address} comes without its checksum",
                     f"{address}#sha256=… with the 64 digits that sha256sum prints, or an image of the site's catalogue")
    return ImageUrl(address, sha256.lower())


def is_web_address(text: str) -> bool:
    """Return whether the text is an http or https URL. A topology may name no other address: the controller would open it as root."""
    return bool(_WEB_ADDRESS.match(text.strip()))


def parse_routes(text: str) -> tuple[tuple[str, ...], ...]:
    """Parse ``route``: the words of each route, of which a semicolon follows all but the last."""
    return tuple(tuple(words) for words in (route.split() for route in text.split(";")) if words)


def parse_cost(text: str) -> int:
    """Parse ``cost`` of a substrate, in millionths."""
    number = float(text) if _COST.fullmatch(text.strip()) else 0.0
    cost = round(number * COST_UNIT) if number <= _LARGEST_COST else 0
    if not cost:
        raise _wrong(f"its cost {text!r} is invalid", f"a number from {1 / COST_UNIT:f} to {_LARGEST_COST:,.0f}")
    return cost


def routing_protocol(element: Element) -> str:
    """Return the routing protocol that a topology or a computer names, "" for none.

    NS files and the original's own TopDL files spell the attribute differently.
    """
    return (containers_attribute(element, RTPROTO) or element.attribute(RTPROTO) or "").strip()


def _size_mb(text: str, bare_mb: float) -> int | None:
    """Return a size in MiB, rounded up; None when ``text`` is none. A number without a suffix counts units of ``bare_mb`` MiB."""
    match = _SIZE.fullmatch(text.strip())
    if not match or not float(match[1]):
        return None
    return max(1, math.ceil(float(match[1]) * {"": bare_mb, "M": 1, "G": 1024}[match[2].upper()]))


def _wrong(message: str, hint: str) -> InputError:
    return InputError(Problem(message, hint=hint))
