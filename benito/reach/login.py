# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in to a node, or run a command there, with the terminal and the exit status of the caller."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..collection import make_importable
from .members import Members
from .shell_text import shell_text

PROGRAM = Path(__file__).with_name("login_program.py")


def replace_by_login(members: Members, node: str, words: Sequence[str]) -> None:
    """Replace this process by a login to the node, or by a command there. Never returns.

    The SSH client gets a terminal on the node if this process has one for its input and output.
    Raises ExperimentError when there is no such node or it is not swapped in, InputError when the command is none.
    """
    request = {
        "collections": str(make_importable().parents[2]),
        "node": node,
        "variables": members.connection(node),
        "text": shell_text(words) if words else "",
        "program": list(words) if len(words) > 1 else [],
        "terminal": sys.stdin.isatty() and sys.stdout.isatty(),
    }
    sys.stdout.flush()
    descriptor = readable(request)
    os.execv(sys.executable, [sys.executable, "-P", str(PROGRAM), str(descriptor)])


def readable(value: dict[str, Any]) -> int:
    """Return a descriptor from which another program can read the value as JSON. It has passwords, so it is in memory, not in a file or in arguments."""
    descriptor = os.memfd_create("benito-login", 0)
    with os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as stream:
        json.dump(value, stream)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
