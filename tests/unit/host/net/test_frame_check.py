# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A frame that is sent across a bridge arrives, or the bridge is named. Nothing of it stays, even if it is interrupted."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import time

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.net import frame_check, netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net.frame_check import substrates_that_drop
from ansible_collections.deter.benito.plugins.module_utils.host.net.substrates import apply_network
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import in_processes, sandboxed

PLACE = ExperimentPaths("Proj.exp")
LANS = tuple(dataclasses.replace(plan().substrates[0], name=f"l{number}", bridge=f"bbl{number:010}", mtu=mtu) for number, mtu in enumerate((1500, 1450, 9000)))


def built():
    os.makedirs(PLACE.run)
    apply_network(plan(substrates=LANS), PLACE)


@sandboxed
def test_full_size_frames_cross_bridges_of_each_mtu_and_two_at_a_time_do_not_disturb_each_other():
    built()
    assert substrates_that_drop(LANS, PLACE) == [] and substrates_that_drop((), PLACE) == []
    assert in_processes(3, lambda _number: substrates_that_drop(LANS, PLACE) == []) == [0, 0, 0]
    assert sorted(netlink.links()) == ["bbl0000000000", "bbl0000000001", "bbl0000000002", "lo"]


@sandboxed
def test_a_bridge_that_drops_is_named_and_the_others_are_not():
    built()
    rules = "table bridge foreign { chain forward { type filter hook forward priority 0; meta ibrname bbl0000000001 drop; }; }"
    if subprocess.run(["nft", rules], capture_output=True, check=False).returncode:  # a kernel without ibrname
        subprocess.run(["nft", rules.replace("meta ibrname bbl0000000001", "oifname bpr0000000001")], check=True)
    assert substrates_that_drop(LANS, PLACE) == ["l1"]


@sandboxed
def test_killed_at_any_moment_it_leaves_no_port():
    built()
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
        pid = os.fork()
        if pid == 0:
            frame_check._exchange = lambda _sock, _wires: time.sleep(10) or set()  # pylint: disable=protected-access
            substrates_that_drop(LANS, PLACE)
            os._exit(0)
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        deadline = time.monotonic() + 10
        while any(name.startswith("bp") for name in netlink.links()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert sorted(netlink.links()) == ["bbl0000000000", "bbl0000000001", "bbl0000000002", "lo"]
    assert substrates_that_drop(LANS, PLACE) == []
