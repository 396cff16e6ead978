# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the code blocks of documentation pages: files, and commands with their expected output."""

from __future__ import annotations

import re

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"^(?:# |<!-- )(\S+?)(?: -->)?\n")


def blocks(page):
    """Return (language, text) of every code block of the page at the path ``page``."""
    with open(page, encoding="utf-8") as text:
        return BLOCK.findall(text.read())


def steps(page):
    """Yield the files and commands of a page in order: ("file", name, text) or ("command", command, expected output)."""
    for language, text in blocks(page):
        if language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _newline, output = part.partition("\n")
                yield "command", command, output
        else:
            yield "file", FILE_NAME.match(text)[1], text


def as_pattern(output):
    """Return expected output as a regular expression. ``…`` matches any text in a line, and any lines if it stands alone on a line."""
    return re.escape(output).replace("…\\\n", "(?s:.*)").replace("…", ".*") + r"\s*"
