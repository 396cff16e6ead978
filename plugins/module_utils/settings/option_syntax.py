# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the options of DETER's ``containerize``, as text or as YAML, to the one form that settings have.

| option | text | YAML |
|---|---|---|
| ``pass_pack``, ``pass_size`` | ``0:1,1:20`` | ``{0: 1, 1: 20}`` |
| ``pass_pnodes`` | ``0:pc2133,MicroCloud;1:bpc2133`` | ``{0: [pc2133, MicroCloud], 1: bpc2133}`` |
| ``pass_nodes_only`` | ``0,2`` | ``[0, 2]`` |
| ``kind_map`` | ``openvz=process,qemu=process`` | ``{openvz: process, qemu: process}`` |

The options of passes may also be lists of such texts and maps, as the original's options could be repeated. Every function here returns
a value that has none of the forms as it is, for the schema to refuse.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable

from ..errors import BenitoError

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
_PASS = re.compile(r"\s*[0-9]{1,18}\s*")
_NUMBER = re.compile(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*")
_TRUE, _FALSE = ("true", "yes", "on", "1", "y", "t"), ("false", "no", "off", "0", "n", "f")
_BLOCKS = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([GM]?)(?:i?B)?\s*", re.IGNORECASE)


class _NoSuchForm(BenitoError):
    """The value has none of the forms."""


def whole_number(value: object) -> object:
    """Return the integer that a text is."""
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def number(value: object) -> object:
    """Return the number that a text is. What YAML calls ``.nan`` is no number."""
    if isinstance(value, float) and math.isnan(value):
        return str(value)
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def truth(value: object) -> object:
    """Return the boolean that a text, or 0 or 1, is. The texts are those of Ansible."""
    text = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    return True if text in _TRUE else False if text in _FALSE else value


def list_of_words(value: object) -> object:
    """Return the list of words that a text has between its commas. The words of a list lose the space around them."""
    if isinstance(value, str):
        return _split(value, ",")
    return [word.strip() if isinstance(word, str) else word for word in value] if isinstance(value, (list, tuple)) else value


def pairs(value: object) -> object:
    """Return the dictionary of ``a=b,c=d``, or of a JSON object."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    found = [pair.partition("=") for pair in _split(value, ",")]
    return {key.strip(): one.strip() for key, _sign, one in found} if all(sign and "=" not in one for _key, sign, one in found) else value


def numbers_by_pass(value: object) -> object:
    """Return {pass: number} of ``0:1,1:20``."""
    return _by_pass(value, ",", whole_number)


def words_by_pass(value: object) -> object:
    """Return {pass: [word]} of ``0:a,b;1:c``."""
    return _by_pass(value, ";", list_of_words)


def passes(value: object) -> object:
    """Return the passes of ``0,2``, each once."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    found = [whole_number(word) for part in parts for word in (_split(part, ",") if isinstance(part, str) else [part])]
    return list(dict.fromkeys(found)) if all(_is_whole(one) for one in found) else value


def disk_mebibytes(value: object) -> int | None:
    """Return the MiB of the original's ``--openvz-diskspace``, None for no such size.

    It is a number and G or M. A number alone counts blocks of 1 KiB.
    """
    match = _BLOCKS.fullmatch(str(value)) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
    if not match or not float(match[1]):
        return None
    return max(1, math.ceil(float(match[1]) * {"": 1 / 1024, "M": 1, "G": 1024}[match[2].upper()]))


def _by_pass(value: object, separator: str, convert: Callable[[object], object]) -> object:
    found: dict[str, object] = {}
    try:
        for part in value if isinstance(value, (list, tuple)) else [value]:
            for key, one in _pairs_by_pass(part, separator):
                if key in found and found[key] != convert(one):
                    raise _NoSuchForm
                found[key] = convert(one)
    except _NoSuchForm:
        return value
    return found


def _pairs_by_pass(part: object, separator: str) -> Iterable[tuple[str, object]]:
    """Return (pass, its value) of each pair. The pass is a text without leading zeros."""
    if isinstance(part, dict):
        return [(_pass_text(key), one) for key, one in part.items()]
    if not isinstance(part, str):
        raise _NoSuchForm
    halves = [pair.partition(":") for pair in _split(part, separator)]
    if not all(colon for _key, colon, _one in halves):
        raise _NoSuchForm
    return [(_pass_text(key), one.strip()) for key, _colon, one in halves]


def _pass_text(key: object) -> str:
    if isinstance(key, str) and _PASS.fullmatch(key):
        return str(int(key))
    return str(key)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]
