# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix of pings, and what becomes of the answers of nodes."""

from __future__ import annotations

import io

from rich.console import Console

from benito.reach.commanding import Outcome
from benito.reach.matrix import cells, plain_lines, show
from benito.reach.pairs import Pair
from benito.reach.pinging import Result, result_of

RESULTS = [Result(Pair("a", "bb", "10.0.0.2"), 0.5), Result(Pair("bb", "a", "10.0.0.1"), None, "no answer"), Result(Pair("bb", "c", "10.0.1.2"), 12.25)]


def printed(results, **options):
    stream = io.StringIO()
    show(results, Console(file=stream, **options))
    return stream.getvalue()


def test_a_matrix_shows_answers_failures_and_what_was_not_tried():
    assert plain_lines(*cells(RESULTS)) == ["     1 2 3", "1 a  - .", "2 bb X - .", "3 c      -"]


def test_columns_of_many_nodes_are_read_downwards_and_lines_are_not_folded():
    results = [Result(Pair(f"n{number}", f"n{number + 1}", "10.0.0.1"), 1.0) for number in range(60)]
    lines = printed(results, width=40).splitlines()
    assert len(lines) == 2 + 61
    assert lines[0].split()[-1] == "6" and lines[1].split()[-1] == "1"


def test_on_a_terminal_times_are_shown():
    text = printed(RESULTS, force_terminal=True, width=80, color_system=None)
    assert "12.2" in text and "X" in text


def test_of_two_ways_between_two_nodes_the_worse_one_counts():
    more = [Result(Pair("a", "bb", "10.0.9.2"), None, "no answer"), Result(Pair("bb", "c", "10.0.9.3"), 1.0)]
    _nodes, worst = cells([*RESULTS, *more])
    assert worst["a", "bb"] is None and worst["bb", "c"] == 12.25


def test_a_node_that_could_not_ping_fails_with_all_its_pairs_and_says_why():
    pair = Pair("a", "bb", "10.0.0.2")
    assert result_of(pair, None).rtt_ms is None
    assert "no route" in result_of(pair, Outcome("a", None, failure="no route to host")).failure
    assert "exit status 3" in result_of(pair, Outcome("a", 3)).failure


def test_an_answer_is_a_number_and_everything_else_is_a_failure_in_plain_text():
    pair = Pair("a", "bb", "10.0.0.2")
    assert result_of(pair, Outcome("a", 0, '{"10.0.0.2": 1}')).rtt_ms == 1.0
    assert result_of(pair, Outcome("a", 0, '{"10.0.0.2": true}')).rtt_ms is None
    assert result_of(pair, Outcome("a", 0, '{"10.0.0.2": "\\u001b]0;title\\u0007Network is down"}')).failure == "Network is down"
    assert result_of(pair, Outcome("a", 0, "{}")).failure == "no answer"
