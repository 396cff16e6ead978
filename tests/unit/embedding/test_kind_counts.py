# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of an experiment's nodes are counted by the reason why they have them."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo

LAN = {"lan": "a b c d"}
QEMU, PROCESS = {"node_type": "QEMU"}, {"node_type": "process"}
CASES = {
    "nothing is written": (vtopo(LAN), {}, ["4 qemu (default_container)"]),
    "another default": (vtopo(LAN), {"default_container": "process"}, ["4 process (default_container)"]),
    "some kinds are written": (vtopo(LAN, a=QEMU), {"default_container": "process"}, ["3 process (default_container)", "1 qemu (in the topology)"]),
    "the written kind is the default, too": (vtopo(LAN, a=QEMU), {}, ["3 qemu (default_container)", "1 qemu (in the topology)"]),
    "a misspelt attribute": (vtopo(LAN, a={"nodetype": "process"}), {}, ["4 qemu (default_container)"]),
    "kind_map": (
        vtopo(LAN, a=QEMU, b=PROCESS), {"kind_map": {"qemu": "process"}},
        ["2 process (kind_map of qemu, default_container)", "1 process (in the topology)", "1 process (kind_map of qemu, in the topology)"],
    ),
    "processes in a virtual machine of the topology": (vtopo(LAN, b={"vhost": "a"}), {}, ["3 qemu (default_container)", "1 process (containers:vhost)"]),
    "processes in a virtual machine that is made": (
        vtopo(LAN, a={"vhost": "cage"}, b={"vhost": "cage"}), {},
        ["2 qemu (default_container)", "2 process (containers:vhost)", "1 qemu (made to carry processes)"],
    ),
    "partitions by hand": (
        vtopo(LAN, a={"partition": "1"}, b={"partition": "1", **PROCESS}), {},
        ["2 embedded_pnode (without a partition)", "1 qemu (default_container)", "1 process (in the topology)"],
    ),
    "partitions by hand that are not kept": (vtopo(LAN, a={"partition": "1"}), {"force_partition": True}, ["4 qemu (default_container)"]),
    "no nodes": (vtopo({}), {}, []),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_kinds_are_counted_by_their_reasons(case):
    topology, settings, expected = CASES[case]
    assert [str(kind) for kind in embed(topology, EmbeddingSettings(**settings)).kinds] == expected
