# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who remembers another machine for an address learns whose it is now."""

from __future__ import annotations

import dataclasses
import subprocess
import time

from ansible_collections.deter.benito.plugins.module_utils.host.net.gratuitous_arp import announce
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan, VnodePlan
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

NODE = VnodePlan("box", "openvz", "box", control=ControlPlan("bvbox", "02:00:00:00:00:07", "192.0.2.7/24"))


def run(*lines):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


@sandboxed
def test_a_stale_neighbour_is_corrected():
    run("link add control0 type veth peer name away", "link set control0 up", "link set away up", "address add 192.0.2.1/24 dev away",
        "neighbour add 192.0.2.7 lladdr 02:00:00:00:00:06 dev away nud stale")
    announce(dataclasses.replace(plan(), vnodes=(NODE,)), "qemu")
    announce(dataclasses.replace(plan(), vnodes=(NODE,)), "openvz")
    deadline = time.monotonic() + 5
    while "02:00:00:00:00:07" not in (known := subprocess.run(["ip", "neighbour"], capture_output=True, text=True, check=True).stdout):
        assert time.monotonic() < deadline, known
        time.sleep(0.05)
