# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``benito watch --json`` follows a run that somebody else starts with ansible-playbook, a pnode that is unplugged, and the end of an experiment."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest
import support
from topologies import topdl
from watching import watching

PAIR = topdl({"a": {"on": ["link0"]}, "b": {"on": ["link0"]}})
VHOST = "pnode-0001"


@pytest.fixture(name="pair", scope="module")
def fixture_pair(playbook, testbed, benito_home, tmp_path_factory):
    """Return an Experiment of two process nodes, each on a pnode of its own. It is swapped out."""
    with support.experiments(playbook, testbed, benito_home, "watch", tmp_path_factory.mktemp("watch")) as make:
        yield make(PAIR, packing=1)


@pytest.fixture(name="play")
def fixture_play(pair, playbook):
    """Return ``play("swapin")``, which runs ansible-playbook as a user does in a shell."""

    def run(name):
        words = [part for option in pair.identity.items() for part in ("-e", "=".join(option))]
        done = support.run_bounded(["ansible-playbook", f"deter.benito.{name}", *words], 120, cwd=support.ROOT, env={**os.environ, **playbook.environment()})
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def control_device(testbed, pnode):
    """Return the end of the pnode's control network on this machine. Its bridge has the gateway of the pnode's address."""
    devices = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, check=True).stdout)
    address = testbed.hosts[pnode]["ansible_host"]
    route = json.loads(subprocess.run(["ip", "-json", "route", "get", address], capture_output=True, check=True).stdout)[0]
    return next(device["ifname"] for device in devices if device.get("ifalias", "").endswith(f": {pnode} eth0") and device.get("master") == route["dev"])


def test_a_run_of_ansible_playbook_is_followed_with_its_nodes_until_the_experiment_is_active(pair, play, benito_home):
    with watching(pair, benito_home) as stream:
        first = stream.until("snapshot", event="snapshot")
        assert (first["state"], first["nodes"]) == ("swapped", {})
        play("swapin")
        assert stream.until("the run", event="run_began")["playbook"] == "swapin"
        assert set(stream.until("the pnodes", event="snapshot")["nodes"]) == {"a", "b"}
        assert stream.until("the end of the run", event="run_ended")["status"] == "successful"
        assert [line["state"] for line in stream.seen if line["event"] == "state"] == ["activating", "active"]
        last = {line["node"]: line["state"] for line in stream.seen if line["event"] == "node"}
        for node in ("a", "b"):
            if last.get(node) != "booted":
                stream.until(f"{node} booted", event="node", node=node, state="booted")


def test_a_pnode_that_is_unplugged_is_unreachable_and_reached_again_when_it_is_back(pair, testbed, benito_home):
    device = control_device(testbed, pair.pnode_of(VHOST))
    with watching(pair, benito_home) as stream:
        assert stream.until("snapshot", event="snapshot")["nodes"]["b"]["state"] == "booted"
        subprocess.run(["ip", "link", "set", device, "down"], check=True)
        began = time.monotonic()
        try:
            assert "silent" in stream.until("loss", event="vhost", vhost=VHOST, reachable=False)["reason"]
            print(f"unreachable after {time.monotonic() - began:.1f} s")
            assert stream.until("an unknown node", event="node", node="b")["state"] == "unknown"
        finally:
            subprocess.run(["ip", "link", "set", device, "up"], check=True)
        began = time.monotonic()
        stream.until("return", event="vhost", vhost=VHOST, reachable=True)
        assert stream.until("the node", event="node", node="b")["state"] == "booted"
        print(f"reached again after {time.monotonic() - began:.1f} s")


def test_the_end_of_the_experiment_ends_the_watch(pair, play, benito_home):
    with watching(pair, benito_home) as stream:
        assert stream.until("snapshot", event="snapshot")["state"] == "active"
        play("swapout")
        stream.until("the swap-out", event="state", state="swapped")
        play("terminate")
        stream.until("the end", event="gone")
        assert stream.process.wait(10) == 0
