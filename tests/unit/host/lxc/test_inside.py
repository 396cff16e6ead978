# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a running container is looked at from outside, however hostile root inside is. Real namespaces stand for the container."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.lxc.inside import NodeEndedError, differences_inside, init_of
from ansible_collections.deter.benito.plugins.module_utils.host.net.inside import MOST
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan, InterfacePlan, RoutePlan, VnodePlan
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

NODE = VnodePlan(
    "c", "openvz", "c", (InterfacePlan("inf000", "bvc", "lan0", "02:00:00:00:00:01", "10.0.0.1/24"),), (RoutePlan("10.0.0.0/16", "10.0.0.254"),),
    control=ControlPlan("bvcontrol", "02:00:00:00:00:02", "172.29.0.2/16"))
MTUS = {"lan0": 1500, "control0": 1500}
AS_PLANNED = """
link add inf000 address 02:00:00:00:00:01 up type bridge
link add control0 address 02:00:00:00:00:02 up type bridge
address add 10.0.0.1/24 dev inf000
address add 172.29.0.2/16 dev control0
route add 10.0.0.0/16 via 10.0.0.254
"""


class Container:
    """A process like lxc-start, whose only child is an init with a network of its own."""

    def __init__(self, lines: str = AS_PLANNED, unshare: str = "unshare --net"):
        self._monitor = subprocess.Popen(["sh", "-c", f"{unshare} sleep 1000 & wait"])
        self.pid = self._monitor.pid
        host = os.stat("/proc/self/ns/net").st_ino
        deadline = time.monotonic() + 10
        while not self._is_up(host) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.ip(lines)

    def _is_up(self, host: int) -> bool:
        try:
            return os.stat(f"/proc/{init_of(self.pid)}/ns/net").st_ino != host
        except (NodeEndedError, OSError):
            return False

    def ip(self, lines: str) -> None:
        subprocess.run(["nsenter", f"--net=/proc/{init_of(self.pid)}/ns/net", "ip", "-batch", "-"], input=lines, text=True, check=True)

    def end(self) -> None:
        os.kill(init_of(self.pid), 9)
        self._monitor.wait()


@sandboxed
def test_a_container_that_is_as_planned_differs_in_nothing_and_what_it_has_besides_is_its_own():
    container = Container()
    container.ip("address add 10.9.0.1/24 dev inf000\nroute add 10.7.0.0/16 via 10.0.0.253\nlink add own type bridge\n")
    assert differences_inside(NODE, container.pid, MTUS) == []
    container.end()


@pytest.mark.parametrize(("damage", "texts"), [
    ("link set control0 down", ["control0 is down"]),
    ("address delete 10.0.0.1/24 dev inf000", ["inf000 has no address 10.0.0.1/24", "has no route to 10.0.0.0/16 via 10.0.0.254"]),
    ("route delete 10.0.0.0/16", ["has no route to 10.0.0.0/16 via 10.0.0.254"]),
    ("link set inf000 mtu 1400 address 02:00:00:00:00:09",
     ["inf000 has MAC address 02:00:00:00:00:09 instead of 02:00:00:00:00:01", "inf000 has MTU 1400 instead of 1500"]),
    ("link set inf000 down\nlink set inf000 name other", ["inf000 is missing", "has no route to 10.0.0.0/16 via 10.0.0.254"]),
])
@sandboxed
def test_what_differs_inside_is_named(damage, texts):
    container = Container()
    container.ip(damage + "\n")
    before = os.readlink("/proc/self/ns/net")
    assert differences_inside(NODE, container.pid, MTUS) == texts
    assert os.readlink("/proc/self/ns/net") == before
    container.end()


@sandboxed
def test_a_container_with_endless_routes_is_not_read_to_the_end():
    container = Container()
    container.ip("".join(f"route add 10.{number // 250}.{number % 250}.0/24 dev inf000 metric 7\n" for number in range(300, 300 + MOST + 10)))
    began = time.monotonic()
    assert differences_inside(NODE, container.pid, MTUS) == [f"was not compared: it has more than {MOST} network settings of one kind"]
    assert time.monotonic() - began < 5
    container.end()


@sandboxed
def test_a_node_that_has_ended_and_one_with_the_hosts_own_network_are_not_looked_at():
    container = Container()
    container.end()
    assert differences_inside(NODE, container.pid, MTUS) == []
    host = subprocess.Popen(["sh", "-c", "sleep 1000 & wait"])
    time.sleep(0.3)
    assert differences_inside(NODE, host.pid, MTUS) == []
    os.kill(init_of(host.pid), 9)
    host.wait()
