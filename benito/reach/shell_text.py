# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of the shell commands that are run in nodes. Whatever a user gave stays one word, unless it was given as a shell's text."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence

from ansible_collections.deter.benito.plugins.module_utils.errors import InputError, Problem

_ENDED_BY_TIMEOUT = 124  # the exit status of the program timeout

_BOUNDED = """\
run() {{
    if command -v timeout >/dev/null 2>&1; then timeout -k 5 {seconds} /bin/sh -c {text}; else /bin/sh -c {text}; fi
}}
cut() {{ head -c {most}; cat >/dev/null; }}
exec 3>&1 4>&2
status=$({{ {{ {{ {{ run 3>&- 4>&- 5>&- 6>&- </dev/null; echo $? >&5; }} 2>&6 | cut >&3; }} 6>&1 | cut >&4; }} 5>&1; }})
exit "${{status:-1}}"
"""
"""Run a command, pass on the first bytes of its output and of its errors, and end with its exit status. What exceeds the bound is read and dropped."""


def shell_text(words: Sequence[str]) -> str:
    """Return the shell command for what a user typed: one word is the text of a shell, several are a program and its arguments.

    Raises InputError when there is none.
    """
    if not words or not any(words):
        raise InputError(Problem("no command", hint="write it behind --, such as -- ip route, or -- 'ip route | wc -l' for a shell"))
    if any("\0" in word for word in words):
        raise InputError(Problem("a command cannot contain a zero byte"))
    return words[0] if len(words) == 1 else shlex.join(words)


def bounded(text: str, most: int, seconds: int) -> str:
    """Return a shell command that runs ``text`` for at most ``seconds``, and prints at most ``most`` bytes of its output, and as many of its errors."""
    return _BOUNDED.format(seconds=seconds, most=most, text=shlex.quote(text))


def encoded(text: str) -> str:
    """Return a shell command that runs ``text`` and holds no character that Ansible, a template or a shell would interpret."""
    return f'eval "$(echo {base64.b64encode(text.encode()).decode()} | base64 -d)"'


def is_timeout(status: int) -> bool:
    """Return whether the exit status of a bounded command says that its time was over."""
    return status in (_ENDED_BY_TIMEOUT, 128 + 9)
