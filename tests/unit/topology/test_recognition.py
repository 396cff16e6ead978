# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file's content decides its format; its name only breaks ties. A broken file keeps its format, and an unknown one is described."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.readers import FORMS, form_of, read_content

EXAMPLES = Path(__file__).parents[3] / "examples"
OF = {
    "TopDL": (EXAMPLES / "quickstart" / "quickstart.xml").read_bytes(),
    "NS": (EXAMPLES / "tutorial" / "basic.tcl").read_bytes(),
    "GraphML": (EXAMPLES / "imports" / "campus.graphml").read_bytes(),
    "containerlab": (EXAMPLES / "imports" / "routers.clab.yml").read_bytes(),
}
NAMES = ["lab", "lab.txt", "lab.xml", "lab.tcl", "lab.ns", "lab.graphml", "clab.yaml", "lab.yml", "topology.yaml", "lab.clab.yml", "LAB.XML", "lab.json"]
USUAL = {"TopDL": ".xml", "NS": (".tcl", ".ns"), "GraphML": (".graphml", ".xml"), "containerlab": (".yml", ".yaml")}
SUFFIXES = (".xml", ".tcl", ".ns", ".graphml", ".yml", ".yaml")


def errors_of(text, name):
    with pytest.raises(InputError) as caught:
        read_content(text, f"/nonexistent/{name}", name)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", OF)
def test_file_is_read_in_its_format_whatever_its_name(form, name):
    found = read_content(OF[form], f"/nonexistent/{name}", name)
    assert found.form.name == form and found.topology.computers
    odd = [str(warning) for warning in found.warnings if f"its content {form}" in str(warning)]
    misleading = name.lower().endswith(SUFFIXES) and not name.lower().endswith(USUAL[form])
    assert len(odd) == misleading and (not odd or odd[0].startswith(f"{name}: its name says ") and odd[0].endswith(f": it is read as {form}"))


RECOGNISED = {
    "TopDL in another document": (b"<mail><topdldescription><elements/></topdldescription></mail>", "TopDL"),
    "TopDL with a namespace": (b'<?xml version="1.0"?>\n<!-- <graphml> -->\n<t:topology xmlns:t="x"/>', "TopDL"),
    "TopDL in UTF-16": (OF["TopDL"].decode().encode("utf-16"), "TopDL"),
    "TopDL with a byte order mark": (b"\xef\xbb\xbf" + OF["TopDL"], "TopDL"),
    "GraphML after a comment": (b"<!-- <experiment> -->\n<graphml><graph/></graphml>", "GraphML"),
    "an NS file without a simulator": (b"# a lab\nset a [$ns node]\n", "NS"),
    "an NS file with an XML tag in it": (b"set ns [new Simulator]\nputs <experiment>\n$ns run\n", "NS"),
    "an NS file that comments on containerlab": (b"source tb_compat.tcl\n# topology: a star\n", "NS"),
    "containerlab in JSON": (json.dumps({"name": "x", "topology": {"nodes": {}}}).encode(), "containerlab"),
    "containerlab in one line": (b"{topology: {nodes: {a: {}}}}", "containerlab"),
    "containerlab with keys in quotes": (b'name: x\n"topology":\n  nodes: {}\n', "containerlab"),
    "containerlab that talks of NS": (b"name: x\ntopology:\n  nodes: {}\n# not a new Simulator\n", "containerlab"),
}


@pytest.mark.parametrize("case", RECOGNISED)
def test_sign_is_found_wherever_it_may_be(case):
    text, form = RECOGNISED[case]
    assert form_of(text, "lab")[0].name == form


def test_name_decides_between_two_signs():
    both = b"topology:\n  nodes: {}\n# $ns\nset ns [new Simulator]\n"
    assert [form_of(both, name)[0].name for name in ("lab", "lab.tcl", "lab.clab.yml")] == ["containerlab", "NS", "containerlab"]


