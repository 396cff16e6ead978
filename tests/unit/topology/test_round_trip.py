# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Written topologies survive a round trip, and any bytes give a topology or an InputError."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Computer, Topology
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl, read_topdl_text
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.writer import write_topdl
from ansible_collections.deter.benito.tests.unit.topology.strategies import topologies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("*.xml"))
CONTENTS = [path.read_bytes() for path in FILES]
TAGS = sorted({tag for content in CONTENTS for tag in re.findall(rb"</([^>]+)>", content)})
slow = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def read(text):
    return read_topdl_text(text.encode() if isinstance(text, str) else text, "test.xml")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_survives_a_round_trip(path):
    topology = read_topdl(path)[0]
    written = write_topdl(topology)
    assert read(written) == topology
    assert write_topdl(read(written)) == written


@slow
@given(topologies())
def test_any_topology_survives_a_round_trip_and_writes_the_same_bytes(topology):
    written = write_topdl(topology)
    again = read(written)
    assert again == topology
    assert write_topdl(again) == written


@st.composite
def damaged(draw):
    """Draw the bytes of a valid file with a few bytes removed, doubled, moved or replaced."""
    data = draw(st.sampled_from(CONTENTS))
    for _time in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        middle = draw(st.sampled_from([b"", data[start:end] * 2, b"\0", b"<", b"&x;", b"<!--", b"-1", b"\xff"]) | st.binary(max_size=8))
        data = data[:start] + middle + data[end:]
    return data


@st.composite
def retagged(draw):
    """Draw a well-formed file in which elements have other names."""
    data = draw(st.sampled_from(CONTENTS))
    for _time in range(draw(st.integers(1, 3))):
        old, new = draw(st.sampled_from(TAGS)), draw(st.sampled_from(TAGS))
        data = re.sub(rb"(</?)" + old + rb"(?=[ >])", rb"\1" + new, data)
    return data


@settings(max_examples=250, deadline=None)
@given(damaged() | retagged() | st.binary(max_size=60))
def test_damaged_file_gives_a_valid_topology_or_an_input_error(data):
    try:
        topology = read(data)
    except InputError as error:
        assert error.problems
        assert all("\n" not in str(problem) for problem in error.problems)
    else:
        written = write_topdl(topology)
        assert read(written) == topology
        assert write_topdl(read(written)) == written


def test_version_1_topology_stays_version_1_and_regions_need_version_2():
    assert "<version>1.0</version>" in write_topdl(read_topdl(DATA / "one_line.xml")[0])
    assert "<version>2.0</version>" in write_topdl(read_topdl(DATA / "regions.xml")[0])


def test_version_2_file_without_regions_becomes_version_1_with_its_latency_model():
    topology = read("<experiment><version>2.0</version></experiment>")
    assert topology.latency_model == "path"
    written = write_topdl(topology)
    assert "<version>1.0</version>" in written
    assert read(written).latency_model == "path"


def test_cpu_count_is_an_xml_attribute_in_version_1_and_an_element_in_version_2():
    one = "<experiment><elements><computer><name>a</name><cpu><count>3</count></cpu></computer></elements></experiment>"
    assert '<cpu count="3">' in write_topdl(read(one))
    assert "<count>4</count>" in write_topdl(read_topdl(DATA / "regions.xml")[0])


def test_rewriting_a_written_file_adds_only_the_latency_model():
    written = write_topdl(Topology(elements=(Computer(name="a", attributes=(Attribute("startup", "true"),)),)))
    assert written.count("<attribute>") == 4
    assert "containers:latency_model" in written


def test_written_text_escapes_special_characters_of_xml():
    topology = Topology(attributes=(Attribute("a<b", "x & y > z ]]> \r end"),))
    assert read(write_topdl(topology)) == topology


def test_invalid_xml_character_is_refused_by_name():
    with pytest.raises(InputError, match=r"U\+0007"):
        write_topdl(Topology(attributes=(Attribute("bell", "a\x07b"),)))
