# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the NS files of Emulab's own test suite do, and what its tests expect to pass, makes an experiment here.

The files are in testsuite/tests of Emulab's repository. Each body here has the statements of one of them that other files do not have.
"""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.tests.unit.topology.ns.files import LAN, LINK, TWO, computer, read, topology_of

# {file of the suite: (body, texts of warnings about what has no effect)}
VALID = {
    "buddycache: delays below the smallest": ('set lan [$ns make-lan "$a $b " 100Mb .1ms]\ntb-set-node-lan-delay $b $lan 20ms', []),
    "cbr: traffic, programs, events": (
        "set link0 [$ns duplex-link $a $b 100Mb 1ms DropTail]\n"
        "set udp [new Agent/UDP]\n$ns attach-agent $a $udp\nset cbr [new Application/Traffic/CBR]\n$cbr set interval_ .005\n$cbr attach-agent $udp\n"
        "set sink [new Agent/TCPSINK]\n$ns attach-agent $b $sink\n$ns connect $udp $sink\n"
        'set program [new Program $ns]\n$program set node $b\n$program set command "/bin/ls >& /tmp/x"\n'
        '$ns rtproto Session\n$ns at 1.0 "$cbr start"\n$ns at 2.0 "$link0 down"\n$ns at 3 "$program stop"',
        ["traffic agents", "new Program", "events are not carried out", "no routing daemon"],
    ),
    "db1: parallel links": ("set l1 [$ns duplex-link $a $b 45Mb 1000ms DropTail]\nset l2 [$ns duplex-link $a $b 100Mb 0ms DropTail]\n"
                            "tb-set-link-loss $l2 .05", []),
    "fixed, ixp: fixed nodes": ("set l [$ns duplex-link $a $b 1Mb 0ms DropTail]\ntb-fix-node $a pc6\ntb-fix-node $b $a\ntb-set-hardware $a ixp-bv", []),
    "nodes: routes by hand": (
        "set c [$ns node]\nset l1 [$ns duplex-link $a $b 1Mb .1ms DropTail]\nset l2 [$ns duplex-link $b $c 1Mb .1ms DropTail]\n"
        "$ns rtproto Manual\n$a add-route $c $b\n$a add-route [$ns link $c $b] $b\n$c add-route $l1 $b",
        [],
    ),
    "red: queues": ("set l [$ns duplex-link $a $b 1Mb 0ms RED]\nset q [[$ns link $b $a] queue]\n$q set gentle_ 1\n$q set limit_ 60\n"
                    '$ns at 3.0 "$q set limit_ 55"', ["RED behaves as a DropTail", "gentle_: has no effect"]),
    "simplex: one direction": ('set lan [$ns make-lan "$a $b" 100Mb 0ms]\nset l [$ns duplex-link $a $b 100Mb 50ms DropTail]\n'
                               "tb-set-lan-simplex-params $lan $a 0ms 100Mb 0 100ms 10Mb .2\ntb-set-link-simplex-params $l $b 300ms 20Mb .4", []),
    "spinglass2: start commands of two lines": ('set l [$ns duplex-link $a $b 1Mb 0ms DropTail]\ntb-set-node-startup $a "/proj/P/run 1\n2 $a"', []),
    "tbcmd: software by any name": (
        'set l [$ns duplex-link $a $b 1Mb 0ms DropTail]\ntb-set-node-tarfiles $a da ta db tb dc tc\ntb-set-node-rpms $a "my node rpms"\n'
        'tb-set-node-cmdline $a "my line"\ntb-set-node-deltas $a "deltas!"\ntb-set-node-failure-action $a nonfatal',
        ["the directory 'da' is not absolute", "tb-set-node-deltas: is accepted", "tb-set-node-cmdline: is accepted"],
    ),
    "vtypes: sets of hardware": ("tb-make-soft-vtype A {pc600 pc850}\ntb-make-hard-vtype B {pc600}\ntb-make-weighted-vtype C 0.1 {pc600 pc850}\n"
                                 "tb-set-hardware $a A\ntb-set-hardware $b C\nset l [$ns duplex-link $a $b .5Mb 0ms DropTail]", []),
    "widearea_types: nodes without links": ("tb-set-hardware $a pcvroninet2", []),
}  # fmt: skip


@pytest.mark.parametrize("case", VALID)
def test_what_emulabs_tests_expect_to_pass_makes_an_experiment(case):
    body, expected = VALID[case]
    topology, warnings = read(TWO + body)
    warnings += [str(warning) for warning in embed(topology, EmbeddingSettings()).warnings]
    assert all(any(part in warning for warning in warnings) for part in expected), warnings


def test_start_command_keeps_its_lines():
    topology = topology_of(LINK + 'tb-set-node-startcmd $a "one\r\ntwo\nthree"')
    assert computer(topology, "a").attribute("startup") == "one\ntwo\nthree"


def test_tar_files_have_any_name():
    topology, warnings = read(LINK + "tb-set-node-tarfiles $a /opt x.zip /usr/local http://example.com/get?file=7")
    assert [(one.install, one.location) for one in computer(topology, "a").software] == [("/opt", "x.zip"), ("/usr/local", "http://example.com/get?file=7")]
    assert warnings == []


def test_set_ip_puts_one_subnet_on_several_networks_and_several_on_one():
    body = LAN + "set d [$ns node]\nset link0 [$ns duplex-link $a $d 100Mb 0ms DropTail]\nset e [$ns node]\nset l [$ns duplex-link $e $a 100Mb 0ms DropTail]\n"
    body += "tb-set-ip $e 1.0.4.1\ntb-set-ip-interface $a $e 1.0.0.1\ntb-set-ip-link $a $link0 1.0.0.2\ntb-set-ip-lan $a $lan0 1.0.0.3"
    topology, warnings = read(body)
    planned = embed(topology, EmbeddingSettings())
    assert warnings == []
    addresses = {(c.name, i.substrate): i.attribute("ip4_address") for c in planned.partitioned.computers for i in c.interfaces}
    assert addresses == {
        ("a", "lan0"): "1.0.0.3", ("b", "lan0"): "1.0.0.4", ("c", "lan0"): "1.0.0.5",
        ("a", "link0"): "1.0.0.2", ("d", "link0"): "1.0.0.6", ("a", "l"): "1.0.0.1", ("e", "l"): "1.0.4.1",
    }  # fmt: skip
    assert all(planned.routes.of(name) == () for name in "abcde")
    told = [str(warning) for warning in planned.warnings if "subnet" in str(warning)]
    assert told == [
        "lab.tcl: substrate l: its members are in several subnets, 1.0.0.0/24 and 1.0.4.0/24: no routes are computed to it or across it "
        "(addresses of one subnet)",
        "lab.tcl: the topology: 1.0.0.0/24 is the subnet of lan0, link0 and l: no routes are computed to it or across it (a subnet for each of them)",
    ]
