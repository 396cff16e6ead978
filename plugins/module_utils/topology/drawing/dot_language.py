# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The language of Graphviz, as far as pictures of topologies need it: names that mean only themselves, statements, boxes.

Whatever a name holds, it is shown as it is and ends nowhere but in its own string: Graphviz reads backslashes, entities and, outside of
quotes, HTML in texts (https://graphviz.org/doc/info/lang.html, https://graphviz.org/docs/attr-types/escString/).
"""

from __future__ import annotations

import html
from collections.abc import Iterable

LONGEST_LABEL = 40
_CLUSTER = "cluster"  # a subgraph with this prefix is drawn as a box, and fdp treats such a node as one


class Html(str):
    """A text that is HTML already, and all of it ours."""


def quoted(text: str) -> str:
    """``text``, in which backslashes mean something, as a string of the language."""
    return '"' + text.replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """``text`` such that Graphviz shows it as it is; newlines stay newlines, what cannot be printed becomes ``?``."""
    shown = "".join(one if one.isprintable() or one == "\n" else " " if one.isspace() else "?" for one in text)
    return shown.replace("&", "&amp;").replace("\\", "\\\\").replace("\n", "\\n")


def shortened(name: str, most: int = LONGEST_LABEL) -> str:
    """A name in one line; a long one without its middle."""
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most // 2]}…{line[-(most - most // 2 - 1):]}"


def in_html(text: str) -> str:
    """``text`` for an HTML-like label."""
    return html.escape("".join(one if one.isprintable() else "?" for one in text), quote=True)


class Identifiers:
    """A name of its own for everything in a picture, which is its own name where that is free."""

    def __init__(self):
        self._taken: set[str] = set()

    def of(self, name: str, kind: str) -> str:
        """``name`` as an identifier of the language; prefixed with its ``kind`` and followed by a number where it would not be unique."""
        plain = "".join(one if one.isprintable() and one != "\\" else one.encode("unicode_escape").decode() for one in name).replace("&", "&amp;")
        candidate = plain if plain and not plain.startswith(_CLUSTER) and plain not in self._taken else f"{kind} {plain}"
        number = 1
        while candidate in self._taken:
            number += 1
            candidate = f"{kind} {plain} {number}"
        self._taken.add(candidate)
        return quoted(candidate)


def attributes(values: dict) -> str:
    """``[name="value", …]`` of the values that are not None; values other than Html are as ``quoted`` wants them."""
    given = [f"{name}=<{value}>" if isinstance(value, Html) else f"{name}={quoted(str(value))}" for name, value in values.items() if value is not None]
    return f"[{', '.join(given)}]" if given else ""


def statement(*words: str) -> str:
    return " ".join(word for word in words if word)


def box(identifier: str, values: dict, content: Iterable[str]) -> list[str]:
    """A subgraph that is drawn as a box around its ``content``, a list of lines."""
    head = [f"subgraph {quoted(f'{_CLUSTER} {identifier}')} {{"]
    given = [f"  {name}={quoted(str(value))}" for name, value in values.items()]
    return [*head, *given, *(f"  {line}" for line in content), "}"]
