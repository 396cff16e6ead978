# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the logs, ends and restarts of start commands. Argument: how often they must have run. shared/tasks/script.yml runs this on a pnode."""

import json
import os
import sys

from node import EXPERIMENT, UNIT, benito, node, nodes, processes, run, wait

mine = nodes()


def state(name):
    return benito("status", "-e", EXPERIMENT)["nodes"][name]


def log(name, suffix):
    return open(f"/var/benito/exp/{EXPERIMENT}/nodes/{name}/log/start_command.{suffix}", encoding="utf-8").read()


def wait_for_ends():
    wait("the end of all start commands", lambda: all(state(name)["start_command"] == "ended" for name in mine), 60)


def check_logs():
    for name in mine:
        found, status = json.loads(log(name, "json")), {"a": 0, "b": 0, "c": 168, "d": 3}[name]
        assert (found["state"], found["exit_status"], state(name)["exit_status"]) == ("ended", status, status), found
        assert f"with exit status {status}" in log(name, "log") and found["started"] <= found["ended"]
    if "a" in mine:
        assert log("a", "out").splitlines() == ["quotes ' and \" and /root and ünïcödé ☃", "second line", "1"], log("a", "out")
        assert log("a", "err") == EXPERIMENT.replace(".", " ") + " a\n"
        assert node("a", "cat /var/benito/log/start_command.out").startswith("quotes")
    if "b" in mine:
        assert len(log("b", "out")) == 10 << 20
        assert len(processes("sleep 65432")) == 1, "its background process still runs"
    if "c" in mine:
        assert "(signal 40)" in log("c", "log")


def runs():
    try:
        return open("/var/tmp/benito-runs-a", encoding="ascii").read().count("run")
    except FileNotFoundError:
        return 0


expected = int(sys.argv[2])
wait_for_ends()
check_logs()
assert runs() == (expected if "a" in mine else 0)
if expected == 1:
    # neither starting them again nor restarting the unit runs them a second time
    assert benito("start-commands", "-e", EXPERIMENT)["changes"] == []
    run("systemctl", "restart", UNIT)
    wait_for_ends()
    assert benito("start-commands", "-e", EXPERIMENT)["changes"] == []
    assert runs() == (1 if "a" in mine else 0)
    assert not processes("sleep 65432"), "the unit stops all processes of the nodes"
    # a node that damages its own files does not harm the others
    for name in mine:
        node(name, "rm -rf /var/benito/log; mkdir -p /var/benito/log/start_command.json")
    assert all(state(name)["start_command"] == "lost" for name in mine)
    run("systemctl", "restart", UNIT)
    assert run("systemctl", "is-active", UNIT).strip() == "active"
else:
    if os.path.exists("/var/tmp/benito-runs-a"):
        os.unlink("/var/tmp/benito-runs-a")
