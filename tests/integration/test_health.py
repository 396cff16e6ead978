# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""On two pnodes, a broken experiment is never shown as healthy. Another swap-in repairs it, or fails and names what is broken."""

from __future__ import annotations

import json

from support import wait_until
from topologies import two_pnodes

DROP = "table inet foreign { chain forward { type filter hook forward priority 0; policy drop; }; }"
EARLY = "table bridge foreign { chain early { type filter hook forward priority -400; policy drop; }; }"  # before our own, which mark what is ours
SWITCH = "/proc/sys/net/bridge/bridge-nf-call-iptables"


def status(experiment, vhost="pnode-0000", *options):
    return json.loads(experiment.ssh(vhost, f"benito-host status -e {experiment.name} {' '.join(options)} --json").stdout)


def shown(run):
    return run.task("Show the nodes")[0]["msg"]


def test_each_kind_of_damage_is_named_and_repaired_by_another_swap_in(made):
    experiment = made(two_pnodes())
    assert shown(experiment.play("swapin"))[-1] == "substrates: 2 up"
    plan = json.loads((experiment.path / "plan" / "pnode-0000.json").read_text())
    lan = next(substrate for substrate in plan["substrates"] if substrate["name"] == "lan")
    bridge, tunnel, remote = lan["bridge"], lan["tunnel"]["device"], lan["tunnel"]["remotes"][0]
    port = plan["vnodes"][0]["interfaces"][0]["port"]
    damages = {
        f"ip link set {port} nomaster": f"port {port} of left-a:inf000 is not in bridge {bridge}",
        f"ip link set {port} down": f"port {port} of left-a:inf000 is down",
        f"ip link set {port} mtu 1400": f"port {port} of left-a:inf000 has MTU 1400 instead of 1500",
        f"ip link set {bridge} down": f"bridge {bridge} is down",
        f"ip link delete {bridge}": f"bridge {bridge} is missing",
        f"ip link delete {tunnel}": f"tunnel {tunnel} is missing",
        f"ip link set {tunnel} down": f"tunnel {tunnel} is down",
        f"bridge fdb delete 00:00:00:00:00:00 dev {tunnel} dst {remote}": f"tunnel {tunnel} does not flood to {remote}",
    }
    for damage, fault in damages.items():
        experiment.ssh("pnode-0000", damage)
        found = status(experiment)
        assert found["substrates"]["lan"] in ("missing", "broken") and fault in found["faults"]["substrates"]["lan"], (damage, found)
        experiment.ssh("pnode-0000", f"benito-host apply -e {experiment.name}")
        found = status(experiment, "pnode-0000", "--probe")
        assert (found["substrates"]["lan"], found["faults"], found["differs"]) == ("up", {"substrates": {}, "nodes": {}}, {}), (damage, found)
    for damage in damages:
        experiment.ssh("pnode-0000", damage, check=False)  # what an earlier one has removed is no more to be damaged
    again = experiment.play("swapin")
    assert again.changed > 0 and shown(again)[-1] == "substrates: 2 up" and "REMARK" not in shown(again)[0]
    experiment.enter("pnode-0000", "left-a", "ping -c 1 -W 5 -s 1472 -M do far")
    assert experiment.play("swapin").changed == 0


def test_what_an_experimenter_changes_inside_a_node_is_a_remark(made):
    experiment = made(two_pnodes())
    experiment.play("swapin")
    experiment.enter("pnode-0000", "left-a", "ip link set inf000 mtu 1300")
    experiment.enter("pnode-0000", "left-a", "ip route add 10.9.0.0/16 dev inf000")
    again = experiment.play("swapin")
    assert again.changed == 0
    remarks = {line.split()[0]: line.partition("differs: ")[2] for line in shown(again)[1:-1]}
    assert remarks.pop("left-a") == "inf000 has MTU 1300 instead of 1500" and set(remarks.values()) == {""}


def test_a_firewall_that_drops_what_crosses_bridges_is_passed_and_one_that_cannot_be_passed_fails_another_swap_in_with_its_name(made):
    experiment = made(two_pnodes())
    experiment.play("swapin")
    before = experiment.ssh("pnode-0001", f"cat {SWITCH}").stdout.strip()
    try:
        experiment.ssh("pnode-0001", f"nft '{DROP}' && echo 1 > {SWITCH}")
        wait_until("the chain to be passed", lambda: status(experiment, "pnode-0001", "--probe")["foreign"] == "passed")
        assert shown(experiment.play("swapin"))[-1] == "substrates: 2 up" and experiment.state["state"] == "active"

        experiment.ssh("pnode-0001", f"nft '{EARLY}'")
        seen = status(experiment, "pnode-0001", "--probe")
        assert seen["foreign"] == "bridge foreign early" and seen["substrates"]["link"] == "broken"
        assert "bridge foreign early" in str(seen["faults"]["substrates"]["link"])
        failed = experiment.play("swapin", fails=True)
        assert "family bridge, table foreign, chain early, hook forward" in failed.stdout and experiment.state["state"] == "failed"
    finally:
        experiment.ssh("pnode-0001", f"nft delete table inet foreign; nft delete table bridge foreign; echo {before} > {SWITCH}")
    assert shown(experiment.play("swapin"))[-1] == "substrates: 2 up" and experiment.state["state"] == "active"
