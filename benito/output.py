# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print results for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer


def print_json(value: Any) -> None:
    """Print a value as one JSON document."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def print_lines(lines: Sequence[str]) -> None:
    """Print lines as they are."""
    for line in lines:
        typer.echo(line)
