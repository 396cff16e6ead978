# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files of the host that need not be there."""

from __future__ import annotations


def text_or_none(path: str) -> str | None:
    """Return the text of a file, None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return None
