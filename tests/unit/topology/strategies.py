# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw random topologies with everything that both the model and TopDL can express."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.topology.model import (
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
    ServiceParam,
    Software,
    Storage,
    Substrate,
    Topology,
    Unknown,
)
from hypothesis import strategies as st

XML_SPACE = " \t\r\n"
characters = st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
texts = st.text(characters | st.sampled_from("\t\n\r<>&\"'"), max_size=12).map(lambda text: text.strip(XML_SPACE))
words = texts.filter(bool)
node_names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,31}", fullmatch=True)
amounts = st.floats(min_value=0, allow_nan=False, allow_infinity=False)

OWN = Unknown("", 'a="1" b="&lt;&quot;&#10;"')
WRAPPER = Unknown("..", 'where="outside"')
NAME = Unknown("name/1", 'lang="en"')
ELEMENT = Unknown("widget", '<widget x="&amp;">text &lt;\n  <inner/>tail</widget>')


def some_of(*unknown):
    """Draw some of ``unknown``, in the given order."""
    return st.tuples(*[st.booleans()] * len(unknown)).map(lambda wanted: tuple(u for u, want in zip(unknown, wanted, strict=True) if want))


def tuples(strategy, most=2):
    return st.lists(strategy, max_size=most).map(tuple)


def maybe(strategy):
    return st.none() | strategy


def kinds():
    """Draw (kind, kind_text) pairs as a reader makes them."""
    return st.sampled_from([("max", None), ("average", None), ("average", "avg"), ("max", "MAX"), ("max", ""), ("max", "peak")])


def shapes(make):
    return st.builds(lambda value, kind, unknown: make(value, *kind, unknown), amounts, kinds(), some_of(OWN, ELEMENT))


unknowns = some_of(OWN, ELEMENT)
attributes = tuples(st.builds(Attribute, words, texts, some_of(OWN, ELEMENT) | st.just(())), 3)
services = tuples(
    st.builds(
        Service,
        name=words,
        importers=tuples(texts),
        params=tuples(st.builds(ServiceParam, words, texts, unknowns)),
        description=maybe(texts),
        status=maybe(texts),
        unknown=some_of(NAME, OWN, ELEMENT),
    ),
    1,
)
statuses = maybe(st.sampled_from(["active", "failed", "", "odd"]))
cpus = st.builds(Cpu, type=texts, count=st.integers(0, 2**31 - 1), attributes=attributes, unknown=unknowns)
systems = st.builds(OperatingSystem, name=texts, version=texts, distribution=texts, distributionversion=texts, attributes=attributes, unknown=unknowns)
software = st.builds(Software, location=words, install=maybe(texts), attributes=attributes, unknown=unknowns)
storage = st.builds(Storage, amount_mb=amounts, persistence=texts, attributes=attributes, unknown=unknowns)


def substrates(name):
    return st.builds(
        Substrate,
        name=st.just(name),
        capacity=maybe(shapes(Capacity)),
        latency=maybe(shapes(Latency)),
        attributes=attributes,
        localnames=tuples(texts),
        status=statuses,
        services=services,
        operations=tuples(texts),
        unknown=some_of(NAME, OWN, ELEMENT),
    )


@st.composite
def interfaces(draw, substrate_names, most_substrates):
    """Draw the interfaces of one element. There are none without substrates."""
    if not substrate_names:
        return ()
    names = draw(st.lists(words, max_size=3, unique=True))
    attached = st.lists(st.sampled_from(substrate_names), min_size=1, max_size=most_substrates).map(tuple)
    return tuple(
        draw(
            st.builds(
                Interface,
                name=st.just(name),
                substrates=attached,
                capacity=maybe(shapes(Capacity)),
                latency=maybe(shapes(Latency)),
                attributes=attributes,
                unknown=some_of(NAME, OWN, ELEMENT),
            )
        )
        for name in names
    )


def computers(name, attached):
    return st.builds(
        Computer,
        name=st.just(name),
        cpus=tuples(cpus),
        operating_systems=tuples(systems, 1),
        software=tuples(software),
        storage=tuples(storage, 1),
        interfaces=attached,
        attributes=attributes,
        localnames=tuples(texts),
        status=statuses,
        services=services,
        operations=tuples(texts),
        unknown=some_of(NAME, OWN, WRAPPER, ELEMENT),
    )


FIELDS = {
    "testbed": st.permutations([("uri", "https://example.org/?a=1&b=2"), ("type", "emulab")]).map(tuple),
    "segment": st.permutations([("id/fedid", "YWJj"), ("type", "x"), ("uri", "")]).map(tuple),
    "region": st.permutations([("level", "1"), ("fragname", "part")]).map(tuple),
    "other": st.just(()),
}


@st.composite
def other_elements(draw, kind, name, attached):
    return draw(
        st.builds(
            OtherElement,
            kind=st.just(kind),
            name=st.just(name),
            fields=FIELDS[kind],
            interfaces=attached,
            attributes=attributes,
            localnames=tuples(texts),
            status=statuses,
            services=services,
            operations=tuples(texts),
            unknown=some_of(OWN, WRAPPER, ELEMENT),
        )
    )


@st.composite
def bodies(draw, version):
    """Draw (substrates, elements) that fit each other."""
    found = tuple(draw(substrates(name)) for name in draw(st.lists(node_names, max_size=3, unique=True)))
    attached = interfaces([substrate.name for substrate in found], 3 if version == "1.0" else 1)
    elements = []
    for name in draw(st.lists(node_names, max_size=3, unique=True)):
        kind = draw(st.sampled_from(["computer", "computer", "testbed", "segment", "other"] + ["region"] * (version == "2.0")))
        elements.append(draw(computers(name, attached) if kind == "computer" else other_elements(kind, name, attached)))
    return found, tuple(elements)


@st.composite
def fragments(draw, name):
    found, elements = draw(bodies("2.0"))
    ifmaps = draw(tuples(st.builds(IfMap, texts, texts, unknowns)))
    return Fragment(name=name, substrates=found, elements=elements, ifmaps=ifmaps, attributes=draw(attributes), unknown=draw(some_of(NAME, OWN, ELEMENT)))


@st.composite
def topologies(draw):
    """Draw a topology. Version 2.0 may have regions, fragments and namemaps."""
    version = draw(st.sampled_from(["1.0", "2.0"]))
    found, elements = draw(bodies(version))
    parts = tuple(draw(fragments(name)) for name in draw(st.lists(words, max_size=2, unique=True))) if version == "2.0" else ()
    namemaps = st.builds(NameMap, pathname=texts, namemaps=tuples(st.builds(IfMap, texts, texts, unknowns)), attributes=attributes, unknown=unknowns)
    return Topology(
        latency_model=draw(st.sampled_from(["hop", "path"])),
        substrates=found,
        elements=elements,
        fragments=parts,
        namemaps=draw(tuples(namemaps, 1)) if version == "2.0" else (),
        attributes=draw(attributes),
        unknown=draw(some_of(Unknown("version/1", 'since="2008"'), OWN, ELEMENT)),
    )
