# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a machine that is node c, beside a machine with processes a, b and d. Run on both pnodes by shared/tasks/script.yml.

Argument: how often start commands must have run.
"""

import json
import os
import sys

from node import EXPERIMENT, HOST, PLAN, UNIT, benito, node, nodes, processes, reach, run, wait

RUNS, MACHINE = int(sys.argv[2]), "c"
mine = nodes()


def state(name):
    return benito("status", "-e", EXPERIMENT)["nodes"][name]


def log(suffix):
    return open(f"/var/benito/log/start_command.{suffix}", encoding="utf-8").read()


assert (mine == [MACHINE]) == (MACHINE in mine), mine
wait("all nodes to be booted", lambda: all(state(name)["state"] == "booted" for name in mine), 60)

# every node reaches every other by its name
for name in mine:
    reach(name, *"abcd")

if MACHINE in mine:
    vnode = PLAN["vnodes"][0]
    # the machine is the node, and keeps its own name and namespaces
    assert os.uname().nodename == HOST == node(MACHINE, "hostname") != MACHINE
    assert node(MACHINE, "echo $BENITO_NODE; cat /var/benito/pid /var/benito/eid").split() == [MACHINE, *EXPERIMENT.split(".")]
    assert node(MACHINE, "readlink /proc/self/ns/net /proc/self/ns/mnt") == run("readlink", "/proc/1/ns/net", "/proc/1/ns/mnt").strip()
    assert node(MACHINE, "cat /proc/self/cgroup").splitlines()[-1].endswith(f"/node-{MACHINE}")
    for interface in vnode["interfaces"]:
        link = json.loads(run("ip", "-json", "address", "show", interface["name"]))[0]
        assert (link["address"], link["mtu"]) == (interface["mac_address"], 1500), link
        assert [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]] == [interface["ip4_address"]], link
    assert run("ip", "route", "show", "default").split()[4] in ("eth0", "control0"), "the default route is the machine's"
    for name in "abcd":
        assert run("getent", "hosts", name).split()[0].startswith("10.")
    assert "localhost" in open("/etc/hosts", encoding="utf-8").read() and HOST in open("/etc/hosts", encoding="utf-8").read()

    # its start command has run in the machine's own namespaces, once in each boot
    wait("the end of its start command", lambda: state(MACHINE)["start_command"] == "ended", 60)
    assert state(MACHINE)["exit_status"] == json.loads(log("json"))["exit_status"] == 3
    assert log("out") == "quotes ' and \" and /root and ünïcödé ☃\n1\n", log("out")
    assert log("err") == EXPERIMENT.replace(".", " ") + " c\n", log("err")
    assert log("log").count("started") == log("log").count("with exit status 3") == RUNS, log("log")
    assert open("/var/tmp/benito-runs-c", encoding="ascii").read() == "run\n" * RUNS
    assert len(processes("sleep 65433")) == 1, "its background process still runs"
    assert benito("start-commands", "-e", EXPERIMENT)["changes"] == []

    if RUNS == 1:
        # repair restores what is missing, and nothing else
        for damage, expected in (("ip link delete inf000", "interface inf000: made"), ("ip link set inf001 down", "interface inf001: set up")):
            node(MACHINE, damage)
            assert f"c: {expected}" in benito("apply", "-e", EXPERIMENT)["changes"]
            assert benito("apply", "-e", EXPERIMENT)["changes"] == []
        reach(MACHINE, *"abcd")
        # restarting the unit does not run the start command again, and stops its processes
        run("systemctl", "restart", UNIT)
        assert not processes("sleep 65433")
        assert open("/var/tmp/benito-runs-c", encoding="ascii").read() == "run\n"
        assert state(MACHINE)["start_command"] == "ended"
else:
    def count_in_log(name, word):
        return open(f"/var/benito/exp/{EXPERIMENT}/nodes/{name}/log/start_command.log", encoding="utf-8").read().count(word)

    if RUNS == 2:
        # a reboot from outside stops a node's processes, restores its network and runs its start command again, whether that had ended or not
        # b may have ended by SIGTERM or by SIGKILL when the machine went down
        before = (count_in_log("a", "started"), count_in_log("b", "started"), count_in_log("b", "(SIGKILL)"))
        node("a", "ip address add 10.200.0.1/32 dev lo; setsid sleep 65435 >/dev/null 2>&1 </dev/null & echo mine > /var/benito/mine")
        wait("the background process", lambda: processes("sleep 65435"))
        assert [f"{name}: rebooted" for name in "ab"] == benito("reboot", "-e", EXPERIMENT, "a", "b")["changes"][:2]
        assert not processes("sleep 65435") and "10.200.0.1" not in node("a", "ip address") and node("a", "cat /var/benito/mine") == "mine"
        after = (count_in_log("a", "started"), count_in_log("b", "started"), count_in_log("b", "(SIGKILL)"))
        assert after == tuple(number + 1 for number in before), (before, after)
        assert benito("apply", "-e", EXPERIMENT)["changes"] == []
        assert "no node nobody" in benito("reboot", "nobody", fails=True)
    wait("b's start command to run", lambda: state("b")["start_command"] == "running" and len(processes("sleep 65434")) == 1)
    wait("the end of a's start command", lambda: state("a")["start_command"] == "ended", 60)
    assert state("a")["exit_status"] == 0, state("a")
    # a reaches d through c: the machine is a router
    far = json.loads(node("d", "ip -json address show inf000"))[0]["addr_info"][0]["local"]
    node("a", f"ip route replace {far}/32 via $(getent hosts c-lan0 | cut -d' ' -f1)")
    reach("a", far)
    node("a", f"ip route delete {far}/32")
