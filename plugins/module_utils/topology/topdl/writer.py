# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer of TopDL that all TopDL readers accept (spec/topdl.md "Writer rules" and "Round trip").

It writes version 1.0, unless the topology uses a feature of 2.0. The order of elements is that of version
1.0. Unknown content comes after the known children of the element that it was found in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

from ...errors import InputError, Problem
from ..attributes import LATENCY_MODEL, PREFIX
from ..model import (
    Attribute,
    Capacity,
    Computer,
    Cpu,
    Fragment,
    IfMap,
    Interface,
    Latency,
    NameMap,
    OperatingSystem,
    OtherElement,
    Service,
    Software,
    Storage,
    Substrate,
    Topology,
    Unknown,
)

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LARGEST_PLAIN = 1e15
_FIELDS_AFTER_ATTRIBUTES = ("level", "fragname")


def write_topdl(topology: Topology) -> str:
    """Return the topology as XML text: declaration, UTF-8, indented by two spaces per level, with a final newline.

    Raises InputError if a text holds a character that XML cannot represent.
    """
    out = _Out(_version(topology))
    out.open("experiment", topology.unknown)
    out.leaf("version", out.version, topology.unknown)
    for substrate in topology.substrates:
        _substrate(out, substrate)
    for element in topology.elements:
        _element(out, element)
    latency_model = Attribute(PREFIX + LATENCY_MODEL, topology.latency_model)
    _attributes(out, (*topology.attributes, latency_model))
    for fragment in topology.fragments:
        _fragment(out, fragment)
    for namemap in topology.namemaps:
        _namemap(out, namemap)
    out.close("experiment", topology.unknown)
    text = "\n".join(out.lines) + "\n"
    _refuse_what_xml_cannot_carry(text, topology.source)
    return text


def _version(topology: Topology) -> str:
    regions = any(isinstance(element, OtherElement) and element.kind == "region" for element in topology.elements)
    return "2.0" if regions or topology.fragments or topology.namemaps else "1.0"


def _refuse_what_xml_cannot_carry(text: str, source: str) -> None:
    problems = []
    for match in NOT_XML.finditer(text):
        start = text.rfind("\n", 0, match.start()) + 1
        line = text[start : text.find("\n", start)].strip()
        problems.append(Problem(f"XML cannot carry the character U+{ord(match.group()):04X} in {line!r}", source))
    if problems:
        raise InputError(dict.fromkeys(problems))


class _Out:
    """The lines of an XML document being written in one version of TopDL, and the current indentation."""

    def __init__(self, version: str):
        self.version = version
        self.lines = ['<?xml version="1.0" encoding="UTF-8"?>']
        self.pad = ""

    def open(self, tag: str, unknown: tuple[Unknown, ...] = (), extra: str = "") -> None:
        """Start an element; ``extra`` has its known XML attributes."""
        attributes = extra + _xml_attributes(unknown, "") if unknown else extra
        self.lines.append(f"{self.pad}<{tag}{attributes}>")
        self.pad += "  "

    def wrap(self, tag: str, unknown: tuple[Unknown, ...] = ()) -> None:
        """Start the wrapper around one item; its XML attributes were kept with the item."""
        attributes = _xml_attributes(unknown, "..") if unknown else ""
        self.lines.append(f"{self.pad}<{tag}{attributes}>")
        self.pad += "  "

    def close(self, tag: str, unknown: tuple[Unknown, ...] = ()) -> None:
        """Write the unknown elements of an element, then end it."""
        for kept in unknown:
            if _is_element(kept.tag):
                self.lines.append(f"{self.pad}{kept.text}")
        self.pad = self.pad[:-2]
        self.lines.append(f"{self.pad}</{tag}>")

    def leaf(self, tag: str, text: str | None, unknown: tuple[Unknown, ...] = (), number: int = 1) -> None:
        """Write an element with text only; write nothing if it has neither text nor kept XML attributes."""
        attributes = _xml_attributes(unknown, f"{tag}/{number}") if unknown else ""
        if text is not None or attributes:
            self.lines.append(f"{self.pad}<{tag}{attributes}>{_escaped(text or '')}</{tag}>")

    def leaves(self, tag: str, texts: Iterable[str], unknown: tuple[Unknown, ...] = ()) -> None:
        for number, text in enumerate(texts, 1):
            self.leaf(tag, text, unknown, number)


