# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The original's XML-RPC, called as its clients and Emulab's call it."""

from __future__ import annotations

import xmlrpc.client

import pytest
from ansible_collections.deter.benito.tests.unit.benito.serve.followed import create
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo

from benito.serve.watchers import Watchers
from benito.serve.xml_rpc import MOST_BYTES, answer

NODES = ["v.kinds.DeterTest", "c.kinds.DeterTest", "p.kinds.DeterTest", "n.kinds.DeterTest"]


def ask(home, method, *arguments):
    """Call a method and return its result. Raises xmlrpc.client.Fault."""
    return xmlrpc.client.loads(answer(xmlrpc.client.dumps(arguments, method).encode(), Watchers(str(home))))[0][0]


def fault(home, body: bytes) -> xmlrpc.client.Fault:
    with pytest.raises(xmlrpc.client.Fault) as found:
        xmlrpc.client.loads(answer(body, Watchers(str(home))))
    return found.value


def test_the_extra_nodes_are_those_that_are_no_machines_in_either_calling_form(rpc_home):
    assert ask(rpc_home, "experiment.extra_nodes", "DeterTest", "kinds") == NODES
    assert ask(rpc_home, "experiment.extra_nodes", 0.1, {"proj": "DeterTest", "exp": "kinds"}) == NODES
    for project in ("Proj", "Proj/Group"):
        assert ask(rpc_home, "experiment.extra_nodes", project, "pair") == ["a.pair.Proj", "b.pair.Proj"]


@pytest.mark.parametrize(
    ("method", "arguments", "code", "text"),
    [
        ("experiment.extra_nodes", ("DeterTest", "none"), -32500, "experiment DeterTest/none does not exist below "),
        ("experiment.extra_nodes", ("..", "../etc"), -32500, "is not a name"),
        ("experiment.extra_nodes", ("", ""), -32500, "names no experiment"),
        ("experiment.extra_nodes", (), -32602, "takes two strings, proj and exp"),
        ("experiment.extra_nodes", ("DeterTest",), -32602, "takes two strings, proj and exp"),
        ("experiment.extra_nodes", (0.1, {"proj": "DeterTest"}), -32602, "takes two strings, proj and exp"),
        ("experiment.extra_nodes", (["DeterTest"], 3), -32602, "takes two strings, proj and exp"),
        ("experiment.swapexp", ("DeterTest", "kinds"), -32601, "there is no method 'experiment.swapexp': there are experiment.extra_nodes, "),
        ("__class__", (), -32601, "there is no method"),
    ],
)
def test_a_wrong_call_is_a_fault_with_a_sentence(rpc_home, method, arguments, code, text):
    found = fault(rpc_home, xmlrpc.client.dumps(arguments, method).encode())
    assert found.faultCode == code and text in found.faultString and found.faultString.isprintable()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no XML", b"<methodCall>", b"<methodCall></methodCall>", b"<a/>", b"\x1f\x8b\x08\x00gzip",
        b"<methodCall><methodName>x</methodName><fault/></methodCall>",
        b'<?xml version="1.0" encoding="rot13"?><methodCall><methodName>x</methodName></methodCall>',
        b"<methodCall><methodName>x</methodName><params><param><value><int>" + b"9" * 5000 + b"</int></value></param></params></methodCall>",
        b"<methodCall><methodName>" + b"x" * MOST_BYTES + b"</methodName></methodCall>",
    ],
)
def test_a_body_that_is_no_call_is_a_fault(rpc_home, body):
    found = fault(rpc_home, body)
    assert found.faultCode == -32700 and len(found.faultString) < 200 and found.faultString.isprintable()


def test_arguments_that_are_nested_deeply_are_wrong_arguments(rpc_home):
    deep = "<value><array><data>" * 1500 + "</data></array></value>" * 1500
    body = f"<methodCall><methodName>experiment.extra_nodes</methodName><params><param>{deep}</param></params></methodCall>".encode()
    assert len(body) > MOST_BYTES * 0.9 and fault(rpc_home, body).faultCode in (-32602, -32700)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE m [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE m SYSTEM "http://192.0.2.1/m.dtd">',
    ],
)
def test_entities_and_document_types_are_refused(rpc_home, doctype):
    found = fault(rpc_home, f"{doctype}<methodCall><methodName>{'&b;' if 'ENTITY' in doctype else 'x'}</methodName></methodCall>".encode())
    assert found.faultCode == -32700 and "root:" not in found.faultString


def test_nothing_is_patched_for_other_users_of_the_library(rpc_home):
    ask(rpc_home, "system.listMethods")
    assert getattr(xmlrpc.client, "FastParser", None) is None


def test_the_methods_tell_of_themselves(rpc_home):
    methods = ask(rpc_home, "system.listMethods")
    assert methods == ["experiment.extra_nodes", "system.listMethods", "system.methodHelp"]
    assert all(ask(rpc_home, "system.methodHelp", method).endswith(".") for method in methods)
    with pytest.raises(xmlrpc.client.Fault, match="takes the name of a method"):
        ask(rpc_home, "system.methodHelp", "rm")


@pytest.mark.parametrize("name", ["state.json", "partitioned.xml", "inventory.json"])
@pytest.mark.parametrize("content", [None, "", "{'", "[1]", "\x00\udcff"])
def test_a_broken_experiment_is_a_fault_or_is_answered(tmp_path, name, content):
    directory = create(tmp_path / "home", "Proj", "broken", vtopo({"lan": "a b"}))
    directory.discard(name)
    if content is not None:
        (tmp_path / "home" / "proj" / "Proj" / "exp" / "broken" / name).write_text(content, errors="surrogateescape")
    try:
        assert ask(tmp_path / "home", "experiment.extra_nodes", "Proj", "broken") == ["a.broken.Proj", "b.broken.Proj"]
    except xmlrpc.client.Fault as found:
        assert found.faultCode == -32500 and found.faultString.isprintable()
