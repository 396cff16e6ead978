# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The original's XML-RPC: ``experiment.extra_nodes``. docs/service-rpc.md describes it."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable
from typing import Any
from xml.parsers.expat import ExpatError

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line
from defusedxml.common import DefusedXmlException
from defusedxml.xmlrpc import DefusedExpatParser

from ..errors import BenitoError
from ..reach.members import Members
from ..reach.node_list import extra_nodes
from .naming import named_experiment
from .watchers import Watchers

MOST_BYTES = 64 << 10  # of a request
MALFORMED, NO_METHOD, WRONG_ARGUMENTS, FAILED = -32700, -32601, -32602, -32500  # the codes that XML-RPC servers have agreed on
_REASON_WIDTH = 300
_FAULTS = (ExpatError, DefusedXmlException, xmlrpc.client.Error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # of its decoder


def answer(body: bytes, watchers: Watchers) -> bytes:
    """Return the answer to a call: a result, or a fault with a sentence. It reads files of the experiment, so it may be run in a thread."""
    try:
        method, arguments = _read(body)
        found = _METHODS.get(method)
        if found is None:
            raise xmlrpc.client.Fault(NO_METHOD, f"there is no method {clean_line(method, 60)!r}: there are {', '.join(_METHODS)}")
        result: Any = (found(watchers.home, arguments),)
    except xmlrpc.client.Fault as fault:
        result = fault
    except BenitoError as exc:
        result = xmlrpc.client.Fault(FAILED, clean_line(exc, _REASON_WIDTH))
    return xmlrpc.client.dumps(result, methodresponse=True, encoding="utf-8").encode(errors="xmlcharrefreplace")


def _read(body: bytes) -> tuple[str, tuple[Any, ...]]:
    """Return (method, arguments) of a call. Raises Fault."""
    if len(body) > MOST_BYTES:
        raise xmlrpc.client.Fault(MALFORMED, f"the call has more than {MOST_BYTES} bytes")
    target = xmlrpc.client.Unmarshaller()
    parser = DefusedExpatParser(target, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
        arguments, method = target.close(), target.getmethodname()
    except _FAULTS as exc:
        raise xmlrpc.client.Fault(MALFORMED, f"this is no call of XML-RPC: {clean_line(exc, 100) or type(exc).__name__}") from exc
    if not isinstance(method, str):
        raise xmlrpc.client.Fault(MALFORMED, "this is no call of XML-RPC: it names no method")
    return method, tuple(arguments)


def _extra_nodes(home: str, arguments: tuple[Any, ...]) -> list[str]:
    """Return node.eid.pid of each vnode of an experiment.

    Arguments: proj and exp, which are PID and EID; or, as Emulab calls its methods, a version and a struct with proj and exp.
    """
    if len(arguments) == 2 and isinstance(arguments[1], dict):
        arguments = arguments[1].get("proj"), arguments[1].get("exp")
    if len(arguments) != 2 or not all(isinstance(argument, str) for argument in arguments):
        raise xmlrpc.client.Fault(WRONG_ARGUMENTS, "experiment.extra_nodes takes two strings, proj and exp, or a version and a struct with proj and exp")
    return extra_nodes(Members(named_experiment(home, "/".join(arguments))))


def _list_methods(home: str, arguments: tuple[Any, ...]) -> list[str]:
    """Return the names of all methods."""
    return list(_METHODS)


def _method_help(home: str, arguments: tuple[Any, ...]) -> str:
    """Return what a method does. Argument: its name."""
    found = _METHODS.get(arguments[0]) if len(arguments) == 1 and isinstance(arguments[0], str) else None
    if found is None:
        raise xmlrpc.client.Fault(WRONG_ARGUMENTS, f"system.methodHelp takes the name of a method: {', '.join(_METHODS)}")
    return " ".join((found.__doc__ or "").split())


_METHODS: dict[str, Callable[[str, tuple[Any, ...]], Any]] = {
    "experiment.extra_nodes": _extra_nodes, "system.listMethods": _list_methods, "system.methodHelp": _method_help,
}
