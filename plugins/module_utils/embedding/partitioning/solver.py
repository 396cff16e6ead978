# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mt-KaHyPar, in a child process.

It is compiled code, which may die: of an instruction that this processor lacks, as soon as it is loaded, or for want of memory. That must end no run
without a sentence. So it is loaded only when something has to be partitioned, in a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import resource
import select
import signal
import time
from typing import Any, NoReturn

from ...errors import BenitoError
from .hypergraph import Hypergraph

_LIMIT_S = 60.0
_PINS_PER_S = 200  # a slow machine's; 4,000 are usual
_ADVICE = {
    signal.SIGILL: "this machine's processor lacks instructions that the library was compiled for",
    signal.SIGKILL: "probably for want of memory",
}


class SolverError(BenitoError):
    """Mt-KaHyPar cannot be used. The text says why."""


def solutions(hypergraph: Hypergraph, capacities: list[int], seeds: list[int]) -> list[list[int]]:
    """Return a solution for each seed: the block of each vertex. Raises SolverError."""
    limit_s = _LIMIT_S + len(seeds) * sum(len(edge) for edge in hypergraph.edges) / _PINS_PER_S
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _solve_and_exit(hypergraph, capacities, seeds, writer)
    os.close(writer)
    text = None
    try:
        text = _read(reader, time.monotonic() + limit_s)
    finally:
        os.close(reader)
        if text is None:  # it is late, or this process is to end
            os.kill(child, signal.SIGKILL)
        _pid, status = os.waitpid(child, 0)
    if text is None:
        raise SolverError(f"the library mtkahypar took longer than {limit_s:.0f} s")
    try:
        answer = json.loads(text)
    except ValueError as exc:
        raise SolverError(_end_message(status)) from exc
    if "error" in answer:
        raise SolverError(f"the library mtkahypar cannot be used: {answer['error']}")
    return answer["solutions"]


def _read(reader: int, deadline: float) -> bytes | None:
    """Return all that the child writes, None if it does not end in time."""
    data = bytearray()
    while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        chunk = os.read(reader, 1 << 16)
        if not chunk:
            return bytes(data)
        data += chunk
    return None


def _end_message(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"the library mtkahypar ended its process with exit status {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    advice = f": {_ADVICE[signal.Signals(number)]}" if number in _ADVICE else ""
    return f"the library mtkahypar was ended by signal {number} ({signal.strsignal(number)}){advice}"


def _solve_and_exit(hypergraph: Hypergraph, capacities: list[int], seeds: list[int], writer: int) -> NoReturn:
    """Solve in the child process, and write the answer. Never returns."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):  # what the library prints must not get into a module's result
            os.dup2(nowhere, number)
        answer: dict = {"solutions": _solve(hypergraph, capacities, seeds)}
    except BaseException as exc:  # whatever it is, the parent process reports it
        answer = {"error": f"{type(exc).__name__}: {exc}"}
    try:
        with os.fdopen(writer, "w", encoding="utf-8") as stream:
            json.dump(answer, stream)
    finally:
        os._exit(0)


def _solve(hypergraph: Hypergraph, capacities: list[int], seeds: list[int]) -> list[list[int]]:
    import mtkahypar

    library = mtkahypar.initialize(1, False)
    return [_solution(mtkahypar, library, hypergraph, capacities, seed) for seed in seeds]


def _solution(mtkahypar: Any, library: Any, hypergraph: Hypergraph, capacities: list[int], seed: int) -> list[int]:
    """Return one solution. ``seed`` shuffles the solver's input, because the solver's own seed has no effect in its deterministic mode."""
    count = hypergraph.vertices
    shuffled = random.Random(seed)
    place = list(range(count))
    shuffled.shuffle(place)
    order = list(range(len(hypergraph.edges)))
    shuffled.shuffle(order)
    context = library.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
    context.set_partitioning_parameters(len(capacities), 0.0, mtkahypar.Objective.KM1)
    context.set_individual_target_block_weights(capacities)
    context.logging = False
    mtkahypar.set_seed(0)
    edges = [[place[pin] for pin in hypergraph.edges[number]] for number in order]
    graph = library.create_hypergraph(context, count, len(edges), edges, [1] * count, [hypergraph.weights[number] for number in order])
    found = graph.partition(context).get_partition()
    return [int(found[place[vertex]]) for vertex in range(count)]
