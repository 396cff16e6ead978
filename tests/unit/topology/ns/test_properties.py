# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any file, however mutilated, is read or refused with line numbers. What is read can be written and read again."""

from __future__ import annotations

import os

from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.ns import interpreter
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.reader import read_ns_text
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.testbed_commands import COMMANDS
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl_text
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.writer import write_topdl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WHOLE = """set ns [new Simulator]
source tb_compat.tcl
set opt(rate) 10Mb
for {set i 0} {$i < 4} {incr i} { set n($i) [$ns node] }
set link0 [$ns duplex-link $n(0) $n(1) $opt(rate) 10ms DropTail]
set lan0 [$ns make-lan "n-0 n-2 $n(3)" 100Mb 2ms]
tb-set-link-simplex-params $link0 $n(0) 50ms 1Mb 0.05
tb-set-lan-simplex-params $lan0 $n(2) 10ms 1Mb 0.1 20ms 2Mb 0.2
tb-set-ip-link $n(0) $link0 10.1.2.3
tb-set-node-startcmd $n(1) "echo {hello} > /tmp/x"
tb-add-node-attribute $n(2) containers:node_type process
[[$ns link $n(0) $n(1)] queue] set limit_ 20
$n(2) add-route $n(1) $n(0)
proc more {count} { global ns; for {set j 0} {$j < $count} {incr j} { lappend made [$ns node] }; return $made }
set lan1 [$ns make-lan [more 3] 1Gb 0]
$ns at 10 "$link0 down"
$ns rtproto Static
$ns run
"""
WORDS = [
    *COMMANDS, "$ns", "$n(0)", "$n(1)", "$link0", "$lan0", "set", "node", "duplex-link", "make-lan", "make-deter-lan", "link", "lanlink", "queue", "at", "run",
    "10Mb", "-1ms", "1e400", "0.5", "{", "}", "[", "]", '"', "\\", ";", "\n", "$", "10.0.0.1", "255.255.255.0", "", "while 1", "{}", "ns", "n-0", "rename",
    "unset", "new", "Program", "eval", "uplevel #0", "proc", "info", "::benito::place", "interp", "exec", "é", "\x07", "\u2028", "(", ")", "n(0)", "upvar",
]  # fmt: skip
bounded = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def outcome(text: bytes):
    """Return the topology, or None if the file is refused properly."""
    began = sum(os.times()[:4])
    try:
        topology, warnings, _sources = read_ns_text(text, "lab.tcl", "/nonexistent")
        assert all(str(warning).startswith("lab.tcl") and str(warning).isprintable() for warning in warnings)
    except InputError as exc:
        topology = None
        assert exc.problems and all(str(problem).startswith("lab.tcl") and str(problem).isprintable() for problem in exc.problems)
    assert sum(os.times()[:4]) - began < 10, "processor seconds, because other work on the machine does not count"
    return topology


def assert_it_can_be_kept(topology):
    again, _warnings = read_topdl_text(write_topdl(topology).encode(), "again.xml")
    assert [node.name for node in again.computers] == [node.name for node in topology.computers]
    assert again.attachments().keys() == topology.attachments().keys()


@st.composite
def mutated(draw):
    """Draw the file with some characters or words removed, doubled, exchanged or inserted."""
    text = WHOLE
    for _time in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(st.one_of(st.just(""), st.sampled_from(WORDS), st.just(text[start:end] * 2), st.text(max_size=5))) + text[end:]
    return text


@bounded
@given(mutated())
def test_mutilated_file_is_read_or_refused_with_lines(text):
    topology = outcome(text.encode("utf-8", "surrogatepass"))
    if topology is not None:
        assert_it_can_be_kept(topology)


@bounded
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6), max_size=8))
def test_random_lines_of_words_are_read_or_refused(lines):
    head, tail = WHOLE.rsplit("$ns run", 1)
    topology = outcome("\n".join([head, *(" ".join(words) for words in lines), "$ns run", tail]).encode())
    if topology is not None:
        assert_it_can_be_kept(topology)


@bounded
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    outcome(data)


def test_limits_on_time_and_memory_are_consistent():
    assert interpreter.SECONDS < interpreter.CPU_SECONDS < 10 < interpreter.WALL_SECONDS < 60 and interpreter.MEMORY_MB < 500
