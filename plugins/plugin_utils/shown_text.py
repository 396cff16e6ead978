# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of ansible.builtin.debug shows, as plain lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line, clean_text


def lines_of(result: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a task's result: the lines of a text, the entries of a list, and ``name: value`` for the entries of a dict."""
    if isinstance(result.get("results"), list):
        for item in result["results"]:
            yield from lines_of(item)
    else:
        shown = result["msg"] if "msg" in result else {name: value for name, value in result.items() if name != "changed" and not name.startswith("_ansible_")}
        yield from _lines(shown)


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, field in value.items():
            yield f"{clean_line(name)}: {_inline(field)}"
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _lines(entry)
    else:
        yield from clean_text(value).split("\n")


def _inline(value: Any) -> str:
    """Return a value as one line, for example ``state booted, exit_status 0``."""
    if isinstance(value, dict):
        return ", ".join(f"{clean_line(name)} {_inline(field)}" for name, field in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_inline, value))
    return clean_line("-" if value is None else value)