BROKEN = {
    "XML": ("a.xml", b"<experiment>\n<elements></experiment>", "a.xml:2: not well-formed XML"),
    "XML without a suffix": ("a", b"<experiment>\n<elements></experiment>", "a:2: not well-formed XML"),
    "XML with a cut tag": ("a.xml", b"<exper", "a.xml:1: not well-formed XML"),
    "XML after other text": ("a.xml", b"junk <experiment/>", "a.xml:1: not well-formed XML: Start tag expected"),
    "XML with a document type": ("a.xml", b"<?xml version='1.0'?>\n<!DOCTYPE experiment>\n<experiment/>", "a.xml:2: a document type declaration"),
    "XML with a NUL byte": ("a", b"<experiment>\n\0</experiment>", "a:2: contains a NUL byte"),
    "GraphML": ("a.xml", b"<graphml>\n<graph>\n</graphml>", "a.xml:3: not well-formed XML"),
    "GraphML without a graph": ("a.xml", b"<graphml/>", "a.xml:1: there is no graph in <graphml>"),
    "an unbalanced NS file": ("a.txt", b"set ns [new Simulator]\nset a {\n", "a.txt:2: missing close-brace"),
    "a Tcl file without a sign": ("a.tcl", b"set a 1\nnonsense\n", "a.tcl:2: there is no command nonsense"),
    "YAML": ("clab.yaml", b"topology:\n  nodes: [a\n", "clab.yaml:3: is not YAML"),
    "YAML without a sign": ("lab.yml", b"name: x\nnodes: [a\n", "lab.yml:3: is not YAML"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_file_gets_the_error_of_its_own_format_with_the_line(case):
    name, text, expected = BROKEN[case]
    assert errors_of(text, name)[0].startswith(expected)


UNKNOWN = {
    "nothing": (b"", "is empty"),
    "white space": (b" \n", "is empty"),
    "a compressed topology": (gzip.compress(OF["TopDL"]), "is compressed with gzip, and has to be unpacked first"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is binary"),
    "a web page": (b"<!DOCTYPE html>\n<html><body>", "is a web page"),
    "GEXF": (b"<?xml version='1.0'?><!-- a graph --><gexf/>", "is XML that begins with <gexf>"),
    "JSON": (b'{"nodes": [], "links": []}', "is JSON"),
    "deep JSON": (b"[" * 100_000, "is text that begins with"),
    "YAML of something else": (b"nodes: [a, b]\nlinks: []\n", "is YAML without topology: and below it nodes: (its keys are nodes, links)"),
    "DOT": (b"strict digraph lab {\n a -> b\n}", "is a Graphviz file"),
    "GML": (b'Creator "x"\ngraph [\n node [ id 1 ]\n]', "is a GML file"),
    "a script": (b"#!/usr/bin/env python3\nfrom mininet.net import Mininet\n", "is a script"),
    "a control character in prose": (b"hello \x07", "is binary"),
    "prose": (b"\nhello world\n", "is text that begins with 'hello world'"),
}


@pytest.mark.parametrize("name", ["lab", "lab.xml", "lab.yml", "lab.graphml"])
@pytest.mark.parametrize("case", UNKNOWN)
def test_unknown_file_is_described_and_every_format_is_named_with_its_sign(case, name):
    text, expected = UNKNOWN[case]
    if case == "deep JSON" and name == "lab.yml":
        return  # it is broken YAML
    (error,) = errors_of(text, name)
    assert error.startswith(f"{name}: is in none of the formats that are read: it {expected}")
    assert all(f"{form.name} is {form.sign.language} {form.sign.words}" in error for form in FORMS)


def test_misleading_name_is_said_beside_the_errors_too():
    errors = errors_of(b"set ns [new Simulator]\nnonsense\n$ns run\n", "lab.xml")
    assert errors == ["lab.xml: its name says TopDL, its content NS: it is read as NS", "lab.xml:2: there is no command nonsense"]


def test_hostile_text_is_recognised_in_linear_time():
    for text in (b"\n" * 2_000_000, b"[" * 2_000_000, b" " * 2_000_000 + b"x", b"new " * 500_000, b"<!--" * 500_000, b"<?" * 1_000_000, b"graph " * 300_000):
        errors_of(text, "lab")
