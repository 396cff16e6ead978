# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversion of a node's ``exec`` list to one start command.

containerlab splits each command as a shell would, but runs it without a shell, whatever the exit status of the previous one. Here one shell
runs all of them. So each command stays exactly as it is written, and a command that would swallow the next one is left out.
"""

from __future__ import annotations

import shlex
from functools import lru_cache

LONGEST = 8192


def joined(commands: list[str]) -> str:
    """Join valid commands to one start command: with ``;`` between them where that is safe, else one per line."""
    commands = [command.strip() for command in commands]
    one_line = all(not set(command) & set("\n\r#") and "<<" not in command and command[-1] not in "&;|" for command in commands)
    return ("; " if one_line else "\n").join(commands)


@lru_cache(maxsize=4096)
def fault(command: str) -> str:
    """Return the reason why a command cannot be part of a start command, "" if it can."""
    if len(command) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    try:
        words = shlex.split(command)
    except ValueError as exc:
        return {"No closing quotation": "a quotation mark is not closed", "No escaped character": "it ends with a backslash"}.get(str(exc), str(exc))
    return "" if words else "it is empty"


@lru_cache(maxsize=4096)
def shell_characters(command: str) -> tuple[str, ...]:
    """Return the operators in ``command`` that a shell interprets and containerlab does not."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return tuple(dict.fromkeys(token for token in lexer if token and not set(token) - set("();<>|&") and token in command))
    except ValueError:
        return ()
