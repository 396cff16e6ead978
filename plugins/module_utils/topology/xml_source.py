# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Safe parsing of XML files: no DTD, no entities, no network access, limits on size and depth.

Source: spec/topdl.md "Round trip" (reject DTD and entity declarations, depth over 64, size limit).
"""

from __future__ import annotations

import os
import re

from ..errors import BenitoError, InputError, Problem
from .problem_log import ProblemLog
from .scope import XmlElement

try:
    from lxml import etree
except ImportError:
    etree = None  # type: ignore[assignment]  # reported where a file is read

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 64
MOST_ELEMENTS = 3_000_000
MAX_SYNTAX_ERRORS = 20

_TOO_DEEP = f"elements are nested more than {MAX_DEPTH} deep"
_TOO_DEEP_HINT = "a topology needs no more than about ten levels"
_START_HINT = "a topology begins with <experiment>"
_UNFINISHED_SERVICE = re.compile(rb"</service\s*(?:<|$)")
_SERVICE_HINT = "the Python 2 topdl library writes '</service' without the '>'; write '</service>'"


def load(path: str, source: str) -> bytes:
    """Return the content of the file ``path``, at most one byte over MAX_BYTES. Raises InputError if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {os.strerror(error.errno) if error.errno else error}", source)) from error
    except ValueError as error:
        raise InputError(Problem(f"cannot be read: {error}", source.replace("\0", "\\0"))) from error
    return data


def parse(data: bytes, problems: ProblemLog, start_hint: str = _START_HINT, most_elements: int = MOST_ELEMENTS) -> XmlElement | None:
    """Return the root element of ``data``, or None if there is none to inspect.

    start_hint     the beginning of a valid file, for hints
    most_elements  the largest number of elements; a small file can have more than memory holds

    For malformed XML it logs all syntax errors, sets ``problems.damaged``, and returns the part that the parser
    recovered, so that further errors can be found. Raises BenitoError if lxml is not installed.
    """
    if etree is None:
        raise BenitoError("reading XML needs the Python library lxml: install it with 'pip install lxml'")
    if not _worth_parsing(data, problems, start_hint):
        return None
    if data.count(b"<") - data.count(b"</") > most_elements:
        problems.error(0, "", f"has more than {most_elements:,} elements", "is it a topology?")
        return None
    parser = _parser()
    try:
        root: XmlElement = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError, LookupError) as error:
        root = _diagnose(data, problems, error, parser.error_log, start_hint)
    if root is None:
        return None
    if root.getroottree().docinfo.internalDTD is not None:
        _log_dtd(problems, 0)
        return None
    too_deep = root.xpath("/" + "/".join(["*"] * (MAX_DEPTH + 1)))
    if too_deep:
        problems.error(too_deep[0].sourceline or 0, "", _TOO_DEEP, _TOO_DEEP_HINT)
        return None
    return root


def _parser(recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )


def _worth_parsing(data: bytes, problems: ProblemLog, start_hint: str) -> bool:
    if len(data) > MAX_BYTES:
        problems.error(0, "", f"is larger than {MAX_BYTES // 2**20} MB", "is it a topology?")
        return False
    if not data.strip():
        problems.error(0, "", "is empty", start_hint)
        return False
    wide = data[:4].count(0) > 0 or data[:2] in (b"\xff\xfe", b"\xfe\xff")
    if not wide and b"\0" in data:
        problems.error(data.count(b"\n", 0, data.index(b"\0")) + 1, "", "contains a NUL byte", "this is not a text file, or it is damaged")
        return False
    line = _doctype_line(data.replace(b"\0", b"") if wide else data)
    if line:
        _log_dtd(problems, line)
        return False
    return True


def _log_dtd(problems: ProblemLog, line: int) -> None:
    problems.error(line, "", "a document type declaration (<!DOCTYPE) is not accepted", "remove it, and write entities out")


def _doctype_line(data: bytes) -> int:
    """Return the line of a <!DOCTYPE before the first element, else 0. Must run before any parser sees the data."""
    position = data.find(b"<")
    while position >= 0:
        if data.startswith(b"<!--", position):
            end = data.find(b"-->", position + 4)
        elif data.startswith(b"<?", position):
            end = data.find(b"?>", position + 2)
        elif data[position : position + 9].upper() == b"<!DOCTYPE":
            return data.count(b"\n", 0, position) + 1
        else:
            return 0
        position = data.find(b"<", end) if end >= 0 else -1
    return 0


def _diagnose(data: bytes, problems: ProblemLog, error: Exception, error_log: etree._ListErrorLog, start_hint: str) -> XmlElement | None:
    """Log all syntax errors of malformed XML; return the recovered tree, or None.

    error_log  the strict parser's own: the log of the exception has other files' errors too
    """
    problems.damaged = True
    parser = _parser(recover=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError, LookupError):
        root = None
    found = dict.fromkeys(_entries(error_log) + _entries(parser.error_log))
    service_line = _unfinished_service_line(data)
    for line, message in list(found)[:MAX_SYNTAX_ERRORS] or [(0, _one_line(str(error)))]:
        if "xcessive depth" in message:
            problems.error(line, "", _TOO_DEEP, _TOO_DEEP_HINT)
            return None
        hinted = service_line and line >= service_line
        hint = _SERVICE_HINT if hinted else start_hint if message.startswith("Start tag expected") else ""
        problems.error(line, "", f"not well-formed XML: {message}", hint)
        service_line = 0 if hinted else service_line
    if len(found) > MAX_SYNTAX_ERRORS:
        problems.error(0, "", f"{len(found) - MAX_SYNTAX_ERRORS} more syntax errors")
    return root


def _unfinished_service_line(data: bytes) -> int:
    """Return the line of the first '</service' without '>', else 0."""
    unfinished = _UNFINISHED_SERVICE.search(data)
    return data.count(b"\n", 0, unfinished.start()) + 1 if unfinished else 0


def _entries(error_log: etree._ListErrorLog) -> list[tuple[int, str]]:
    worst = [entry for entry in error_log if entry.level >= etree.ErrorLevels.ERROR]
    return [(entry.line, _one_line(entry.message)) for entry in worst]


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
