# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers of the elements of a topology: one function for each type of spec/topdl.md "Types"."""

from __future__ import annotations

from collections.abc import Sequence

from ...names import NODE_RULE, is_node_name
from ..model import Capacity, Computer, Cpu, Interface, Latency, OperatingSystem, OtherElement, Service, ServiceParam, Software, Storage, Substrate
from ..scope import XML_SPACE, Scope, local_name, raw_xml, shown

_KINDS = {"max": "max", "average": "average", "avg": "average"}
_STATUSES = ("empty", "active", "inactive", "starting", "terminating", "failed")
_PARAM_TYPES = ("string", "int", "float")
_ID_TAGS = ("uuid", "fedid", "uri", "localname", "kerberosUsername")
_FIELDS = {"testbed": ("uri", "type"), "segment": ("id", "type", "uri"), "region": ("level", "fragname"), "other": ()}

ELEMENT_TAGS = ("computer", *_FIELDS)


def read_substrate(scope: Scope) -> Substrate:
    """Read a substrate; its name is required and follows the rule for node names."""
    return Substrate(
        name=_node_name(scope),
        capacity=scope.only("capacity", _capacity),
        latency=scope.only("latency", _latency),
        attributes=scope.attributes(),
        localnames=scope.texts("localname"),
        status=_status(scope),
        services=scope.each("service", _service),
        operations=scope.texts("operation"),
        unknown=scope.unknown(),
        line=scope.line,
    )


def read_computer(scope: Scope) -> Computer:
    """Read a computer; its name is required."""
    return Computer(
        name=_node_name(scope),
        cpus=scope.each("cpu", _cpu),
        operating_systems=scope.each("os", _operating_system),
        software=scope.each("software", _software),
        storage=scope.each("storage", _storage),
        interfaces=_interfaces(scope),
        attributes=scope.attributes(),
        localnames=scope.texts("localname"),
        status=_status(scope),
        services=scope.each("service", _service),
        operations=scope.texts("operation"),
        unknown=scope.unknown(),
        line=scope.line,
    )


def read_other(scope: Scope) -> OtherElement:
    """Read a testbed, segment, region or other; only a region requires a name."""
    kind = local_name(scope.xml)
    scope.name = scope.text("name") or ""
    if kind == "region" and not scope.name:
        scope.absence("a region without a name")
    return OtherElement(
        kind=kind,
        name=scope.name,
        fields=_fields(scope, kind),
        interfaces=_interfaces(scope),
        attributes=scope.attributes(),
        localnames=scope.texts("localname"),
        status=_status(scope),
        services=scope.each("service", _service),
        operations=scope.texts("operation"),
        unknown=scope.unknown(),
        line=scope.line,
    )


def _node_name(scope: Scope) -> str:
    name = scope.text("name") or ""
    if not name:
        scope.absence(f"a {scope.kind} without a name", f"every {scope.kind} needs a <name>")
        return ""
    if not is_node_name(name):
        scope.error(f"{shown(name)} is no name for a {scope.kind}", NODE_RULE)
        return name
    scope.name = name
    if "_" in name:
        scope.warn("names with '_'", "the '_' in the name is not allowed in DNS names, nor in NS input", "use '-'")
    elif name.endswith("-"):
        scope.warn("names ending with '-'", "a name ending with '-' is not allowed in DNS")
    return name


def _interfaces(scope: Scope) -> tuple[Interface, ...]:
    """Read the interfaces; name unnamed ones inf000, inf001, …, skipping names that are taken."""
    found = scope.each("interface", _interface)
    if not all(interface.name for interface in found):
        taken = {interface.name for interface in found}
        free = (name for name in map("inf{:03d}".format, range(2 * len(found))) if name not in taken)
        found = tuple(interface if interface.name else _renamed(interface, next(free)) for interface in found)
    if len({interface.name for interface in found}) < len(found):
        _report_repeated_interfaces(scope, found)
    return found


def _renamed(interface: Interface, name: str) -> Interface:
    return Interface(
        name=name,
        substrates=interface.substrates,
        capacity=interface.capacity,
        latency=interface.latency,
        attributes=interface.attributes,
        unknown=interface.unknown,
        line=interface.line,
    )


def _report_repeated_interfaces(scope: Scope, interfaces: Sequence[Interface]) -> None:
    seen: dict[str, Interface] = {}
    for interface in interfaces:
        first = seen.setdefault(interface.name, interface)
        if first is not interface:
            scope.error(f"two interfaces named {shown(interface.name)}", f"the first is in line {first.line}", interface.line)


def _interface(scope: Scope) -> Interface:
    scope.name = scope.text("name") or ""
    substrates = scope.texts("substrate")
    if not all(substrates):
        scope.absence("<substrate> is empty", "the name of a substrate")
    return Interface(
        name=scope.name,
        substrates=substrates,
        capacity=scope.only("capacity", _capacity),
        latency=scope.only("latency", _latency),
        attributes=scope.attributes(),
        unknown=scope.unknown(),
        line=scope.line,
    )


