# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognise a topology file's format by its content. The file's name only breaks ties.

A broken file keeps its format, so that its own reader reports the error with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import InputError, Problem
from .imports.yaml_source import Mapping, load_yaml
from .problem_log import ProblemLog
from .scope import shown
from .xml_source import parse

XML, YAML, TCL = "XML", "YAML", "Tcl"
_MOST_KEYS = 5
_SKIPPED = ((b"<!--", b"-->"), (b"<?", b"?>"))
_TAG = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
_OTHERS = {
    "a Graphviz file": re.compile(rb"\s*(?:strict\s+)?(?:di)?graph\b[^\[{\n]{0,200}\{"),
    "a GML file": re.compile(rb"(?:\s*(?:#|Creator\b)[^\n]*\n)*\s*graph\s*\["),
    "a PDF file": re.compile(rb"%PDF-"),
    "a script": re.compile(rb"#!"),
}


@dataclass(frozen=True)
class Sign:
    """How the files of a format are recognised.

    name      the format
    suffixes  endings of its file names, in lower case
    language  XML, YAML or Tcl
    pattern   what only such a file has; of an XML file its first tag
    words     the same for people
    inner     what an XML file has whose first tag is unknown or unreadable, None for nothing
    """

    name: str
    suffixes: tuple[str, ...]
    language: str
    pattern: re.Pattern[bytes]
    words: str
    inner: re.Pattern[bytes] | None = None


def named_signs(name: str, signs: Iterable[Sign]) -> tuple[Sign, ...]:
    """Return the formats that a file called ``name`` may have by its suffix, the usual one first; none for an unknown suffix."""
    return tuple(sign for sign in signs if name.lower().endswith(sign.suffixes))


def recognise(data: bytes, name: str, signs: Sequence[Sign]) -> Sign:
    """Return the format of the file ``name`` with the content ``data``.

    Raises InputError if it has none of them; the error says what the file looks like, and lists the formats.
    """
    text = _plain(data)
    by_name = next(iter(named_signs(name, signs)), None)
    found = _of_first_tag(text, signs) or _of_text(text, by_name, signs) or _of_broken_file(data, text, by_name, signs)
    if found:
        return found
    known = "; ".join(f"{sign.name} is {sign.language} {sign.words}" for sign in signs)
    raise InputError(Problem(f"is in none of the formats that are read: it {_looks_like(data, text, signs)}", name, hint=known))


def _plain(data: bytes) -> bytes:
    """Return the content without byte order mark, and UTF-16 and UTF-32 as single bytes, in which all signs are."""
    is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:4].count(0) > 0 and b"<" in data[:4]
    return data.replace(b"\0", b"").lstrip(b"\xff\xfe") if is_wide else data.removeprefix(b"\xef\xbb\xbf")


def _of_first_tag(text: bytes, signs: Sequence[Sign]) -> Sign | None:
    if not _begins_like_xml(text):
        return None
    tag = _first_tag(text)
    return next((sign for sign in signs if sign.language == XML and sign.pattern.fullmatch(tag)), None)


def _of_text(text: bytes, by_name: Sign | None, signs: Sequence[Sign]) -> Sign | None:
    """Return the format whose sign is anywhere in the text: the one that the name says, else the one whose sign is first."""
    found: dict[Sign, int] = {}
    for sign in signs:
        pattern = sign.inner if sign.language == XML else sign.pattern
        match = pattern.search(text) if pattern and (sign.language != XML or _begins_like_xml(text) or not _CONTROL.search(text)) else None
        if match:
            found[sign] = match.start()
    if by_name in found:
        return by_name
    return min(found, key=lambda sign: found[sign]) if found else None


def _of_broken_file(data: bytes, text: bytes, by_name: Sign | None, signs: Sequence[Sign]) -> Sign | None:
    """Return the format of a file without any sign whose reader has more to say of it than that."""
    if _begins_like_xml(text):
        if _is_html(text):
            return None
        problems = ProblemLog("")
        parse(data, problems)
        return (by_name or next(sign for sign in signs if sign.language == XML)) if problems.has_errors else None
    if not text.strip() or _not_text(data, text):
        return None
    is_json = _is_json(text)
    if by_name and by_name.language == TCL and not is_json:
        return by_name
    problems = ProblemLog("")
    root = load_yaml(text, problems)
    is_yaml = isinstance(root, Mapping) and "topology" in root.items
    if is_yaml or problems.has_errors and by_name and by_name.language == YAML and not is_json:
        return next(sign for sign in signs if sign.language == YAML)
    return None


def _begins_like_xml(text: bytes) -> bool:
    return text.lstrip()[:1] == b"<"


def _first_tag(text: bytes) -> bytes:
    """Return the name of the first element, without its namespace; b"" if there is none."""
    position = text.find(b"<")
    while position >= 0:
        closing = next((closing for opening, closing in _SKIPPED if text.startswith(opening, position)), None)
        match = None if closing else _TAG.match(text, position)
        if match:
            return match.group(1)
        end = text.find(closing, position + 1) if closing else position
        position = text.find(b"<", end + 1) if end >= 0 else -1
    return b""


def _is_html(text: bytes) -> bool:
    return _first_tag(text).lower() == b"html"


def _not_text(data: bytes, text: bytes) -> str:
    """Return what a file is that is not text, "" for a text."""
    method = next((method for magic, method in _COMPRESSED.items() if data.startswith(magic)), "")
    if method:
        return f"is compressed with {method}, and has to be unpacked first"
    return "is binary" if _CONTROL.search(text) else ""


def _is_json(text: bytes) -> bool:
    if text.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _looks_like(data: bytes, text: bytes, signs: Sequence[Sign]) -> str:
    """Return the rest of a sentence on what the file is."""
    if not text.strip():
        return "is empty"
    if _begins_like_xml(text):
        if _is_html(text):
            return "is a web page"
        return f"is XML that begins with <{_first_tag(text).decode('ascii', 'replace')[:40]}>"
    other = _not_text(data, text)
    if other:
        return other
    if _is_json(text):
        return "is JSON"
    for what, pattern in _OTHERS.items():
        if pattern.match(text):
            return f"is {what}"
    root = load_yaml(text, ProblemLog(""))
    if isinstance(root, Mapping) and root.items:
        keys = ", ".join(shown(key)[1:-1] for key in list(root.items)[:_MOST_KEYS]) + (", …" if len(root.items) > _MOST_KEYS else "")
        missing = next(sign.words for sign in signs if sign.language == YAML).replace("with", "without", 1)
        return f"is YAML {missing} (its keys are {keys})"
    first = next(line for line in text.splitlines() if line.strip()).decode("utf-8", "replace")
    return f"is text that begins with {shown(first.strip())}"