def _escaped(text: str) -> str:
    return escape(text, {"\r": "&#13;"})


def _is_element(tag: str) -> bool:
    return tag not in ("", "..") and "/" not in tag


def _xml_attributes(unknown: tuple[Unknown, ...], tag: str) -> str:
    return "".join(f" {kept.text}" for kept in unknown if kept.tag == tag)


def _number(value: float) -> str:
    """Format a number with six decimals, which every reader accepts; with more only if the value would change."""
    text = f"{value:.6f}" if value < _LARGEST_PLAIN else repr(value)
    return text if float(text) == value else repr(value)


def _attributes(out: _Out, attributes: Iterable[Attribute]) -> None:
    pad = out.pad
    for attribute in attributes:
        if attribute.unknown:
            out.open("attribute", attribute.unknown)
            out.leaf("attribute", attribute.name, attribute.unknown)
            out.leaf("value", attribute.value, attribute.unknown)
            out.close("attribute", attribute.unknown)
        else:
            out.lines.append(f"{pad}<attribute>")
            out.lines.append(f"{pad}  <attribute>{_escaped(attribute.name)}</attribute>")
            out.lines.append(f"{pad}  <value>{_escaped(attribute.value)}</value>")
            out.lines.append(f"{pad}</attribute>")


def _shape(out: _Out, capacity: Capacity | None, latency: Latency | None) -> None:
    if capacity is not None:
        _shape_element(out, "capacity", "rate", capacity.rate_kbps, capacity)
    if latency is not None:
        _shape_element(out, "latency", "time", latency.time_ms, latency)


def _shape_element(out: _Out, tag: str, number_tag: str, value: float, shape: Capacity | Latency) -> None:
    out.open(tag, shape.unknown)
    out.leaf(number_tag, _number(value), shape.unknown)
    kind = shape.kind if shape.kind_text is None else shape.kind_text
    out.leaf("kind", kind or None, shape.unknown)
    out.close(tag, shape.unknown)


def _substrate(out: _Out, substrate: Substrate) -> None:
    unknown = substrate.unknown
    out.open("substrates", unknown)
    out.leaf("name", substrate.name, unknown)
    _shape(out, substrate.capacity, substrate.latency)
    _attributes(out, substrate.attributes)
    _tail(out, substrate)
    out.close("substrates", unknown)


def _tail(out: _Out, element: Substrate | Computer | OtherElement) -> None:
    """Write the common last children of substrates and elements."""
    out.leaves("localname", element.localnames, element.unknown)
    out.leaf("status", element.status, element.unknown)
    for service in element.services:
        _service(out, service)
    out.leaves("operation", element.operations, element.unknown)


def _service(out: _Out, service: Service) -> None:
    unknown = service.unknown
    out.open("service", unknown)
    out.leaf("name", service.name, unknown)
    out.leaves("importer", service.importers, unknown)
    for param in service.params:
        out.open("param", param.unknown)
        out.leaf("name", param.name, param.unknown)
        out.leaf("type", param.type, param.unknown)
        out.close("param", param.unknown)
    out.leaf("description", service.description, unknown)
    out.leaf("status", service.status, unknown)
    out.close("service", unknown)


def _element(out: _Out, element: Computer | OtherElement) -> None:
    out.wrap("elements", element.unknown)
    if isinstance(element, Computer):
        _computer(out, element)
    else:
        _other(out, element)
    out.close("elements")


