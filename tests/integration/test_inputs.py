# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs written for the original DETER Containers run here: an NS file, a group's experiment, passes and machine types."""

from __future__ import annotations

import json

from support import ansible

OFFICE = """
set ns [new Simulator]
source tb_compat.tcl
for {set i 0} {$i < 3} {incr i} {
    set desk($i) [$ns node]
    lappend desks $desk($i)
    tb-add-node-attribute $desk($i) containers:PartitionPass 1
}
set door [$ns node]
set street [$ns node]
set office [$ns make-lan "$desks $door" 100Mb 0ms]
set way [$ns duplex-link $door $street 10Mb 20ms DropTail]
tb-set-link-simplex-params $way $street 30ms 1Mb 0.01
tb-set-ip-link $street $way 192.168.7.2
tb-set-node-startcmd $street {echo "$(hostname) of $BENITO_PID"}
foreach node "$door $street" { tb-add-node-attribute $node containers:PartitionPass 0 }
$ns rtproto Static
$ns run
"""


def test_ns_file_of_a_group_becomes_a_running_experiment(made, playbook):
    experiment = made(OFFICE, name="office.tcl", pid="Test/teachers", default_container="process", pnode_types="pc3000,local", pass_pack="0:2,1:3")
    assert experiment.path.parts[-5:-1] == ("Test", "groups", "teachers", "exp")
    assert (experiment.path / "experiment.tcl").read_text() == OFFICE
    experiment.play("swapin")
    pool, nodes = (playbook,), ("desk-0", "desk-1", "desk-2", "door", "street")
    everybody = "hostname; for other in desk-0 desk-1 desk-2 door street; do ping -c 2 -W 5 $other > /dev/null || echo no $other; done"
    assert ansible(pool, experiment, "vnodes", everybody) == {node: node for node in nodes}
    output = ansible(pool, experiment, "street", "cat /var/benito/log/start_command.out; ip -o -4 address show dev inf000; ip route")["street"]
    assert output.startswith("street of Test") and "inet 192.168.7.2/24" in output and "via 192.168.7." in output, output
    carried = json.loads(experiment.ssh("pnode-0000", f"benito-host status -e {experiment.name} --json").stdout)["nodes"]
    assert sorted(carried) == ["door", "street"], "pass 0 has a machine of its own"
    experiment.play("swapout")
    experiment.play("terminate")
    assert not experiment.path.exists()


def test_swap_in_names_the_machine_types_that_the_pool_lacks(made):
    experiment = made(OFFICE, name="office.ns", default_container="process", pnode_types=["pc3000", "pc850"])
    output = experiment.play("swapin", fails=True).stdout
    assert "pc3000" in output and "pc850" in output and "local" in output, output
    assert experiment.state["state"] in ("swapped", "failed")


BRANCHES = """
name: branches
topology:
  nodes:
    core: {kind: linux}
    east: {kind: linux}
    west: {kind: linux}
  links:
    - endpoints: ["core:GigabitEthernet0/0/0/1", "east:eth1"]
    - endpoints: ["core:GigabitEthernet0/0/0/10", "west:eth1"]
"""


def test_containerlab_file_of_any_name_runs_with_interfaces_that_people_recognise(made, playbook):
    experiment = made(BRANCHES, name="clab.yaml", kind_map="openvz=process")
    assert (experiment.path / "experiment.clab.yml").read_text() == BRANCHES
    experiment.play("swapin")
    devices = "for device in Gi0-0-0-1 Gi0-0-0-10; do ip -o link show dev $device > /dev/null || echo no $device; done; ping -c 2 -W 5 east > /dev/null"
    devices += " && echo up"
    assert ansible((playbook,), experiment, "core", devices)["core"] == "up"
    experiment.play("swapout")
    experiment.play("terminate")