def _capacity(scope: Scope) -> Capacity:
    rate = scope.number_of("rate", "kb/s (1000 bit/s)")
    return Capacity(rate or 0.0, *_kind(scope), scope.unknown())


def _latency(scope: Scope) -> Latency:
    time = scope.number_of("time", "milliseconds")
    return Latency(time or 0.0, *_kind(scope), scope.unknown())


def _kind(scope: Scope) -> tuple[str, str | None]:
    """Return (kind, the file's spelling of it if that differs, else None)."""
    text = scope.text("kind") or ""
    kind = _KINDS.get(text.lower())
    if kind is None:
        said = f"<kind> is {shown(text)}" if text else "there is no <kind>"
        scope.warn(f"<kind> of <{scope.kind}>", f"{said}; 'max' is assumed", "'max' or 'average'; it makes no difference to shaping")
        return "max", text
    return kind, None if text == kind else text


def _status(scope: Scope) -> str | None:
    status = scope.text("status")
    if status is not None and status not in _STATUSES:
        scope.warn("status", f"<status> is {shown(status)}; it is kept, and has no effect", "one of " + ", ".join(_STATUSES))
    return status


def _service(scope: Scope) -> Service:
    scope.name = scope.text("name") or ""
    if not scope.name:
        scope.absence("a service without a name")
    return Service(
        name=scope.name,
        importers=scope.texts("importer"),
        params=scope.each("param", _service_param),
        description=scope.text("description"),
        status=_status(scope),
        unknown=scope.unknown(),
    )


def _service_param(scope: Scope) -> ServiceParam:
    scope.name = scope.text("name") or ""
    kind = scope.text("type") or ""
    if not scope.name:
        scope.absence("a service parameter without a name")
    if kind not in _PARAM_TYPES:
        scope.warn("types of service parameters", f"<type> is {shown(kind)}", "one of " + ", ".join(_PARAM_TYPES))
    return ServiceParam(scope.name, kind, scope.unknown())


def _cpu(scope: Scope) -> Cpu:
    """Read a cpu. Its count is an XML attribute in version 1.0 and an element in 2.0; both are accepted in both."""
    inside = scope.text("count")
    outside = scope.xml_attribute("count")
    if inside is not None and outside is not None and inside != outside.strip():
        scope.error(f"count is both {shown(outside)} and {shown(inside)}", "give it once")
    text = inside if inside is not None else outside
    count = None if text is None else scope.integer("count", text.strip())
    return Cpu(
        type=scope.text("type") or "",
        count=1 if count is None else count,
        attributes=scope.attributes(),
        unknown=scope.unknown(),
        line=scope.line,
    )


def _operating_system(scope: Scope) -> OperatingSystem:
    return OperatingSystem(
        name=scope.text("name") or "",
        version=scope.text("version") or "",
        distribution=scope.text("distribution") or "",
        distributionversion=scope.text("distributionversion") or "",
        attributes=scope.attributes(),
        unknown=scope.unknown(),
        line=scope.line,
    )


def _software(scope: Scope) -> Software:
    location = scope.text("location") or ""
    if not location:
        scope.absence("software without a <location>", "where the package is to be found")
    return Software(
        location=location,
        install=scope.text("install"),
        attributes=scope.attributes(),
        unknown=scope.unknown(),
        line=scope.line,
    )


def _storage(scope: Scope) -> Storage:
    return Storage(
        amount_mb=scope.number_of("amount", "MB") or 0.0,
        persistence=scope.text("persistence") or "",
        attributes=scope.attributes(),
        unknown=scope.unknown(),
        line=scope.line,
    )


def _fields(scope: Scope, kind: str) -> tuple[tuple[str, str], ...]:
    """Return the scalar children of an element that is not a computer, as (tag, text) in document order."""
    tags = _FIELDS[kind]
    order = list(dict.fromkeys(tag for tag in map(local_name, scope.xml) if tag in tags))
    fields = []
    for tag in order:
        if tag == "id":
            fields += _identity(scope)
            continue
        text = scope.text(tag) or ""
        if tag == "level":
            scope.integer("<level>", text)
        fields.append((tag, text))
    return tuple(fields)


def _identity(scope: Scope) -> list[tuple[str, str]]:
    """Return the id of a segment: one of uuid, fedid, uri, localname, kerberosUsername. Keep anything else as unknown."""
    found = scope.take("id")
    if len(found) > 1:
        scope.error("more than one <id>", "there may be one only")
    xml = found[0]
    if len(xml) > 1:
        scope.error("<id> holds more than one identity", "one of " + ", ".join(_ID_TAGS), xml.sourceline or 0)
    elif len(xml) == 1 and local_name(xml[0]) in _ID_TAGS and not (len(xml[0]) or xml.attrib or xml[0].attrib):
        return [(f"id/{local_name(xml[0])}", (xml[0].text or "").strip(XML_SPACE))]
    scope.keep("id", raw_xml(xml), xml.sourceline or 0)
    return []
