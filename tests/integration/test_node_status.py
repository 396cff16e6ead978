# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node status as another program sees it: ``benito-host watch`` over SSH, with a process, a system container and a virtual machine on one pnode."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import datetime

import pytest
import support
from topologies import topdl
from watching import watching as watching_by_benito

TOPOLOGY = {
    "plain": {"on": ["lan"], "startup": "echo out of plain; exec sleep 1000"},
    "box": {"on": ["lan"], "kind": "openvz", "startup": "echo out of box; exit 4"},
    "machine": {"on": ["lan"], "kind": "qemu"},
}
VHOST = "pnode-0000"


class Stream:
    """The lines of ``benito-host watch``."""

    def __init__(self, process):
        self.process, self._lines = process, queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def until(self, what, matches, limit_s=20.0) -> dict:
        """The next line for which ``matches`` holds."""
        deadline, seen = time.monotonic() + limit_s, []
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no {what} within {limit_s} s; the stream had {seen}")
            assert line is not None, f"the stream ended without {what}; it had {seen}"
            seen.append(line)
            if matches(line):
                return line

    def snapshot(self) -> dict:
        return self.until("snapshot", lambda line: line["event"] == "snapshot")

    def node(self, name, limit_s=20.0, **fields) -> dict:
        return self.until(f"{name} {fields}", lambda line: line["event"] == "node" and line["node"] == name and fields.items() <= line.items(), limit_s)


@pytest.fixture(name="swapped_in", scope="module")
def fixture_swapped_in(playbook, testbed, benito_home, tmp_path_factory):
    """Return an Experiment with a node of each of three kinds. Its images come from the cache of the tests."""
    (benito_home / "cache").mkdir(exist_ok=True)
    images = benito_home / "cache" / "images"
    if not images.exists():
        (support.ROOT / ".cache" / "images").mkdir(parents=True, exist_ok=True)
        images.symlink_to(support.ROOT / ".cache" / "images")
    with support.experiments(playbook, testbed, benito_home, "status", tmp_path_factory.mktemp("status"), support.Experiment.print_nodes) as make:
        experiment = make(topdl(TOPOLOGY), packing=3, qemu_start="cold")
        experiment.play("swapin")
        yield experiment


@contextmanager
def watching(experiment):
    command = experiment.ssh_command(VHOST, f"benito-host watch -e {experiment.name}")
    # ssh makes the streams that it is given non-blocking, and ansible-playbook refuses such ones: it must not have those of the tests
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield Stream(process)
    finally:
        process.kill()
        process.wait()


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def stamp_on(experiment) -> str:
    return experiment.ssh(VHOST, "date -u +%Y-%m-%dT%H:%M:%S.%3NZ").stdout.strip()


def unit_of(experiment, name) -> str:
    return f"benito-node-{experiment.name}:{name}.service"


def watchers_on(experiment) -> list[str]:
    return experiment.ssh(VHOST, "pgrep -f '[b]enito-host watch'", check=False).stdout.split()


def test_every_node_is_booted_and_its_start_command_told(swapped_in):
    with watching(swapped_in) as stream:
        line = stream.snapshot()
    assert (line["experiment"], line["vhost"], line["startup"]) == (swapped_in.name, VHOST, [0, ""])
    assert {name: (node["kind"], node["state"]) for name, node in line["nodes"].items()} == {
        "plain": ("process", "booted"), "box": ("openvz", "booted"), "machine": ("qemu", "booted")}
    assert line["nodes"]["plain"]["start_command"] == "running"
    status = json.loads(swapped_in.ssh(VHOST, f"benito-host status -e {swapped_in.name} --json").stdout)
    assert {name: node["since"] for name, node in status["nodes"].items()} == {name: node["since"] for name, node in line["nodes"].items()}


