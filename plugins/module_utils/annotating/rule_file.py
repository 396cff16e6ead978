# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser of YAML files of rules; it records the line of each value.

Values are taken literally: ``007``, ``yes`` and ``1e3`` are texts here, as an attribute's value is.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from ..errors import BenitoError, InputError, Problem
from .rules import Where

IMPORT_ERROR: ImportError | None = None
try:
    import yaml
except ImportError as exc:
    yaml = None  # type: ignore[assignment]  # reported where a file is read
    IMPORT_ERROR = exc

MAX_BYTES = 1_000_000
_NULL = "tag:yaml.org,2002:null"
_HINT = "a YAML list of rules like '- {select: {name: \"n-*\"}, set: {startup: hostname}}'"


def read_rule_file(path: str, source: str) -> tuple[object, dict[tuple, int]]:
    """Return (the content as lists, dicts, texts and None; {path of keys: line}). Raises InputError.

    Raises BenitoError if PyYAML is not installed.
    """
    if IMPORT_ERROR:
        raise BenitoError(f"files of rules need the Python library PyYAML beside Ansible: {IMPORT_ERROR}") from IMPORT_ERROR
    text = _text(path, source)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise InputError(Problem("YAML aliases have no use in rules", source))
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        what = getattr(exc, "problem", None) or (str(exc).splitlines() or ["nested too deep"])[0]
        raise InputError(Problem(f"is not YAML: {what}", source, mark.line + 1 if mark else 0, hint=_HINT)) from exc
    if tree is None:
        raise InputError(Problem("has no rules", source, hint=_HINT))
    lines: dict[tuple, int] = {}
    problems: list[Problem] = []
    data = _plain(tree, (), lines, problems, source)
    if problems:
        raise InputError(problems)
    return data, lines


def _text(path: str, source: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(Problem("is not a regular file", source))
        with open(path, encoding="utf-8") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise InputError(Problem(f"cannot be read: {os.strerror(exc.errno) if exc.errno else exc}", source)) from exc
    except UnicodeDecodeError as exc:
        raise InputError(Problem("is not text", source, hint="a YAML file in UTF-8")) from exc
    except ValueError as exc:
        raise InputError(Problem(f"cannot be read: {exc}", source.replace("\0", "\\0"))) from exc
    if len(text) > MAX_BYTES:
        raise InputError(Problem(f"is larger than {MAX_BYTES:,} characters", source, hint="is it a file of rules?"))
    return text


def _plain(node: Any, path: tuple, lines: dict, problems: list, source: str) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if node.id == "sequence":
        return [_plain(item, (*path, number), lines, problems, source) for number, item in enumerate(node.value)]
    if node.id != "mapping":
        return None if node.tag == _NULL else node.value
    found: dict[str, object] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.id != "scalar":
            problems.append(Problem("a list or map cannot be a key", source, line))
        elif key.value in found:
            problems.append(Where(source, {(): line}).problem("stands twice", f"first in line {lines[(*path, key.value)]}", key.value))
        else:
            lines[(*path, key.value)] = line
            found[key.value] = _plain(value, (*path, key.value), lines, problems, source)
    return found
