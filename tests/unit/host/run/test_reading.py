# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters and output of nodes, from real process nodes."""

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.namespaces import Registry, home
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.run.apply import apply
from ansible_collections.deter.benito.plugins.module_utils.host.run.reading import counters, printed
from ansible_collections.deter.benito.plugins.module_utils.hostplan import VnodePlan
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PATHS = ExperimentPaths("Proj.exp")


def built():
    install_plan(plan())
    subprocess.run(["ip", "-batch", "-"], input=f"link set lo up\naddress add {LOCAL}/32 dev lo\n", text=True, check=True)
    apply(PATHS)


def ping_from_a(*options):
    with home() as origin:
        registry = Registry(PATHS)
        registry.open(origin)
        with registry.network("a"):
            subprocess.run(["ping", "-q", "-i", "0.02", "-W", "5", *options, "10.0.1.1"], check=True, stdout=subprocess.DEVNULL)
        registry.close()


@sandboxed
def test_a_node_counts_what_it_sends_as_sent():
    built()
    before = counters(PATHS, [])
    ping_from_a("-c", "20", "-s", "972")
    after = counters(PATHS, [])
    assert {name: list(after[name]) for name in after} == {"a": ["inf000"], "r": ["inf000", "inf001"], "b": ["inf000"]}
    sent = after["a"]["inf000"]["tx_bytes"] - before["a"]["inf000"]["tx_bytes"]
    assert 20 * 1000 <= sent < 25 * 1000, "1,000 bytes of IP for each packet"
    assert after["r"]["inf000"]["rx_packets"] - before["r"]["inf000"]["rx_packets"] >= 20
    assert set(after["a"]["inf000"]) == {f"{way}_{what}" for way in ("rx", "tx") for what in ("packets", "bytes", "errors", "dropped")}


@sandboxed
def test_requests_without_answers_are_only_sent():
    built()
    before = counters(PATHS, ["a"])["a"]["inf000"]
    with home() as origin:
        registry = Registry(PATHS)
        registry.open(origin)
        with registry.network("a"):
            subprocess.run(["ip", "neighbour", "replace", "10.0.0.77", "lladdr", "02:00:00:00:99:99", "dev", "inf000"], check=True)
            subprocess.run(["ping", "-q", "-c", "30", "-i", "0.01", "-W", "0.1", "10.0.0.77"], check=False, stdout=subprocess.DEVNULL)
        registry.close()
    after = counters(PATHS, ["a"])["a"]["inf000"]
    assert after["tx_packets"] - before["tx_packets"] >= 30 > after["rx_packets"] - before["rx_packets"]


@sandboxed
def test_a_node_whose_port_is_gone_has_no_such_counters_and_an_unknown_node_is_an_error():
    built()
    subprocess.run(["ip", "link", "delete", plan().vnodes[0].interfaces[0].port], check=True)
    assert counters(PATHS, ["a"]) == {"a": {}}
    with pytest.raises(HostError, match=r"no node nobody of Proj\.exp is on this host"):
        counters(PATHS, ["nobody"])


@sandboxed
def test_what_a_process_has_printed_is_shown_cleaned_and_only_its_end():
    built()
    log = f"{PATHS.node('a')}/log"
    with open(f"{log}/start_command.out", "wb") as stream:
        stream.write(b"".join(b"line %d\n" % number for number in range(10 ** 6)) + b"\x1b]0;owned\x07the \x1b[1mend\r\n")
    assert printed(PATHS, "a", 2) == {"node": "a", "kind": "process", "texts": {"output": "line 999999\nthe end", "errors": ""}}


@pytest.mark.parametrize("obstacle", ["link", "pipe", "folder"])
def test_what_a_node_puts_in_the_place_of_its_output_is_not_read(obstacle):
    @sandboxed
    def body():
        built()
        path = f"{PATHS.node('a')}/log/start_command.out"
        {"link": lambda: os.symlink("/etc/passwd", path), "pipe": lambda: os.mkfifo(path), "folder": lambda: os.mkdir(path)}[obstacle]()
        assert printed(PATHS, "a", 10)["texts"]["output"] == ""

    body()


@sandboxed
def test_a_ghost_and_a_wrong_number_of_lines_are_refused():
    install_plan(plan(vnodes=(VnodePlan("g", "process", "g", ghost=True),)))
    assert counters(PATHS, []) == {"g": {}}
    for lines, name, message in ((10, "g", "g is a ghost"), (0, "g", "--lines 0: choose a number from 1 to 2000"), (10, "x", "no node x")):
        with pytest.raises(HostError, match=message):
            printed(PATHS, name, lines)
