# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of names: shell globs, and regular expressions with a timeout.

Some regular expressions take practically for ever ("(a*)*b" on thirty letters), so matching runs in a child process with limits.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache

from ..errors import BenitoError

LONGEST = 1000
SECONDS = 2
MEMORY_MB = 256
_CHILD = """
import json, re, resource, sys
seconds, megabytes, pattern, names = json.load(sys.stdin)
resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
try:
    found = re.compile(pattern)
    answer = [bool(found.fullmatch(name)) for name in names]
except (re.error, RecursionError, OverflowError, MemoryError) as exc:
    answer = str(exc) or "it is too large"
json.dump(answer, sys.stdout)
"""


class PatternError(BenitoError):
    """An invalid or too slow pattern; the message says which."""


@lru_cache(maxsize=1024)
def glob(pattern: str) -> Callable[[str], bool]:
    """Return a function that tests whether a text matches a shell glob, case-sensitively. Raises PatternError."""
    if len(pattern) > LONGEST:
        raise PatternError(f"is longer than {LONGEST} characters")
    try:
        compiled = re.compile(translate(pattern))
    except re.error as exc:
        raise PatternError(f"is no pattern: {exc}") from exc
    return lambda text: compiled.match(text) is not None


def any_glob(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Return a function that tests whether a text matches any of the globs. Raises PatternError."""
    globs = [glob(pattern) for pattern in patterns]
    return lambda text: any(one(text) for one in globs)


def matched_by_expression(pattern: str, names: list[str]) -> set[str]:
    """Return the ``names`` that a regular expression matches completely. Raises PatternError."""
    if len(pattern) > LONGEST:
        raise PatternError(f"is longer than {LONGEST} characters")
    names = list(dict.fromkeys(names))
    try:
        asked = json.dumps([SECONDS, MEMORY_MB, pattern, names])
        done = subprocess.run([sys.executable, "-I", "-c", _CHILD], input=asked, capture_output=True, text=True, timeout=4 * SECONDS, check=False)
    except subprocess.TimeoutExpired as exc:
        raise PatternError(f"takes longer than {SECONDS} seconds") from exc
    if done.returncode:
        raise PatternError(f"takes longer than {SECONDS} seconds, or more than {MEMORY_MB} MB")
    answer = json.loads(done.stdout)
    if isinstance(answer, str):
        raise PatternError(f"is no regular expression: {answer}")
    return {name for name, found in zip(names, answer) if found}
