# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of the documentation whose code blocks are run: files, and commands with what they print."""

from __future__ import annotations

import re

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"^(?:# |<!-- )(\S+?)(?: -->)?\n")


def blocks(page):
    """(language, text) of every code block of the page at the path ``page``."""
    with open(page, encoding="utf-8") as text:
        return BLOCK.findall(text.read())


def steps(page):
    """A page's files and commands in order: (what it is, name of the file or command, text of the file or expected output)."""
    for language, text in blocks(page):
        if language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _newline, output = part.partition("\n")
                yield "command", command, output
        else:
            yield "file", FILE_NAME.match(text)[1], text


def as_pattern(output):
    """``…`` stands for anything: on a line of its own for any lines."""
    return re.escape(output).replace("…\\\n", "(?s:.*)").replace("…", ".*") + r"\s*"
