# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make text from a node safe to show and to log. Controller and host use the same functions.

A node may write anything on its console, and a vhost that is a node may answer anything. A terminal would obey what is in such text: move
the cursor, change its title, hide or reorder words. So every text is cleaned once, where it comes in from a node or from a vhost.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # importing typing takes longer than everything imported here
if TYPE_CHECKING:
    from typing import Any

MOST_LINES, WIDTH, NAME_WIDTH = 2000, 4000, 200
_MOST_DEPTH = 20
_CUT = "…"
_END_OF_STRING = "(?:\x07|\x1b\\\\|\x9c)"
# texts of patterns: compiling them takes longer than all else at the start of benito-host, which rarely needs them
_ESCAPES = (
    "(?:\x1b[P\\]X^_]|[\x90\x98\x9d-\x9f])[^\x00-\x08\x0a-\x1f\x7f-\x9f]*" + _END_OF_STRING  # DCS, OSC, SOS, PM, APC
    + "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, movements
    + "|\x1b[ -/]*[0-~]"  # resets, character sets; also the beginning of a string that does not end
)
_ENDS_OF_LINES = "\r*\n|\r+"
# what is printable to Python and not to an eye: fillers, joiners, variation selectors
_INVISIBLE = "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"


def clean_text(text: object, lines: int = MOST_LINES, width: int = WIDTH) -> str:
    """Return the text without escape sequences, control characters and invisible characters, except newlines.

    A carriage return, which would overwrite its line, becomes a newline. A tab or another kind of space becomes a space. Lines beyond
    ``lines`` are left out, and lines longer than ``width`` are cut. Either is marked by "…".
    """
    found = _clean_lines(text, width)
    return "\n".join([*found[:lines], f"{_CUT} and {len(found) - lines} more lines"] if len(found) > lines else found)


def clean_end(text: object, lines: int, width: int = NAME_WIDTH) -> str:
    """Return the last lines of a console or log, cleaned as above. Blank lines are left out."""
    return "\n".join([line.rstrip() for line in _clean_lines(text, width) if line.strip()][-lines:])


def clean_line(text: object, width: int = WIDTH) -> str:
    """Return the text as one line, cleaned as above."""
    return _cut(" ".join(_clean_lines(text, width)).strip(), width)


def clean_value(value: Any, _depth: int = 0) -> Any:
    """Return a value from JSON with every text in it cleaned, names of fields included. What is nested too deeply becomes None."""
    if isinstance(value, str):
        return clean_text(value)
    if _depth > _MOST_DEPTH:
        return None
    if isinstance(value, dict):
        return {clean_line(name, NAME_WIDTH): clean_value(field, _depth + 1) for name, field in value.items()}
    if isinstance(value, list):
        return [clean_value(entry, _depth + 1) for entry in value]
    return value


def _clean_lines(text: object, width: int) -> list[str]:
    plain = re.sub(_ESCAPES, "", re.sub(_ENDS_OF_LINES, "\n", str(text)))
    return [_cut(_printable(line), width) for line in plain.split("\n")]


def _printable(line: str) -> str:
    """Return the visible characters of a line. No rule above is needed for safety: this removes whatever they have left."""
    if line.isascii() and line.isprintable():
        return line
    visible = (character if character.isprintable() else " " if character == "\t" or _is_space(character) else "" for character in line)
    return re.sub(_INVISIBLE, "", "".join(visible))


def _is_space(character: str) -> bool:
    return character > "\xa0" and character.isspace() or character == "\xa0"


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + _CUT
