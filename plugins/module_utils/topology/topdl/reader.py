# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of TopDL, versions 1.0 and 2.0, as described in spec/topdl.md.

All errors of a file are reported at once, as one InputError. Warnings are returned beside the topology.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

from ...errors import Problem
from ..attributes import LATENCY_MODEL, containers_attribute, containers_name
from ..model import Attribute, Computer, Fragment, IfMap, NameMap, OtherElement, Substrate, Topology
from ..problem_log import ProblemLog
from ..scope import Scope, XmlElement, local_name, named, raw_xml, shown
from ..xml_source import load, parse
from .consistency import check_names, check_several_substrates
from .elements import ELEMENT_TAGS, read_computer, read_other, read_substrate

_ROOT_NAMES = ("experiment", "topology")
_ROOT_CHILDREN = ("substrates", "elements", "fragments", "namemaps")
_VERSIONS = ("1.0", "2.0")
LEFT_OUT = "what is around it is left out"
_MODEL_OF_VERSION = {"1.0": "hop", "2.0": "path"}


def read_topdl(path: str, source: str | None = None) -> tuple[Topology, tuple[Problem, ...]]:
    """Read the TopDL file ``path``; return the topology and the warnings about it.

    source  the name of the file in messages; the path by default
    Raises InputError with all errors of the file, each with line and element.
    """
    source = str(path) if source is None else source
    return read_topdl_text(load(path, source), source)


def read_topdl_text(text: bytes, source: str) -> tuple[Topology, tuple[Problem, ...]]:
    """Read TopDL from the content of a file; see ``read_topdl``."""
    problems = ProblemLog(source)
    with _collector_at_rest():
        root = parse(text, problems)
        start = None if root is None else _topology_element(root, problems)
        topology = Topology() if start is None else _topology(start, problems)
    problems.raise_errors()
    return topology, problems.warnings()


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Disable the garbage collector: a topology being built has no garbage, yet each collection traverses all of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _topology_element(root: XmlElement, problems: ProblemLog) -> XmlElement | None:
    """Return the element that holds the topology: the root, or a deeper one if TopDL is embedded in another format."""
    if any(local_name(child) in _ROOT_CHILDREN for child in root):
        return root
    for inner in root.iterdescendants():
        if any(local_name(child) in _ROOT_CHILDREN for child in inner):
            message = f"the topology is taken from <{local_name(inner)}>; {LEFT_OUT}"
            problems.warn("embedding", inner.sourceline or 0, "", message)
            return inner
    if local_name(root) in _ROOT_NAMES:
        return root
    problems.absence(root.sourceline or 0, "", f"there is no topology in <{local_name(root)}>", "a topology begins with <experiment>")
    return None


def _topology(xml: XmlElement, problems: ProblemLog) -> Topology:
    scope = Scope(problems, xml, "")
    declared = _version(scope)
    substrates = _substrates(scope)
    elements = _elements(scope)
    fragments = scope.each("fragments", _fragment, "fragment")
    namemaps = scope.each("namemaps", _namemap, "namemap")
    attributes = scope.attributes()
    topology = Topology(
        version=_effective_version(scope, declared, elements, fragments, namemaps),
        latency_model=_latency_model(scope, attributes, declared),
        substrates=substrates,
        elements=elements,
        attributes=tuple(attribute for attribute in attributes if containers_name(attribute.name) != LATENCY_MODEL),
        fragments=fragments,
        namemaps=namemaps,
        unknown=scope.unknown(),
        line=scope.line,
        source=problems.source,
    )
    if not problems.damaged:
        _check(topology, problems)
    return topology


def _check(topology: Topology, problems: ProblemLog) -> None:
    check_names(problems, topology.substrates, topology.elements)
    if topology.version == "2.0":
        check_several_substrates(problems, topology.elements)
    names = set()
    for fragment in topology.fragments:
        check_names(problems, fragment.substrates, fragment.elements, fragment.name or "without a name")
        check_several_substrates(problems, fragment.elements)
        if fragment.name in names:
            problems.error(fragment.line, named("fragment", fragment.name), "this name is taken")
        names.add(fragment.name)
    for region in topology.elements:
        wanted = dict(region.fields).get("fragname") if isinstance(region, OtherElement) and region.kind == "region" else None
        if wanted and wanted not in names:
            problems.warn("regions without a fragment", region.line, named("region", region.name), f"there is no fragment {shown(wanted)}")


