# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``benito-host watch``, as somebody at the other end of an SSH session sees it: a real process with a pipe, and a real socket."""

from __future__ import annotations

import json
import os
import select
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.watch import client
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed
from ansible_collections.deter.benito.tests.unit.host.watch.test_publisher import Served

PATHS = ExperimentPaths("Proj.exp")


class Watching:
    """A process that watches, and the pipe that it writes into."""

    def __init__(self, alive_s=0.0):
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            try:
                client.watch(PATHS, writer, alive_s)
                os._exit(0)
            finally:
                os._exit(1)
        os.close(writer)
        self.pipe = os.fdopen(reader, "rb", buffering=0)
        self._rest = b""

    def line(self, served=None, limit_s=5.0) -> dict:
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            assert time.monotonic() < deadline, f"no line within {limit_s} s"
            if served:
                served.serve()
                served.publisher.greet(b'{"event": "snapshot"}\n')
            if select.select([self.pipe], [], [], 0.02)[0]:
                self._rest += self.pipe.read(65536)
        line, self._rest = self._rest.split(b"\n", 1)
        return json.loads(line)

    def ended(self, limit_s=5.0) -> int:
        deadline = time.monotonic() + limit_s
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, f"it has not ended within {limit_s} s"
            time.sleep(0.02)


def served() -> Served:
    os.makedirs(PATHS.run, exist_ok=True)
    return Served(PATHS)


@sandboxed
def test_it_goes_on_with_another_supervisor_and_ends_when_the_experiment_leaves():
    install_plan(plan())
    first = served()
    watching = Watching()
    assert watching.line(first)["event"] == "snapshot"
    first.publisher.publish(b'{"event": "node", "node": "a"}\n')
    assert watching.line() == {"event": "node", "node": "a"}
    first.publisher._listener.close()
    for fd in list(first.publisher._clients):
        first.publisher._drop(fd)
    assert watching.line(served())["event"] == "snapshot"
    os.unlink(PATHS.plan)
    # the second supervisor goes out of scope, and with it its socket
    assert watching.line()["event"] == "gone"
    assert watching.ended() == 0


@sandboxed
def test_it_ends_when_nobody_reads_although_nothing_happens():
    install_plan(plan())
    here = served()
    watching = Watching()
    watching.line(here)
    watching.pipe.close()
    assert watching.ended(2.0) == 0


@sandboxed
def test_it_ends_when_nobody_reads_while_no_supervisor_runs():
    install_plan(plan())
    watching = Watching()
    watching.pipe.close()
    assert watching.ended(2.0) == 0


@sandboxed
def test_it_tells_that_no_supervisor_runs_and_goes_on_when_one_does():
    client._ABSENT_S = 0.3
    install_plan(plan())
    watching = Watching()
    line = watching.line()
    assert line["event"] == "vhost" and line["startup"][0] == 1 and "benito-host@Proj.exp.service does not run" in line["startup"][1]
    assert watching.line(served())["event"] == "snapshot"
    watching.pipe.close()
    watching.ended()


@sandboxed
def test_a_sign_of_life_comes_when_it_was_asked_for():
    install_plan(plan())
    here = served()
    watching = Watching(alive_s=0.2)
    assert watching.line(here)["event"] == "snapshot"
    began = time.monotonic()
    assert [watching.line()["event"] for _number in range(3)] == ["alive"] * 3
    assert 0.4 < time.monotonic() - began < 2
    watching.pipe.close()
    watching.ended()


@sandboxed
def test_an_experiment_that_is_not_here_is_an_error():
    with pytest.raises(HostError, match=r"no experiment Proj\.exp on this host"):
        client.watch(PATHS)
