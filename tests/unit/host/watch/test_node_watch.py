# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch of a vhost with real process nodes, in the supervisor's event loop, as a client of its socket sees it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base.namespaces import Registry, home
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.base.watch_socket import ask_for_a_look, connect
from ansible_collections.deter.benito.plugins.module_utils.host.run.apply import apply
from ansible_collections.deter.benito.plugins.module_utils.host.run.events import EventLoop, Source
from ansible_collections.deter.benito.plugins.module_utils.host.start_commands.start_command import StartCommand
from ansible_collections.deter.benito.plugins.module_utils.host.watch import node_watch
from ansible_collections.deter.benito.plugins.module_utils.host.watch.node_watch import BURST_S, NodeWatch
from ansible_collections.deter.benito.plugins.module_utils.host.watch.plan_cache import PlanCache
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan, ImagePlan, VnodePlan
from ansible_collections.deter.benito.tests.unit.host.physical import test_physical_nodes as physical
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, plan, with_vnode
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PATHS = ExperimentPaths("Proj.exp")
PLAN = with_vnode(plan(), "a", start_command="true")


class Supervised:
    """A watch in its loop, and one client."""

    def __init__(self):
        os.makedirs(PATHS.run, exist_ok=True)
        self.watch = NodeWatch(PATHS)
        self.loop = EventLoop([Source("nodes", self.watch.fd, self.watch.read, lambda _happened: self.watch.act(), BURST_S)])
        self.watch.act()
        self.sock, self.lines, self._rest = connect(PATHS, 5), [], b""

    def next(self, limit_s=5.0) -> dict:
        """The next line that the client gets."""
        deadline = time.monotonic() + limit_s
        while not self.lines:
            assert time.monotonic() < deadline, f"no line within {limit_s} s"
            self.loop.step(0.02)
            while select.select([self.sock], [], [], 0)[0]:
                *whole, self._rest = (self._rest + self.sock.recv(1 << 20)).split(b"\n")
                self.lines += [json.loads(line) for line in whole]
        return self.lines.pop(0)


def built(made=PLAN):
    install_plan(made)
    subprocess.run(["ip", "-batch", "-"], input=f"link set lo up\naddress replace {LOCAL}/32 dev lo\n", text=True, check=True)
    apply(PATHS)


def unpin(name):
    with home() as origin:
        registry = Registry(PATHS)
        registry.open(origin)
        registry.unpin(name)
        registry.close()


def mark_started(name):
    with home() as origin:
        registry = Registry(PATHS)
        registry.open(origin)
        registry.mark_started(name)
        registry.close()


@sandboxed
def test_a_client_gets_every_node_and_the_startup_status():
    built()
    line = Supervised().next()
    assert (line["event"], line["experiment"], line["vhost"], line["startup"]) == ("snapshot", "Proj.exp", "pnode-0000", [0, ""])
    assert list(line["nodes"]) == ["a", "r", "b"]
    a = line["nodes"]["a"]
    assert a == {"kind": "process", "state": "booted", "exit_code": None, "start_command": "waiting", "exit_status": None, "since": a["since"]}
    assert a["since"] <= line["time"]


@sandboxed
def test_the_startup_status_is_1_with_the_reason_until_everything_is_built():
    install_plan(PLAN)
    here = Supervised()
    line = here.next()
    assert line["startup"] == [1, "processes: not built on this machine since it has started"]
    assert {node["state"] for node in line["nodes"].values()} == {"missing"}
    here.watch.on_failure("the tunnel is in the way")
    assert here.next()["startup"] == [1, "the tunnel is in the way"]
    built()  # it asks for a look
    lines = [here.next() for _number in range(4)]
    assert [line["startup"] for line in lines if line["event"] == "vhost"] == [[0, ""]]
    assert {line["node"]: line["state"] for line in lines if line["event"] == "node"} == dict.fromkeys(("a", "r", "b"), "booted")


@sandboxed
def test_a_node_that_is_gone_is_missing_after_a_look_and_only_that_is_told():
    built()
    here = Supervised()
    here.next()
    unpin("b")
    ask_for_a_look(PATHS)
    line = here.next()
    assert (line["event"], line["node"], line["state"], line["kind"]) == ("node", "b", "missing", "process")
    ask_for_a_look(PATHS)
    with pytest.raises(AssertionError, match="no line"):
        here.next(0.3)


@sandboxed
def test_start_commands_are_told_when_they_start_and_end():
    built()
    here = Supervised()
    since = here.next()["nodes"]["a"]["since"]
    here.watch.on_start_commands(["a"])
    line = here.next()
    assert (line["node"], line["start_command"], line["exit_status"], line["since"]) == ("a", "running", None, since)
    mark_started("a")
    StartCommand(PATHS, PLAN, PLAN.vnodes[0]).end(3 << 8)
    here.watch.on_start_commands(["a"])
    line = here.next()
    assert (line["state"], line["start_command"], line["exit_status"], line["since"]) == ("booted", "ended", 3, since)


