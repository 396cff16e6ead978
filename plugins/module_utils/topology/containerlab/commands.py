# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's ``exec`` list as one start command.

containerlab runs each command by itself, split as a shell would and without one, whatever came of the one before. Here one shell runs all of them, so
each stays exactly as it is written, and what would swallow the next one is left out.
"""

from __future__ import annotations

import shlex
from functools import lru_cache

LONGEST = 8192


def joined(commands: list[str]) -> str:
    """One start command of commands that are whole: with ``;`` between where that is safe, else each in a line of its own."""
    commands = [command.strip() for command in commands]
    one_line = all(not set(command) & set("\n\r#") and "<<" not in command and command[-1] not in "&;|" for command in commands)
    return ("; " if one_line else "\n").join(commands)


@lru_cache(maxsize=4096)
def fault(command: str) -> str:
    """What keeps a command from standing among others, "" for nothing."""
    if len(command) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    try:
        words = shlex.split(command)
    except ValueError as exc:
        return {"No closing quotation": "a quotation mark is not closed", "No escaped character": "it ends with a backslash"}.get(str(exc), str(exc))
    return "" if words else "it is empty"


@lru_cache(maxsize=4096)
def shell_characters(command: str) -> tuple[str, ...]:
    """The operators in it that a shell obeys and containerlab does not."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return tuple(dict.fromkeys(token for token in lexer if token and not set(token) - set("();<>|&") and token in command))
    except ValueError:
        return ()
