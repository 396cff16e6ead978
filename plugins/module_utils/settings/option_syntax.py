# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of DETER's ``containerize`` as text, and as YAML, brought to the one form that settings have.

| option | text | YAML |
|---|---|---|
| ``pass_pack``, ``pass_size`` | ``0:1,1:20`` | ``{0: 1, 1: 20}`` |
| ``pass_pnodes`` | ``0:pc2133,MicroCloud;1:bpc2133`` | ``{0: [pc2133, MicroCloud], 1: bpc2133}`` |
| ``pass_nodes_only`` | ``0,2`` | ``[0, 2]`` |

Each may also be a list of such texts and maps, as the original's options could be repeated. What is in no such form is handed back as it is,
for the schema to refuse.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from ..errors import BenitoError

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
_PASS = re.compile(r"\s*[0-9]{1,18}\s*")
_NUMBER = re.compile(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*")
_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_BLOCKS = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([GM]?)(?:i?B)?\s*", re.IGNORECASE)


class _NotSoWritten(BenitoError):
    """The value is in none of the forms."""


def whole_number(value):
    """The integer that a text says."""
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def number(value):
    """The number that a text says. What YAML calls ``.nan`` is none."""
    if isinstance(value, float) and math.isnan(value):
        return str(value)
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def truth(value):
    """Whether a text says yes or no."""
    return _TRUTH.get(value.strip().lower(), value) if isinstance(value, str) else value


def words(value):
    """The list of words that a text has between its commas."""
    return _split(value, ",") if isinstance(value, str) else value


def numbers_by_pass(value):
    """{pass: number} of ``0:1,1:20``."""
    return _by_pass(value, ",", whole_number)


def words_by_pass(value):
    """{pass: [word]} of ``0:a,b;1:c``."""
    return _by_pass(value, ";", words)


def passes(value):
    """The passes of ``0,2``, each once."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    found = [whole_number(word) for part in parts for word in (words(part) if isinstance(part, str) else [part])]
    return list(dict.fromkeys(found)) if all(_is_whole(one) for one in found) else value


def disk_mebibytes(value):
    """MiB of the original's ``--openvz-diskspace``: a number and G or M; a bare one counts blocks of 1 KiB."""
    match = _BLOCKS.fullmatch(str(value)) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
    if not match or not float(match[1]):
        return None
    return max(1, math.ceil(float(match[1]) * {"": 1 / 1024, "M": 1, "G": 1024}[match[2].upper()]))


def _by_pass(value, separator: str, of_one: Callable):
    found: dict[str, object] = {}
    try:
        for part in value if isinstance(value, (list, tuple)) else [value]:
            for key, one in _pairs(part, separator):
                if key in found and found[key] != of_one(one):
                    raise _NotSoWritten
                found[key] = of_one(one)
    except _NotSoWritten:
        return value
    return found


def _pairs(part, separator: str):
    """(pass, what is said of it), the pass as a canonical word."""
    if isinstance(part, dict):
        return [(_pass_word(key), one) for key, one in part.items()]
    if not isinstance(part, str):
        raise _NotSoWritten
    halves = [pair.partition(":") for pair in _split(part, separator)]
    if not all(colon for _key, colon, _one in halves):
        raise _NotSoWritten
    return [(_pass_word(key), one.strip()) for key, _colon, one in halves]


def _pass_word(key) -> str:
    if _is_whole(key):
        return str(key)
    if isinstance(key, str) and _PASS.fullmatch(key):
        return str(int(key))
    return str(key)


def _is_whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]
