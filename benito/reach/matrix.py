# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the results of pings as a matrix: a row for each source, a column for each target."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from .pinging import Result

_SAME, _NOT_TRIED, _OK, _FAILED = "-", " ", ".", "X"


def cells(results: Sequence[Result]) -> tuple[list[str], dict[tuple[str, str], float | None]]:
    """Return (all nodes in order, {(source, target): milliseconds, None if a ping failed}). Of several ways between two nodes the worst counts."""
    nodes = list(dict.fromkeys(name for result in results for name in (result.pair.source, result.pair.target)))
    worst: dict[tuple[str, str], float | None] = {}
    for result in results:
        key = (result.pair.source, result.pair.target)
        before = worst.get(key, 0.0)
        worst[key] = None if result.rtt_ms is None or before is None else max(result.rtt_ms, before)
    return nodes, worst


def show(results: Sequence[Result], console: Console) -> None:
    """Print the matrix. On a terminal it is a table with times, where it fits; else it is plain text with one character for each pair."""
    nodes, worst = cells(results)
    if console.is_terminal and len(nodes) * 8 + max(map(len, nodes)) + 8 <= console.width:
        console.print(_table(nodes, worst))
    else:
        for line in plain_lines(nodes, worst):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def plain_lines(nodes: Sequence[str], worst: dict[tuple[str, str], float | None]) -> list[str]:
    """Return the matrix as text: "." for an answer, "X" for none, a space for a pair that was not tried. Columns have the numbers of rows, read downwards."""
    wide, digits = max(map(len, nodes)), len(str(len(nodes)))
    numbers = [str(number).rjust(digits) for number in range(1, len(nodes) + 1)]
    heads = [f"{'':{digits + wide + 2}}" + " ".join(number[place] for number in numbers) for place in range(digits)]
    rows = [f"{number} {source:{wide}} " + " ".join(_sign(source, target, worst) for target in nodes) for number, source in zip(numbers, nodes)]
    return [line.rstrip() for line in [*heads, *rows]]


def _sign(source: str, target: str, worst: dict[tuple[str, str], float | None]) -> str:
    if source == target:
        return _SAME
    if (source, target) not in worst:
        return _NOT_TRIED
    return _FAILED if worst[source, target] is None else _OK


def _table(nodes: Sequence[str], worst: dict[tuple[str, str], float | None]) -> Table:
    table = Table("ms", *nodes, header_style="bold")
    for source in nodes:
        table.add_row(source, *(_cell(source, target, worst) for target in nodes))
    return table


def _cell(source: str, target: str, worst: dict[tuple[str, str], float | None]) -> str:
    time_ms = worst.get((source, target), 0.0)
    if time_ms is None:
        return "[red]X[/red]"
    return f"{time_ms:.3g}" if (source, target) in worst and source != target else _sign(source, target, worst)