def _computer(out: _Out, computer: Computer) -> None:
    out.open("computer", computer.unknown)
    out.leaf("name", computer.name, computer.unknown)
    _hardware(out, computer)
    for interface in computer.interfaces:
        _interface(out, interface)
    _attributes(out, computer.attributes)
    _tail(out, computer)
    out.close("computer", computer.unknown)


def _hardware(out: _Out, computer: Computer) -> None:
    for cpu in computer.cpus:
        count = str(cpu.count) if cpu.count != 1 else None
        outside = f' count="{count}"' if count and out.version == "1.0" else ""
        _part(out, "cpu", cpu, {"count": None if outside else count, "type": cpu.type or None}, outside)
    for system in computer.operating_systems:
        texts = {tag: getattr(system, tag) or None for tag in ("name", "version", "distribution", "distributionversion")}
        _part(out, "os", system, texts)
    for software in computer.software:
        _part(out, "software", software, {"location": software.location, "install": software.install})
    for storage in computer.storage:
        _part(out, "storage", storage, {"amount": _number(storage.amount_mb), "persistence": storage.persistence or None})


def _part(out: _Out, tag: str, part: Cpu | OperatingSystem | Software | Storage, texts: dict[str, str | None], known: str = "") -> None:
    """Write a cpu, os, software or storage: its texts, then its attributes. ``known`` has its known XML attributes."""
    out.open(tag, part.unknown, known)
    for name, text in texts.items():
        out.leaf(name, text, part.unknown)
    _attributes(out, part.attributes)
    out.close(tag, part.unknown)


def _interface(out: _Out, interface: Interface) -> None:
    unknown = interface.unknown
    out.open("interface", unknown)
    out.leaves("substrate", interface.substrates, unknown)
    out.leaf("name", interface.name, unknown)
    _shape(out, interface.capacity, interface.latency)
    _attributes(out, interface.attributes)
    out.close("interface", unknown)


def _other(out: _Out, element: OtherElement) -> None:
    unknown = element.unknown
    out.open(element.kind, unknown)
    out.leaf("name", element.name or None, unknown)
    _fields(out, [field for field in element.fields if field[0] not in _FIELDS_AFTER_ATTRIBUTES], unknown)
    for interface in element.interfaces:
        _interface(out, interface)
    _attributes(out, element.attributes)
    _fields(out, [field for field in element.fields if field[0] in _FIELDS_AFTER_ATTRIBUTES], unknown)
    _tail(out, element)
    out.close(element.kind, unknown)


def _fields(out: _Out, fields: Iterable[tuple[str, str]], unknown: tuple[Unknown, ...]) -> None:
    for tag, text in fields:
        outer, _slash, inner = tag.partition("/")
        if inner:
            out.open(outer)
            out.leaf(inner, text)
            out.close(outer)
        else:
            out.leaf(tag, text, unknown)


def _fragment(out: _Out, fragment: Fragment) -> None:
    out.open("fragments", fragment.unknown)
    out.leaf("name", fragment.name, fragment.unknown)
    out.open("topology")
    for substrate in fragment.substrates:
        _substrate(out, substrate)
    for element in fragment.elements:
        _element(out, element)
    out.close("topology")
    _maps(out, "ifmap", fragment.ifmaps)
    _attributes(out, fragment.attributes)
    out.close("fragments", fragment.unknown)


def _namemap(out: _Out, namemap: NameMap) -> None:
    out.open("namemaps", namemap.unknown)
    out.leaf("pathname", namemap.pathname, namemap.unknown)
    _maps(out, "namemap", namemap.namemaps)
    _attributes(out, namemap.attributes)
    out.close("namemaps", namemap.unknown)


def _maps(out: _Out, tag: str, maps: Iterable[IfMap]) -> None:
    for one in maps:
        out.open(tag, one.unknown)
        out.leaf("inner", one.inner, one.unknown)
        out.leaf("outer", one.outer, one.unknown)
        out.close(tag, one.unknown)
