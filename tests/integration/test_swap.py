# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap-in and swap-out on two pnodes, as a user sees them."""

from __future__ import annotations

import json

from machine_state import difference
from support import wait_until
from topologies import two_pnodes

STREAM = """
import hashlib, socket, sys, threading
size, name = 64 << 20, sys.argv[2] if len(sys.argv) > 2 else ""
if sys.argv[1] == "serve":
    server = socket.create_server(("", 4242))
    print("listening", flush=True)
    connection, _ = server.accept()
    digest, total = hashlib.sha256(), 0
    while data := connection.recv(1 << 16):
        digest.update(data); total += len(data)
    print(total, digest.hexdigest(), flush=True)
else:
    block = bytes(range(256)) * 4096
    digest, sock = hashlib.sha256(), socket.create_connection((name, 4242), 10)
    sock.settimeout(60)
    for _ in range(size // len(block)):
        sock.sendall(block); digest.update(block)
    print(size, digest.hexdigest(), flush=True)
"""


def test_swap_in_runs_the_experiment_and_swap_out_leaves_nothing(made, testbed, playbook):
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    experiment = made(two_pnodes())
    assert experiment.state["state"] == "swapped"

    run = experiment.play("swapin")
    assert experiment.state["state"] == "active"
    table = {line.split()[0]: line.split() for line in run.task("Show the nodes")[0]["msg"]}
    assert table["left-a"][:3] == ["left-a", "process", "pnode-0000"]
    assert [table[node][4] for node in ("left-a", "left-b", "right-c", "router", "far")] == ["booted"] * 5
    assert table["left-b"][5:] == ["running"] and table["router"][5:] == ["-"]
    assert_nodes_reach_each_other(experiment)
    assert_start_commands_left_logs(experiment)
    assert_lan_across_pnodes_carries_a_tcp_stream(experiment)

    again = experiment.play("swapin")
    assert again.changed == 0, again.stdout
    assert experiment.play("swapin", check=True).changed == 0

    experiment.play("swapout")
    assert experiment.state["state"] == "swapped"
    assert not (experiment.path / "allocation.json").exists()
    for pnode in testbed.pnodes:
        left = difference(before[pnode], testbed.state(pnode))
        assert not left, "\n".join(left)
    assert experiment.play("swapout").changed == 0
    experiment.play("terminate")
    assert not experiment.path.exists()


def assert_nodes_reach_each_other(experiment):
    for vhost, node in (("pnode-0000", "left-a"), ("pnode-0001", "far")):
        for name in ("left-a", "left-b", "right-c", "router", "far"):
            experiment.enter(vhost, node, f"ping -c 1 -W 5 -s 1472 -M do {name}")
    routes = experiment.enter("pnode-0000", "left-a", "ip -4 route").stdout
    assert "default" not in routes and len(routes.splitlines()) == 2, routes
    assert experiment.enter("pnode-0000", "left-a", "cat /proc/sys/net/ipv4/ip_forward").stdout == "0\n"
    assert experiment.enter("pnode-0001", "router", "cat /proc/sys/net/ipv4/ip_forward").stdout == "1\n"
    assert experiment.enter("pnode-0001", "router", "hostname").stdout == "router\n"
    assert sorted(experiment.enter("pnode-0001", "router", "ls /sys/class/net").stdout.split()) == ["inf000", "inf001", "lo"]


def assert_start_commands_left_logs(experiment):
    log = "/var/benito/log/start_command"
    wait_until("the end of left-a's start command", lambda: "ended" in experiment.enter("pnode-0000", "left-a", f"cat {log}.json").stdout)
    assert experiment.enter("pnode-0000", "left-a", f"cat {log}.out").stdout.startswith("out of left-a\n2: inf000    inet 10.0.0.1/24")
    assert experiment.enter("pnode-0000", "left-a", f"cat {log}.err").stdout == "err\n"
    assert "with exit status 3" in experiment.enter("pnode-0000", "left-a", f"cat {log}.log").stdout
    assert json.loads(experiment.enter("pnode-0000", "left-a", f"cat {log}.json").stdout)["exit_status"] == 3
    wait_until("right-c's start command", lambda: experiment.enter("pnode-0001", "right-c", "test -e /var/benito/who", check=False).returncode == 0)
    assert experiment.enter("pnode-0001", "right-c", "cat /var/benito/who").stdout.split() == [*experiment.name.split("."), "right-c"]


def assert_lan_across_pnodes_carries_a_tcp_stream(experiment):
    for vhost in ("pnode-0000", "pnode-0001"):
        experiment.ssh(vhost, "cat > /tmp/benito-test-stream.py", stdin=STREAM)
    experiment.enter("pnode-0001", "right-c", "sh -c 'python3 /tmp/benito-test-stream.py serve >/tmp/benito-test-stream.out 2>&1 </dev/null &'")
    read = "cat /tmp/benito-test-stream.out"
    wait_until("the server", lambda: "listening" in experiment.enter("pnode-0001", "right-c", read).stdout)
    sent = experiment.enter("pnode-0000", "left-b", "python3 /tmp/benito-test-stream.py send right-c").stdout
    wait_until("the received bytes", lambda: len(experiment.enter("pnode-0001", "right-c", read).stdout.split()) == 3)
    assert experiment.enter("pnode-0001", "right-c", read).stdout.split()[1:] == sent.split()
    for vhost in ("pnode-0000", "pnode-0001"):
        experiment.ssh(vhost, "rm -f /tmp/benito-test-stream.*")


def test_rebooted_pnode_restores_nodes_links_and_start_commands(made, testbed):
    experiment = made(two_pnodes())
    experiment.play("swapin")
    pnode = experiment.pnode_of("pnode-0000")
    log = f"/var/benito/exp/{experiment.name}/nodes/left-a/log/start_command.log"
    wait_until("the first end of the start command", lambda: testbed.ssh(pnode, f"cat {log}").stdout.count("with exit status 3") == 1)
    boot = testbed.ssh(pnode, "stat -c %Y /proc/1").stdout
    testbed.ssh(pnode, "systemctl reboot", check=False)

    def is_back():
        there = testbed.ssh(pnode, f"stat -c %Y /proc/1; systemctl is-active benito-host@{experiment.name}", check=False)
        return there.returncode == 0 and there.stdout.split() != [] and there.stdout.split()[0] + "\n" != boot and "active" in there.stdout.split()

    wait_until("the pnode and its experiment after the reboot", is_back, 120)
    wait_until("the second end of the start command", lambda: testbed.ssh(pnode, f"cat {log}").stdout.count("with exit status 3") == 2)
    experiment.enter("pnode-0000", "left-a", "ping -c 1 -W 5 -s 1472 -M do far")
    experiment.enter("pnode-0001", "far", "ping -c 1 -W 5 -s 1472 -M do left-b")
    again = experiment.play("swapin")
    assert again.changed == 0, again.stdout


def test_another_swap_in_repairs_manual_damage(made, testbed):
    experiment = made(two_pnodes())
    experiment.play("swapin")
    experiment.enter("pnode-0000", "left-a", "ip link delete inf000")
    experiment.enter("pnode-0001", "router", "ip address flush dev inf001")
    plan = json.loads((experiment.path / "plan" / "pnode-0001.json").read_text())
    experiment.ssh("pnode-0001", f"ip link delete {plan['substrates'][0]['tunnel']['device']}")
    assert experiment.play("swapin", check=True).changed > 0
    assert experiment.play("swapin").changed > 0
    assert_nodes_reach_each_other(experiment)
    assert experiment.play("swapin").changed == 0
