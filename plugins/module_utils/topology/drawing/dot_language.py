# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of Graphviz's language that pictures of topologies need: quoting of names, statements, boxes.

A name is always shown literally and cannot end its string. In texts Graphviz interprets backslashes, entities and, outside quotes, HTML
(https://graphviz.org/doc/info/lang.html, https://graphviz.org/docs/attr-types/escString/).
"""

from __future__ import annotations

import html
from collections.abc import Iterable

LONGEST_LABEL = 40
_CLUSTER = "cluster"  # a subgraph with this prefix is drawn as a box, and fdp treats such a node as one


class Html(str):
    """A trusted text that is already HTML."""


def quoted(text: str) -> str:
    """Return ``text`` as a quoted string of the language; its backslashes keep their meaning as escapes."""
    return '"' + text.replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """Escape ``text`` so that Graphviz shows it literally. Newlines remain; other unprintable characters become ``?`` or spaces."""
    shown = "".join(one if one.isprintable() or one == "\n" else " " if one.isspace() else "?" for one in text)
    return shown.replace("&", "&amp;").replace("\\", "\\\\").replace("\n", "\\n")


def shortened(name: str, most: int = LONGEST_LABEL) -> str:
    """Return a name in one line of at most ``most`` characters; a longer one loses its middle."""
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most // 2]}…{line[-(most - most // 2 - 1):]}"


def in_html(text: str) -> str:
    """Escape ``text`` for an HTML-like label."""
    return html.escape("".join(one if one.isprintable() else "?" for one in text), quote=True)


class Identifiers:
    """Unique identifiers for everything in a picture."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, name: str, kind: str) -> str:
        """Return ``name`` as an identifier of the language; if it is not unique, with its ``kind`` as prefix and, if needed, a number."""
        plain = "".join(one if one.isprintable() and one != "\\" else one.encode("unicode_escape").decode() for one in name).replace("&", "&amp;")
        candidate = plain if plain and not plain.startswith(_CLUSTER) and plain not in self._taken else f"{kind} {plain}"
        number = 1
        while candidate in self._taken:
            number += 1
            candidate = f"{kind} {plain} {number}"
        self._taken.add(candidate)
        return quoted(candidate)


def attributes(values: dict) -> str:
    """Return ``[name="value", …]`` of the values other than None. A value that is not Html must be escaped for ``quoted``."""
    given = [f"{name}=<{value}>" if isinstance(value, Html) else f"{name}={quoted(str(value))}" for name, value in values.items() if value is not None]
    return f"[{', '.join(given)}]" if given else ""


def statement(*words: str) -> str:
    return " ".join(word for word in words if word)


def box(identifier: str, values: dict, content: Iterable[str]) -> list[str]:
    """Return the lines of a subgraph that Graphviz draws as a box around its ``content``, a list of lines."""
    head = [f"subgraph {quoted(f'{_CLUSTER} {identifier}')} {{"]
    given = [f"  {name}={quoted(str(value))}" for name, value in values.items()]
    return [*head, *given, *(f"  {line}" for line in content), "}"]