def _version(scope: Scope) -> str:
    text = scope.text("version")
    if text is None or text in _VERSIONS:
        return text or "1.0"
    scope.warn("version", f"<version> is {shown(text)}; it is read as 1.0", "1.0 or 2.0")
    return "1.0"


def _effective_version(scope: Scope, declared: str, elements: Sequence[Computer | OtherElement], fragments: Sequence[Fragment],
                       namemaps: Sequence[NameMap]) -> str:
    """Return 2.0 if the topology uses a feature of version 2.0, else the declared version."""
    regions = any(isinstance(element, OtherElement) and element.kind == "region" for element in elements)
    if declared == "1.0" and (regions or fragments or namemaps):
        scope.warn("version", "regions, fragments and namemaps are of TopDL 2.0; the file is read as that", "<version>2.0</version>")
        return "2.0"
    return declared


def _latency_model(scope: Scope, attributes: tuple[Attribute, ...], declared: str) -> str:
    """Return ``hop`` or ``path``: the value of the root attribute, else the default of the version."""
    said = containers_attribute(Topology(attributes=attributes), LATENCY_MODEL)
    if said is None:
        return _MODEL_OF_VERSION[declared]
    if said not in _MODEL_OF_VERSION.values():
        scope.error(f"attribute containers:{LATENCY_MODEL} is {shown(said)}", "'hop' or 'path'")
    return said


def _substrates(scope: Scope) -> tuple:
    """Read the substrates. A wrapper is itself a substrate, unless it holds several <substrate> elements."""
    found: list[Substrate] = []
    for wrapper in scope.take("substrates"):
        inner = [child for child in wrapper if local_name(child) == "substrate"]
        several = inner and not any(local_name(child) == "name" for child in wrapper)
        for xml in inner if several else [wrapper]:
            found.append(read_substrate(Scope(scope.problems, xml, "substrate", scope, len(found) + 1)))
        if several and (len(inner) < len(wrapper) or wrapper.attrib):
            line = wrapper.sourceline or 0
            scope.error("a <substrates> of several <substrate> holds something else beside them", "give every substrate a <substrates> of its own", line)
    return tuple(found)


def _elements(scope: Scope) -> tuple:
    """Read the computers, testbeds, segments, regions and others of all wrappers."""
    found = []
    numbers: Counter = Counter()
    for wrapper in scope.take("elements"):
        for xml in wrapper:
            kind = local_name(xml)
            if kind in ELEMENT_TAGS:
                read = read_computer if kind == "computer" else read_other
                numbers[kind] += 1
                found.append(read(Scope(scope.problems, xml, kind, scope, numbers[kind], wrapper)))
        _keep_rest(scope, wrapper, ELEMENT_TAGS)
    return tuple(found)


def _keep_rest(scope: Scope, wrapper: XmlElement, known: Container[str]) -> None:
    """Keep the other content of a wrapper, in a wrapper of its own."""
    rest = [local_name(child) for child in wrapper if local_name(child) not in known]
    line = wrapper.sourceline or 0
    if rest:
        scope.keep(local_name(wrapper), raw_xml(wrapper, without=known), line, "> and <".join(dict.fromkeys(rest)))
    elif not len(wrapper):
        scope.warn("empty wrappers", f"<{local_name(wrapper)}> is empty", line=line)


def _fragment(scope: Scope) -> Fragment:
    """Read a fragment. Its substrates and elements are in a <topology> or, as one reader accepts, directly in it."""
    scope.name = scope.text("name") or ""
    if not scope.name:
        scope.absence("a fragment without a name")
    substrates, elements = _substrates(scope), _elements(scope)
    for xml in scope.take("topology"):
        inner = Scope(scope.problems, xml, "", scope)
        substrates += _substrates(inner)
        elements += _elements(inner)
        scope.keep_quietly("topology", inner.unknown())
    return Fragment(
        name=scope.name,
        substrates=substrates,
        elements=elements,
        ifmaps=scope.each("ifmap", _ifmap),
        attributes=scope.attributes(),
        unknown=scope.unknown(),
        line=scope.line,
    )


def _namemap(scope: Scope) -> NameMap:
    scope.name = scope.text("pathname") or ""
    return NameMap(
        pathname=scope.name,
        namemaps=scope.each("namemap", _ifmap),
        attributes=scope.attributes(),
        unknown=scope.unknown(),
        line=scope.line,
    )


def _ifmap(scope: Scope) -> IfMap:
    for tag in ("inner", "outer"):
        if not scope.has(tag):
            scope.absence(f"has no <{tag}>")
    return IfMap(scope.text("inner") or "", scope.text("outer") or "", scope.unknown())
