# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching nodes that boot: real processes end, and real files are written. Only systemd is left out, by a kind whose units are in a table."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.guest.report import find_report, read_report
from ansible_collections.deter.benito.plugins.module_utils.host.watch import boot_watch
from ansible_collections.deter.benito.plugins.module_utils.host.watch.boot_watch import BootWatch, fork_boot_watch
from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, VnodePlan

PLAN = HostPlan("Proj", "exp", "pnode-0000", vnodes=(VnodePlan("one", "qemu", "one"), VnodePlan("two", "qemu", "two"), VnodePlan("p", "process", "p")))


class Kind:
    """A kind whose nodes are processes of the test with a report each."""

    name, kind, boots = "machines", "qemu", True

    def __init__(self, folder):
        self.folder, self.processes, self.looks, self.fails = folder, {}, [], False

    def start(self, name):
        if name in self.processes:
            self.processes[name].wait()
        self.processes[name] = subprocess.Popen(["sleep", "1000"])
        return self.processes[name]

    def report(self, name, line):
        with open(self.folder / name, "a", encoding="ascii") as stream:
            stream.write(line + "\n")

    def signs(self, plan, _paths):
        return {vnode.name: (self._pid(vnode.name), find_report(f"{self.folder}/{vnode.name}")) for vnode in plan.vnodes}

    def status(self, plan, _paths):
        self.looks.append(tuple(vnode.name for vnode in plan.vnodes))
        if self.fails:
            raise HostError("systemd does not answer")
        return {vnode.name: {"state": read_report(f"{self.folder}/{vnode.name}").state if self._pid(vnode.name) else "dead"} for vnode in plan.vnodes}

    def _pid(self, name):
        """As systemd would: the process id, 0 when it has ended. The child of the test may not wait for it."""
        with open(f"/proc/{self.processes[name].pid}/stat", encoding="ascii") as stream:
            return 0 if stream.read().split()[2] == "Z" else self.processes[name].pid


@pytest.fixture(name="kind")
def fixture_kind(tmp_path, monkeypatch):
    kind = Kind(tmp_path)
    monkeypatch.setattr(boot_watch, "KIND_PARTS", (kind,))
    for name in ("one", "two"):
        kind.report(name, "booting x")
        kind.start(name)
    yield kind
    for process in kind.processes.values():
        process.kill()
        process.wait()


@pytest.fixture(name="watched")
def fixture_watched(kind):
    found = {}
    watch = BootWatch(ExperimentPaths("Proj.exp"), lambda: PLAN, found.update)
    watch.ask()

    def until(limit_s=1.0, **states):
        deadline = time.monotonic() + limit_s
        while {name: found.get(name, {}).get("state") for name in states} != states:
            assert time.monotonic() < deadline, f"{found} is not {states} after {limit_s} s"
            watch.step(0.05)
        return found

    until(one="running", two="running")
    until.watch = watch
    return until


def test_a_process_that_is_killed_is_seen_at_once(kind, watched):
    assert watched(one="running")["one"]["process"] == kind.processes["one"].pid
    kind.processes["one"].kill()
    assert watched(one="dead", two="running", limit_s=0.5)["one"]["process"] == 0


def test_a_report_is_seen_at_once_and_only_its_node_is_looked_at(kind, watched):
    deadline = time.monotonic() + 4  # the looks that follow the first
    while time.monotonic() < deadline:
        watched.watch.step(0.1)
    kind.looks.clear()
    kind.report("two", "booted")
    watched(one="running", two="booted", limit_s=0.5)
    assert kind.looks == [("two",)]


def test_a_node_that_starts_again_is_watched_again_when_somebody_asks(kind, watched):
    kind.processes["one"].kill()
    watched(one="dead")
    kind.start("one")
    watched.watch.ask()
    watched(one="running")
    kind.processes["one"].kill()
    watched(one="dead", limit_s=0.5)


def test_a_report_that_was_replaced_is_watched_again(kind, watched):
    os.unlink(kind.folder / "one")
    kind.report("one", "booting y")
    watched.watch.ask()
    watched.watch.step(0.2)
    kind.report("one", "booted")
    watched(one="booted")


@pytest.mark.parametrize("obstacle", ["link", "pipe", "folder"])
def test_what_a_node_puts_in_the_place_of_its_report_is_not_followed(kind, watched, obstacle):
    os.unlink(kind.folder / "one")
    {"link": lambda path: os.symlink("/etc/passwd", path), "pipe": os.mkfifo, "folder": os.mkdir}[obstacle](kind.folder / "one")
    watched.watch.ask()
    kind.processes["two"].kill()
    watched(one="running", two="dead")


def test_a_node_that_writes_all_the_time_is_looked_at_a_few_times_a_second(kind, watched):
    real = kind.status

    def costly(plan, paths):
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        return real(plan, paths)

    kind.status = costly
    kind.looks.clear()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        kind.report("one", "noise")
        watched.watch.step(0.001)
    assert 2 <= len(kind.looks) <= 9


def test_a_look_that_waits_for_somebody_does_not_put_off_the_next_one(kind, watched):
    real = kind.status

    def waiting(plan, paths):
        time.sleep(0.5)
        return real(plan, paths)

    kind.status = waiting
    kind.report("two", "booted")
    watched(two="booted", limit_s=2.0)
    kind.status = real
    kind.processes["one"].kill()
    watched(one="dead", limit_s=0.5)


def test_a_look_that_fails_is_told_and_the_next_one_succeeds(kind, watched, capfd):
    kind.fails = True
    kind.report("one", "booted")
    watched.watch.step(0.2)
    watched.watch.step(0.2)
    kind.fails = False
    watched.watch.ask()
    watched(one="booted")
    assert "systemd does not answer" in capfd.readouterr().err


def test_the_child_answers_when_asked_and_ends_with_the_supervisor(kind):
    sock, child = fork_boot_watch(ExperimentPaths("Proj.exp"), lambda: PLAN)
    sock.setblocking(True)
    sock.settimeout(5)
    assert b'"one": {"state": "running"' in sock.recv(4096)
    kind.processes["two"].kill()
    assert b'"two": {"state": "dead"' in sock.recv(4096)
    sock.close()
    deadline = time.monotonic() + 5
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        assert time.monotonic() < deadline, "the child did not end"
        time.sleep(0.02)
