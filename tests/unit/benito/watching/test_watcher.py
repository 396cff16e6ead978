# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment on the disk is followed: its state, its runs, its vhosts as they come and go, and its end. The clients of the vhosts are real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.experiment import events
from ansible_collections.deter.benito.plugins.module_utils.experiment.locks import Holder

from benito.watching import watcher as module
from benito.watching.watcher import Watcher

LIMIT_S = 30.0


class Reader:
    """The events of a watcher, as a test reads them."""

    def __init__(self, watcher):
        self.watcher, self.seen, self._new = watcher, [], asyncio.Event()
        self.over = False

    async def read(self):
        async for event in self.watcher.events():
            self.seen.append(event)
            self._new.set()
        self.over = True
        self._new.set()

    async def until(self, **fields):
        """Return the next event that has these fields. It is taken from those seen, with all before it."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                while self.seen:
                    event = self.seen.pop(0)
                    if fields.items() <= event.items():
                        return event
                self._new.clear()
                await self._new.wait()


@pytest.fixture(name="watched")
def fixture_watched(lent):
    """Return ``watched(test)``, which awaits ``test(experiment, reader)`` while the experiment is followed."""

    def run(test):

        async def together():
            watcher = Watcher(lent)
            following, reader = asyncio.create_task(watcher.run()), Reader(watcher)
            await asyncio.sleep(0)
            reading = asyncio.create_task(reader.read())
            try:
                await asyncio.sleep(0)
                await test(lent, reader)
                assert not following.done() or following.exception() is None
            finally:
                for task in (following, reading):
                    task.cancel()
                await asyncio.gather(following, reading, return_exceptions=True)

        asyncio.run(together())

    return run


def begun(holder, playbook="swapin"):
    return events.event(events.RUN_BEGAN, holder, playbook=playbook, process=holder.as_dict(), boot_id=events.boot_id())


@pytest.fixture(name="process")
def fixture_process():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_states_and_runs_are_events_whoever_writes_them(watched, process):

    async def test(experiment, reader):
        first = await reader.until(event="snapshot")
        assert (first["experiment"], first["state"], first["vhosts"], first["nodes"]) == ("DeterTest/lent", "swapped", {}, {})
        holder = Holder.of_process(process.pid)
        experiment.files.record(begun(holder), events.event(events.PHASE_BEGAN, holder, phase="images"),
                                events.event(events.PHASE_PROGRESS, holder, phase="images", done=1, of=2, detail="debian"))
        assert (await reader.until(event="run_began"))["playbook"] == "swapin"
        assert (await reader.until(event="phase_progress"))["detail"] == "debian"
        assert reader.watcher.snapshot()["run"]["status"] == "running" and reader.watcher.snapshot()["run"]["phases"][0]["of"] == 2
        experiment.files.write_state("failed", "no space on m1")
        assert (await reader.until(event="state"))["reason"] == "no space on m1"
        with open(experiment.files.state, "w", encoding="utf-8") as handle:
            handle.write("{")
        assert "is broken" in (await reader.until(event="state", state="broken"))["reason"]
        experiment.files.record(events.event(events.RUN_ENDED, holder, status="failed"))
        assert (await reader.until(event="run_ended"))["status"] == "failed"
        assert "process" not in json.dumps(reader.watcher.snapshot()["run"])

    watched(test)


def test_a_run_that_is_killed_has_been_interrupted(watched, process):

    async def test(experiment, reader):
        holder = Holder.of_process(process.pid)
        experiment.files.record(begun(holder))
        await reader.until(event="run_began")
        process.kill()
        process.wait()
        assert (await reader.until(event="run_ended", run=events.run_of(holder)))["status"] == "interrupted"

    watched(test)


def test_a_run_that_works_is_shown_rather_than_a_later_one_that_has_ended(watched, process):

    async def test(experiment, reader):
        works, refused = Holder.of_process(process.pid), Holder.of_process()
        experiment.files.record(begun(works), begun(refused, "show"), events.event(events.RUN_ENDED, refused, status="failed"))
        await reader.until(event="run_ended")
        assert reader.watcher.snapshot()["run"]["playbook"] == "swapin"

    watched(test)


def test_events_of_another_version_or_broken_ones_end_no_watcher(watched):

    async def test(experiment, reader):
        strange = ({"event": "run_began"}, {"event": "run_began", "run": ["x"]}, {"event": "run_ended", "run": {}})
        strange += ({"event": "run_began", "run": "r", "process": 7}, {"event": "phase_progress", "run": "r", "of": 3}, {"event": "phase_began", "run": "r"},
                    {"event": "phase_ended", "run": "r", "done": "x"})
        experiment.files.record(*strange)
        experiment.files.write_state("failed", "x")
        await reader.until(event="state")

    watched(test)


def test_machines_that_are_lent_are_followed_and_those_given_back_are_not(watched):

    async def test(experiment, reader):
        await reader.until(event="snapshot")
        experiment.lend()
        snapshot = await reader.until(event="snapshot")
        assert set(snapshot["vhosts"]) == {"pnode-0000", "pnode-0001"} and {node["state"] for node in snapshot["nodes"].values()} == {"unknown"}
        experiment.tell("pnode-0000")
        event = await reader.until(event="vhost", vhost="pnode-0000", reachable=True)
        assert event["reason"] == ""
        node = experiment.assignment["pnode-0000"][0]
        await reader.until(event="node", node=node, state="booted")
        experiment.tell("pnode-0000", {"event": "node", "node": node, "state": "dead", "exit_code": 137})
        began = time.monotonic()
        assert (await reader.until(event="node", node=node, state="dead"))["exit_code"] == 137
        assert time.monotonic() - began < 2
        assert {far for _pid, far in experiment.clients()} == {"/usr/local/sbin/benito-host watch -e DeterTest.lent --alive 2"}

        clients = [pid for pid, _far in experiment.clients()]
        experiment.files.discard("allocation.json")
        assert (await reader.until(event="snapshot"))["nodes"] == {}
        async with asyncio.timeout(LIMIT_S):
            while any(os.path.exists(f"/proc/{pid}") for pid in clients):
                await asyncio.sleep(0.05)

    watched(test)


def test_no_client_is_left_when_the_watcher_is_cancelled(watched, lent):

    async def test(experiment, reader):
        experiment.lend()
        async with asyncio.timeout(LIMIT_S):
            while len(experiment.clients()) < 2:
                await asyncio.sleep(0.05)

    watched(test)
    assert [pid for pid, _far in lent.clients() if os.path.exists(f"/proc/{pid}")] == []


def test_passwords_that_come_after_the_allocation_are_used(watched):
    """An allocation is written before the passwords of its machines."""

    async def test(experiment, reader):
        experiment.lend(ansible_user="ops", ansible_become=True)
        while not (await reader.until(event="snapshot"))["vhosts"]:
            pass
        experiment.files.write("secrets/machines.json", json.dumps({"pnode-0000": {"ansible_become_password": "x"}}))
        await reader.until(event="snapshot")
        async with asyncio.timeout(LIMIT_S):
            while not any(far.startswith("sudo -S ") for _pid, far in experiment.clients()):
                await asyncio.sleep(0.05)

    watched(test)


def test_the_end_of_a_run_that_gives_machines_back_is_told_before_the_new_snapshot(watched):

    async def test(experiment, reader):
        experiment.lend()
        while len((await reader.until(event="snapshot"))["vhosts"]) < 2:
            pass
        holder = Holder.of_process()
        experiment.files.record(begun(holder, "swapout"), events.event(events.RUN_ENDED, holder, status="successful"))
        experiment.files.discard("allocation.json")
        await reader.until(event="run_began")
        await reader.until(event="run_ended")
        assert (await reader.until(event="snapshot"))["vhosts"] == {}

    watched(test)


def test_a_broken_allocation_is_no_machine_and_a_whole_one_follows(watched):

    async def test(experiment, reader):
        for text in ("{", "[]", '{"hosts": {"pnode-0000": 7}}', "\0"):
            experiment.files.write("allocation.json", text)
            await asyncio.sleep(2 * module.LOOK_S)
        experiment.files.write("allocation.json", b"\xff\xfe")
        await asyncio.sleep(2 * module.LOOK_S)
        experiment.lend()
        while not (await reader.until(event="snapshot"))["vhosts"]:
            pass

    watched(test)


def test_a_terminated_experiment_is_gone_and_its_events_end(watched):

    async def test(experiment, reader):
        await reader.until(event="snapshot")
        shutil.rmtree(experiment.directory)
        assert (await reader.until(event="gone"))["experiment"] == "DeterTest/lent"
        await asyncio.sleep(0.1)
        assert reader.over and reader.watcher.state["state"] == "terminated"

    watched(test)


def test_a_reader_that_is_too_slow_gets_a_snapshot_in_place_of_what_it_has_missed(watched, monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 20)

    async def test(experiment, reader):
        slow = reader.watcher.events()
        assert (await anext(slow))["event"] == "snapshot"
        experiment.lend()
        node = experiment.assignment["pnode-0000"][0]
        experiment.tell("pnode-0000", {"event": "snapshot"})
        experiment.tell("pnode-0000", *({"event": "node", "node": node, "state": state} for _time in range(50) for state in ("running", "paused")))
        experiment.tell("pnode-0000", {"event": "node", "node": node, "state": "dead"})
        await reader.until(event="node", node=node, state="dead")
        found = []
        with contextlib.suppress(TimeoutError):
            while True:
                found.append(await asyncio.wait_for(anext(slow), 0.5))
        assert found[0]["event"] == "snapshot" and len(found) <= 21
        known = found[0]["nodes"][node]["state"]
        for event in found[1:]:
            known = event["state"] if event["event"] == "node" and event["node"] == node else known
        assert known == "dead"

    watched(test)


def test_the_files_of_a_watcher_are_closed_when_it_ends(lent):

    async def once():
        task = asyncio.create_task(Watcher(lent).run())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(once())
    assert not [entry for entry in os.listdir("/proc/self/fd") if events.FILE in _target(entry)]


def _target(descriptor):
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""