@sandboxed
def test_a_restart_of_the_supervisor_loses_nothing():
    built()
    first = Supervised()
    before = first.next()["nodes"]
    unpin("b")  # while nobody watches
    os.close(first.watch.fd)
    after = Supervised().next()["nodes"]
    assert {name: after[name] for name in "ar"} == {name: before[name] for name in "ar"}
    assert after["b"]["state"] == "missing" and after["b"]["since"] > before["b"]["since"]


@sandboxed
def test_a_changed_plan_is_told_by_a_new_snapshot():
    built()
    here = Supervised()
    assert here.next()["event"] == "snapshot"
    changed = plan(vnodes=(*PLAN.vnodes[:2], VnodePlan("c", "process", "c")))
    install_plan(changed)
    apply(PATHS)
    line = here.next()
    assert line["event"] == "snapshot" and list(line["nodes"]) == ["a", "r", "c"] and line["nodes"]["c"]["state"] == "booted"


@sandboxed
def test_a_question_is_not_lost_when_its_asker_is_gone_and_an_answer_is_due():
    """The supervisor of a busy machine comes late to everything at once."""
    install_plan(PLAN)
    here = Supervised()
    assert here.next()["startup"][0] == 1
    built()
    with connect(PATHS, 5):  # has an answer due
        time.sleep(2 * BURST_S)
        here.watch.read()
        here.watch.act()
        assert [line["startup"] for line in (here.next() for _number in range(4)) if line["event"] == "vhost"] == [[0, ""]]


@sandboxed
def test_a_burst_is_looked_at_once():
    built()
    here = Supervised()
    here.next()
    looks = []
    here.watch._look = lambda: looks.append(1)
    for _number in range(20):
        ask_for_a_look(PATHS)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        here.loop.step(0.02)
    assert 1 <= len(looks) <= 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_child_that_was_killed_or_hangs_is_replaced(number):
    """The child of a plan with a virtual machine; there is no systemd here, so the machine is missing."""
    @sandboxed
    def body():
        node_watch._SLOW_S = 1
        control = ControlPlan("bvcontrol", "02:00:00:00:99:00", "192.0.2.9/24")
        machine = VnodePlan("vm", "qemu", "vm", plan().vnodes[0].interfaces, control=control, image="0" * 32)
        install_plan(plan(vnodes=(machine,), images=(ImagePlan("0" * 32, "tiny", "disk", "raw"),)))
        here = Supervised()
        here.watch._child_began -= 10  # it has lived for long
        first = here.watch._child_pid
        assert first > 1
        os.kill(first, number)
        deadline = time.monotonic() + 20
        while here.watch._child_pid == first:
            assert time.monotonic() < deadline, "no other child was started"
            here.loop.step(0.05)
        os.waitpid(first, 0)

    body()


@sandboxed
def test_a_machine_that_is_a_node_is_watched_like_any_other():
    physical.machine()
    install_plan(physical.PLAN)
    apply(PATHS)
    here = Supervised()
    line = here.next()
    assert line["startup"] == [0, ""] and {name: (node["kind"], node["state"]) for name, node in line["nodes"].items()} == {"r": ("embedded_pnode", "booted")}
    subprocess.run(["ip", "link", "set", "inf000", "down"], check=True)
    ask_for_a_look(PATHS)
    line = here.next()
    assert (line["node"], line["state"]) == ("r", "missing")


@sandboxed
def test_what_nobody_tells_is_seen_by_the_slow_look():
    node_watch._SLOW_S = 1
    built()
    here = Supervised()
    assert here.next()["event"] == "snapshot"
    unpin("b")
    line = here.next()
    assert (line["node"], line["state"]) == ("b", "missing")


@sandboxed
def test_the_plan_is_read_again_when_it_has_changed_and_only_then():
    install_plan(PLAN)
    cache = PlanCache(PATHS)
    first = cache()
    assert first is cache() and [vnode.name for vnode in first.vnodes] == ["a", "r", "b"]
    os.unlink(PATHS.plan)
    install_plan(plan())
    assert cache() is not first and cache().vnodes[0].start_command == ""


@sandboxed
def test_a_plan_that_is_gone_is_told_and_the_watch_goes_on():
    built()
    here = Supervised()
    here.next()
    os.unlink(PATHS.plan)
    ask_for_a_look(PATHS)
    for _number in range(20):
        here.loop.step(0.02)
    with connect(PATHS, 5) as another:
        for _number in range(20):
            here.loop.step(0.02)
        assert list(json.loads(another.recv(1 << 20, socket.MSG_DONTWAIT))["nodes"]) == ["a", "r", "b"]