def test_the_end_of_a_start_command_is_told_within_a_second(swapped_in):
    with watching(swapped_in) as stream:
        stream.snapshot()
        before = stamp_on(swapped_in)
        swapped_in.enter(VHOST, "plain", "pkill -x sleep")
        line = stream.node("plain", start_command="ended")
        assert line["exit_status"] == 143 and line["state"] == "booted"
        assert seconds_between(before, line["time"]) < 2


def test_a_container_that_reboots_and_a_machine_that_is_killed_are_told_within_two_seconds(swapped_in, benito_home):
    with watching(swapped_in) as stream, watching_by_benito(swapped_in, benito_home) as watch:
        assert stream.snapshot()["nodes"]["machine"]["state"] == "booted"
        assert watch.until("snapshot", event="snapshot")["nodes"]["machine"]["state"] == "booted"
        before, began = stamp_on(swapped_in), time.monotonic()
        swapped_in.ssh(VHOST, f"kill -9 $(systemctl show --value --property=MainPID {unit_of(swapped_in, 'machine')})")
        line = watch.until("the dead machine", event="node", node="machine", state="dead")
        print(f"benito watch has it after {time.monotonic() - began:.1f} s, of which the kill is a part")
        assert line["exit_code"] == 137 and time.monotonic() - began < 8
        line = stream.node("machine", state="dead")
        assert line["exit_code"] == 137
        assert seconds_between(before, line["time"]) < 2 and seconds_between(before, line["since"]) < 2

        before = stamp_on(swapped_in)
        swapped_in.ssh(VHOST, f"benito-host reboot -e {swapped_in.name} box")
        assert stream.node("box", state="running")["since"] > before
        stream.node("box", limit_s=60, state="booted", start_command="ended", exit_status=4)


def test_killing_watcher_and_supervisor_loses_nothing_and_ends_no_machine(swapped_in):
    with watching(swapped_in) as stream:
        nodes = stream.snapshot()["nodes"]
        other = swapped_in.ssh(VHOST, f"systemctl show --value --property=MainPID {unit_of(swapped_in, 'box')}").stdout
        watchers = watchers_on(swapped_in)
        swapped_in.ssh(VHOST, f"systemctl kill --signal=KILL --kill-who=main benito-host@{swapped_in.name}")
        again = stream.snapshot()
        assert again["nodes"] == nodes and again["startup"] == [0, ""]
        assert swapped_in.ssh(VHOST, f"systemctl show --value --property=MainPID {unit_of(swapped_in, 'box')}").stdout == other
        assert watchers_on(swapped_in) == watchers, "the watcher went on"
        swapped_in.ssh(VHOST, f"kill -9 {' '.join(watchers)}")
    with watching(swapped_in) as stream:
        assert stream.snapshot()["nodes"] == nodes
    support.wait_until("the watcher to end with its SSH session", lambda: not watchers_on(swapped_in), 10)


def test_counters_and_what_nodes_have_printed_are_shown(swapped_in):
    def shown(*command):
        return json.loads(swapped_in.ssh(VHOST, f"benito-host {' '.join(command)} -e {swapped_in.name} --json").stdout)

    before = shown("counters")
    assert set(before) == {"plain", "box", "machine"} and set(before["box"]) == {"control0", "inf000"}
    swapped_in.enter(VHOST, "plain", "ping -q -c 10 -i 0.05 -s 1000 box")
    sent = shown("counters", "plain")["plain"]["inf000"]["tx_bytes"] - before["plain"]["inf000"]["tx_bytes"]
    assert sent >= 10 * 1028
    assert shown("console", "plain")["texts"] == {"output": "out of plain", "errors": ""}
    assert "Booting" in shown("console", "machine")["texts"]["console"]
    box = shown("console", "box", "--lines", "3")["texts"]["console"]
    assert "Multi-User System" in box and len(box.splitlines()) == 3


def test_the_stream_ends_when_the_experiment_leaves(swapped_in):
    with watching(swapped_in) as stream:
        stream.snapshot()
        swapped_in.play("swapout")
        assert stream.until("end", lambda line: line["event"] == "gone")["experiment"] == swapped_in.name
        assert stream.process.wait(10) == 0
