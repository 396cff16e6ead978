# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ping between nodes, run inside of them: all nodes side by side, each to all its targets at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.deter.benito.plugins.module_utils.clean_text import NAME_WIDTH, clean_line
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory

from .commanding import Outcome, run_on
from .pairs import Pair
from .pinger import ping_text, read_answers

_BESIDE_S = 60  # for a node to start the program, on a busy or an emulated machine


@dataclass(frozen=True)
class Result:
    """What became of a pair: the milliseconds to the answer, or why there was none."""

    pair: Pair
    rtt_ms: float | None
    failure: str = ""


def ping_pairs(directory: ExperimentDirectory, pairs: Sequence[Pair], limit_s: float) -> list[Result]:
    """Try every pair and return the results in the order of ``pairs``."""
    targets: dict[str, list[str]] = {}
    for pair in pairs:
        targets.setdefault(pair.source, []).append(pair.address)
    if not targets:
        return []
    texts = {node: ping_text(addresses, limit_s) for node, addresses in targets.items()}
    outcomes = run_on(directory, "all", texts, int(limit_s) + _BESIDE_S)
    answers = {outcome.node: outcome for outcome in outcomes}
    return [result_of(pair, answers.get(pair.source)) for pair in pairs]


def result_of(pair: Pair, outcome: Outcome | None) -> Result:
    """Return the result of a pair from what its source printed."""
    found = read_answers(outcome.out) if outcome and not outcome.failed else None
    if found is None:
        why = outcome.failure or outcome.err or f"exit status {outcome.status}" if outcome else "Ansible has not reached it"
        return Result(pair, None, clean_line(f"{pair.source} did not ping: {why}", NAME_WIDTH))
    answer = found.get(pair.address)
    if isinstance(answer, (int, float)) and not isinstance(answer, bool):
        return Result(pair, float(answer))
    return Result(pair, None, clean_line(answer or "no answer", NAME_WIDTH))
