# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of NS files, and the example of their documentation. tests/unit/docs tests the examples of the tutorials."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from ansible_collections.deter.benito.tests.unit.topology.ns.files import TWO, members, read, topology_of, ways


def test_options_keep_the_order_in_which_they_were_set():
    body = "set opt(BANDWIDTH) 10Mb\nset opt(DELAY) 5ms\n" + TWO + "set l [$ns duplex-link $a $b $opt(BANDWIDTH) $opt(DELAY) DropTail]"
    topology = topology_of(body)
    assert [attribute.name for attribute in topology.attributes] == ["containers:env:BANDWIDTH", "containers:env:DELAY"]
    assert ways(topology, "l")["a", "b"] == (5, 10_000, 0)


def test_documentation_example_is_read_without_a_warning():
    page = (Path(__file__).parents[4] / "docs" / "ns.md").read_text(encoding="utf-8")
    example = textwrap.dedent(re.search(r"(?:^(?:    .*)?\n)+", page[page.index("    set ns") :], re.MULTILINE).group())
    topology, warnings = read(example, whole=True)
    assert warnings == [] and members(topology) == {"lan0": ["server", "client-0", "client-1", "client-2"]}
    assert ways(topology, "lan0")["client-2", "server"] == (10, 1000, 0)
