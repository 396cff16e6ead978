# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Methods and tb- commands of NS files: their effects, warnings and errors."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.tests.unit.topology.ns.files import HEAD, LAN, LINK, THREE, TWO, computer, errors_of, members, read, topology_of

# --- what is done --------------------------------------------------------------------------------

ATTRIBUTES = {
    "nothing": ("", {"type": "pc", "failureaction": "fatal"}),
    "hardware": ("tb-set-hardware $a pc3000", {"type": "pc3000"}),
    "a start command": ('tb-set-node-startcmd $a "ping -c 3 b > /tmp/x"', {"startup": "ping -c 3 b > /tmp/x"}),
    "a start command the old way": ('tb-set-node-startup $a "echo hi"', {"startup": "echo hi"}),
    "a start command as a method": ('$a start-command "echo hi"', {"startup": "echo hi"}),
    "the last of two start commands": ("tb-set-node-startcmd $a one\ntb-set-node-startcmd $a two", {"startup": "two"}),
    "a kind": ("tb-add-node-attribute $a containers:node_type process", {"containers:node_type": "process"}),
    "the first of two attributes": ("tb-add-node-attribute $a x 1\ntb-add-node-attribute $a x 2", {"x": "1"}),
    "a failure action": ("tb-set-node-failure-action $a nonfatal", {"failureaction": "nonfatal"}),
    "a default failure action": ("tb-set-default-failure-action ignore", {"failureaction": "ignore"}),
    "a machine": ("tb-fix-node $a pc17", {"fixed": "pc17"}),
    "a testbed": ("tb-set-node-testbed $a deter", {"testbed": "deter"}),
    "a route": ("$a add-route $b $b", {"containers:route": "b b"}),
    "routes": ("$a add-route [$ns link $a $b] $b", {"containers:route": "link0 b"}),
}


@pytest.mark.parametrize("case", ATTRIBUTES)
def test_node_has_the_attributes_that_the_file_sets(case):
    body, expected = ATTRIBUTES[case]
    node = computer(topology_of(LINK + body), "a")
    assert {name: node.attribute(name) for name in expected} == expected


def test_attributes_have_the_order_of_the_original_converter():
    body = TWO + "tb-set-node-startcmd $a x\ntb-fix-node $a pc1\ntb-set-node-testbed $a t\ntb-add-node-attribute $a mine 1"
    assert [attribute.name for attribute in computer(topology_of(body), "a").attributes] == ["mine", "fixed", "type", "startup", "testbed", "failureaction"]


ADDRESSES = {
    "the only connection": ("tb-set-ip $a 10.1.2.3", ("10.1.2.3", "255.255.255.0")),
    "a link": ("tb-set-ip-link $a $link0 10.1.2.3", ("10.1.2.3", "255.255.255.0")),
    "the link to a neighbour": ("tb-set-ip-interface $a $b 10.1.2.3", ("10.1.2.3", "255.255.255.0")),
    "a netmask": ("tb-set-ip $a 10.1.2.3\ntb-set-netmask $link0 255.255.255.248", ("10.1.2.3", "255.255.255.248")),
    "the widest netmask": ("tb-set-ip $a 10.1.2.3\ntb-set-netmask $link0 255.255.0.0", ("10.1.2.3", "255.255.0.0")),
    "leading zeros": ("tb-set-ip $a 010.001.2.3", ("10.1.2.3", "255.255.255.0")),
    "no address": ("tb-set-netmask $link0 255.255.0.0", (None, None)),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_address_is_set_on_the_intended_interface(case):
    body, expected = ADDRESSES[case]
    (interface,) = computer(topology_of(LINK + body), "a").interfaces
    assert (interface.attribute("ip4_address"), interface.attribute("ip4_netmask")) == expected


def test_last_of_two_links_between_the_same_nodes_is_addressed():
    body = LINK + "set link1 [$ns duplex-link $b $a 1Mb 0ms DropTail]\ntb-set-ip-interface $a $b 10.1.2.3"
    first, second = computer(topology_of(body), "a").interfaces
    assert (first.attribute("ip4_address"), second.attribute("ip4_address")) == (None, "10.1.2.3")


def test_software_and_operating_systems_are_read():
    body = TWO + 'tb-set-node-rpms $a "/proj/P/a.rpm /proj/P/b.rpm"\n'
    body += "tb-set-node-tarfiles $a /usr/local /proj/P/c.tar.gz /opt /proj/P/d.tgz\ntb-set-node-os $a FC4-STD"
    node = computer(topology_of(body), "a")
    assert [(one.location, one.install) for one in node.software] == [
        ("/proj/P/a.rpm", None), ("/proj/P/b.rpm", None), ("/proj/P/c.tar.gz", "/usr/local"), ("/proj/P/d.tgz", "/opt")]  # fmt: skip
    assert [system.attribute("osid") for system in node.operating_systems] == ["FC4-STD"]


def test_experiment_settings_become_attributes_of_the_root():
    body = TWO + "$ns rtproto Static\nset opt(RATE) 10\nset opt(x-y) {a b}\nset opt(RATE) 20\n"
    body += "tb-set-sync-server $a\ntb-make-soft-vtype any {pc600 pc850}\ntb-set-ip-routing none"
    topology = topology_of(body)
    assert {attribute.name: attribute.value for attribute in topology.attributes} == {
        "containers:env:RATE": "20", "containers:env:x-y": "a b", "containers:rtproto": "Static", "containers:sync_server": "a",
        "containers:vtype:any": "soft pc600 pc850", "containers:ip_routing": "none"}  # fmt: skip


def test_links_and_interfaces_get_attributes_and_costs():
    body = LAN + "tb-add-network-attribute $lan0 colour red\ntb-add-interface-attribute $b $lan0 note x\n"
    body += "$lan0 cost 3\ntb-set-link-failure-action $lan0 nonfatal"
    topology = topology_of(body)
    (substrate,) = topology.substrates
    assert [substrate.attribute(name) for name in ("colour", "containers:cost", "failureaction")] == ["red", "3", "nonfatal"]
    assert computer(topology, "b").interfaces[0].attribute("note") == "x"


def test_nodes_and_networks_keep_their_order_of_creation_and_interfaces_are_numbered():
    body = THREE + "set l1 [$ns duplex-link $c $a 1Mb 0ms DropTail]\nset l0 [$ns make-lan {a\tb\n c} 1Mb 0ms]"
    topology = topology_of(body)
    assert members(topology) == {"l1": ["a", "c"], "l0": ["a", "b", "c"]}
    assert [interface.name for interface in computer(topology, "a").interfaces] == ["inf000", "inf001"]
    assert computer(topology, "c").line == 5 and topology.substrates[1].line == 7


def test_whole_tcl_language_is_available():
    body = r"""
proc pair {first second {rate 10Mb}} {
    upvar #0 $first one $second two
    global ns
    return [$ns duplex-link $one $two $rate 0ms DropTail]
}
namespace eval lab { variable prefix host }
foreach {name number} [list alpha 1 beta 2] { set $name [$ns node] }
set list [lsort -decreasing [split "alpha,beta" ,]]
switch -regexp -- [join $list -] { ^beta { set core [pair alpha beta] } default { error "not here" } }
if {[catch {error "no"} message]} { append message [format %03d [string length $message]] }
set i 0; while {$i < 2} { incr i; lappend extra [$ns node] }
eval [list tb-set-hardware [lindex $extra 0] [lrange {a b c} 0 0]]
array set table {x 1}; if {[info exists table(x)] && [expr {$table(x) + 1}] == 2} { set $lab::prefix [$ns node] }
"""
    topology = topology_of(body)
    assert [node.name for node in topology.computers] == ["alpha", "beta", "tbnode-n4", "tbnode-n5", "host"]
    assert members(topology) == {"core": ["alpha", "beta"]}


def test_sourced_files_below_the_folder_are_read_and_named_in_errors(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "net.tcl").write_text('set c [$ns node]\nset lan0 [$ns make-lan "a b c" 1Mb 0ms]\n')
    topology, warnings = read(TWO + "source parts/net.tcl", folder=tmp_path)
    assert members(topology) == {"lan0": ["a", "b", "c"]} and not warnings
    (tmp_path / "parts" / "net.tcl").write_text("set c [$ns node]\n$ns duplex-link $a $c 10mb 0ms DropTail\nnonsense\n")
    errors = errors_of(TWO + "source parts/net.tcl\ntb-set-ip $a 1.2.3", folder=tmp_path)
    assert [error.split(": ")[0] for error in errors] == ["parts/net.tcl:2", "parts/net.tcl:3"]


# --- what is warned of -----------------------------------------------------------------------------

WARNED = {
    "arguments of a node": ("set x [$ns node 5]", "lab.tcl:6: node: its arguments have no effect"),
    "an unknown method": ("set x [$ns simplex-link $a $b 1Mb 0ms DropTail]", "'simplex-link' is not known"),
    "a method of an unknown object": ("set x [$ns nonsense]\n$x more", "lab.tcl:7: 'x': it is an unknown object; 'more' has no effect"),
    "an unknown method of a node": ("$a fly", "node a: 'fly' is not known"),
    "an unknown method of a link": ("$link0 fly", "link link0: 'fly' is not known"),
    "an unknown class": ("set x [new Wonder]\n$x go", "new 'Wonder': there is no such class"),
    "an unknown queue": ("set l [$ns duplex-link $a $b 1Mb 0ms SFQ]", "the queue 'SFQ' is not known; it is a DropTail"),
    "RED": ("set l [$ns duplex-link $a $b 1Mb 0ms RED]", "the queue RED behaves as a DropTail"),
    "more arguments of a link": ("set l [$ns duplex-link $a $b 1Mb 0ms DropTail x]", "more than five arguments: 'x' has no effect"),
    "more arguments of a LAN": ("set l [$ns make-lan {a b} 1Mb 0ms LL Queue/DropTail]", "'LL Queue/DropTail' has no effect"),
    "an unknown protocol": ("$ns rtproto RIP", "'RIP' is not known"),
    "a misspelt method": ("$ns rtptoto Static", "'rtptoto' is not known"),
    "an event": ('$ns at 10.0 "$link0 down"', "events that change links are not carried out"),
    "traffic": ("set udp [new Agent/UDP]\n$ns attach-agent $a $udp\nset null [new Agent/Null]\n$ns connect $udp $null", "traffic agents"),
    "an event of a start command": ('set p [tb-set-node-startcmd $a x]\n$ns at 1 "$p start"', "events are not carried out"),
    "a program": ('set p [$a program-agent -command "sleep 1"]\n$ns at 1 "$p start"', "a program-agent: is accepted and has no effect"),
    "a command without effect": ("tb-use-endnodeshaping 1", "tb-use-endnodeshaping: is accepted and has no effect"),
    "a relative folder of a tar file": ("tb-set-node-tarfiles $a opt x.tar", "the directory 'opt' is not absolute (such as /usr/local)"),
    "a command of earlier sites": ("tb-set-node-deltas $a x", "tb-set-node-deltas: is accepted and has no effect"),
    "a second start command": ("tb-set-node-startcmd $a x\ntb-set-node-startcmd $a y", "there is a start command already; this one takes its place"),
    "nanoseconds": ("set l [$ns duplex-link $a $b 1Mb 5ns DropTail]", "here it is nanoseconds"),
    "an address twice": ("tb-set-ip $a 10.0.0.1\ntb-set-ip $b 10.0.0.1", "10.0.0.1 is the address of a, too"),
    "a name with a digit first": ("set 1a [$ns node]", "node '1a': not every program takes this for a host name"),
    "a text": ('puts "hello there"', "lab.tcl:6: puts: hello there"),
    "a red queue's variable": ("[[$ns link $a $b] queue] set thresh_ 5", "has no effect: queues are DropTail"),
}


@pytest.mark.parametrize("case", WARNED)
def test_statement_without_effect_gives_a_warning(case):
    body, expected = WARNED[case]
    warnings = read(LINK + body)[1]
    assert any(expected in warning for warning in warnings), warnings


def test_ten_warnings_of_a_kind_are_shown_and_the_rest_counted():
    warnings = read("\n".join(["$ns nonsense"] * 50))[1]
    assert len(warnings) == 11 and warnings[0].startswith("lab.tcl:3: ")
    assert warnings[-1] == "lab.tcl: 40 more warnings about methods that are not known"


def test_repeated_warning_at_the_same_place_is_shown_once():
    assert len(read("for {set i 0} {$i < 50} {incr i} { $ns nonsense }")[1]) == 1


def test_tb_commands_without_tb_compat_give_a_warning_or_are_refused():
    text = "set ns [new Simulator]\n" + LINK + "tb-set-ip $a 10.0.0.1\n$ns run\n"
    (warning,) = read(text, whole=True)[1]
    assert warning == "lab.tcl:5: tb-set-ip: an Emulab site would not know it (source tb_compat.tcl)"
    (error,) = errors_of(text, whole=True, profile="emulab")
    assert "tb_compat.tcl" in error
    after = text.replace("$ns run", "source tb_compat.tcl\n$ns run")
    assert read(after, whole=True)[1] == []


# --- what is refused -------------------------------------------------------------------------------

REFUSED = {
    "a link to no node": ("set l [$ns duplex-link $a nobody 1Mb 0ms DropTail]", "duplex-link: 'nobody' is not a node"),
    "a link to itself": ("set l [$ns duplex-link $a $a 1Mb 0ms DropTail]", "duplex-link a: a link cannot lead from a node to itself"),
    "a member twice": ("set l [$ns make-lan {a b a} 1Mb 0ms]", "make-lan a: is a member twice"),
    "a LAN of one": ("set l [$ns make-lan $a 1Mb 0ms]", "LAN l: has one member (at least two)"),
    "a LAN of none": ("set l [$ns make-lan {} 1Mb 0ms]", "LAN l: has no member"),
    "an unknown member": ("set l [$ns make-lan {a x} 1Mb 0ms]", "make-lan: x is not a node"),
    "a bandwidth": ("set l [$ns duplex-link $a $b 10mb 0ms DropTail]", "duplex-link: 'mb' is no unit of bandwidth (10Mb)"),
    "a delay": ("set l [$ns duplex-link $a $b 10Mb 10msec DropTail]", "duplex-link: 'msec' is no unit of delay"),
    "a loss": ("tb-set-link-loss $link0 5", "tb-set-link-loss: a loss of 5 is out of range"),
    "loss between strangers": ("set x [$ns node]\ntb-set-link-loss $a $x 0.1", "there is no connection between a and x"),
    "an address": ("tb-set-ip $a 10.0.0.256", "'10.0.0.256' is not an IPv4 address"),
    "an address of many": ("set l [$ns duplex-link $a $b 1Mb 0ms DropTail]\ntb-set-ip $a 10.0.0.1", "a has 2 connections"),
    "an address of none": ("set x [$ns node]\ntb-set-ip $x 10.0.0.1", "x has no connections"),
    "a LAN where a link should be": ("tb-set-ip-lan $a $link0 10.0.0.1", "'link0' is not a LAN (it is a link: tb-set-ip-link)"),
    "a stranger to a link": ("set x [$ns node]\ntb-set-ip-link $x $link0 10.0.0.1", "x is not on link0 (on it are a, b)"),
    "no connection": ("set x [$ns node]\ntb-set-ip-interface $a $x 10.0.0.1", "there is no connection between a and x"),
    "a netmask too wide": ("tb-set-netmask $link0 255.0.0.0", "the netmask 255.0.0.0 is too large"),
    "a netmask with a hole": ("tb-set-netmask $link0 255.255.0.255", "255.255.0.255 is not a netmask"),
    "a network's own address": ("tb-set-ip $a 10.0.0.0", "10.0.0.0 has only zeros in its host part"),
    "a broadcast address": ("tb-set-ip $a 10.0.0.7\ntb-set-netmask $link0 255.255.255.248", "10.0.0.7 has only ones in its host part"),
    "too few arguments": ("tb-set-ip $a", "tb-set-ip: has 1 arguments (there must be 2)"),
    "too many arguments": ("tb-set-link-loss $a $b 1 2", "has 4 arguments (there must be 2 to 3)"),
    "a failure action": ("tb-set-node-failure-action $a maybe", "'maybe' is not allowed (one of fatal, nonfatal, ignore)"),
    "a folder that is shared": ("tb-set-node-tarfiles $a /proj x.tar", "nothing is unpacked in /proj"),
    "a folder below a shared one": ("tb-set-node-tarfiles $a /proj/P/x.tgz /proj/P/y.tgz", "nothing is unpacked in /proj/P/x.tgz"),
    "a link's failure action": ("tb-set-link-failure-action $link0 ignore", "'ignore' is not allowed (one of fatal, nonfatal)"),
    "half a pair": ("tb-set-node-tarfiles $a /opt x.tar /usr", "there must be pairs"),
    "an encapsulation": ("tb-set-vlink-emulation ppp", "'ppp' is not allowed"),
    "a factor": ("tb-set-colocate-factor 101", "'101' is not allowed (a whole number from 1 to 100)"),
    "a weight": ("tb-make-weighted-vtype v 1.5 pc", "'1.5' is no weight"),
    "a route to a node with two interfaces": (
        "set c [$ns node]\nset l [$ns duplex-link $b $c 1Mb 0ms DropTail]\n$a add-route $b $b", "b has 2 interfaces"),
    "a route by a stranger": ("set c [$ns node]\n$a add-route $b $c", "the next hop c is on no link or LAN of a"),
    "a route twice": ("$a add-route $b $b\n$a add-route $b $b", "there is a route to b already"),
    "a time": ('$ns at soon "$link0 down"', "at: 'soon' is no time"),
    "half an event": ("$ns at 1 start", "'start' is no event"),
    "an event of nobody": ('$ns at 1 "nobody start"', "there is no object 'nobody'"),
    "events without a time": ("$ns at 1", "at: has 1 arguments (there must be 2)"),
    "a cost": ("$link0 cost 0", "'0' is no cost"),
    "a limit": ("[[$ns link $a $b] queue] set limit_ -3", "'-3' is not allowed"),
    "a bridge": ("set x [$ns bridge]", "a bridge cannot be deployed"),
    "no link": ("set q [[$ns link $a $ns] queue]", "'ns' is not a node"),
    "a second simulator": ("set other [new Simulator]", "a second Simulator"),
    "a second run": ("$ns run", "$ns run stands twice"),
    "a program of nobody": ("set p [new Program]", "wants the simulator"),
    "a deviation": ("set l [$ns make-deter-lan {a b} delay normal mean 3]", "a normal delay needs its deviation"),
    "a mean": ("set l [$ns make-deter-lan {a b} delay static]", "the mean is missing"),
    "an unknown word": ("set l [$ns make-new-lan {a b} speed 10Mb]", "'speed' is not known"),
    "a character": ('tb-set-node-startcmd $a "bell \\a"', "holds the character U+0007, which TopDL cannot carry"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_statement_is_an_error_with_its_line(case):
    body, expected = REFUSED[case]
    errors = errors_of(LINK + body)
    assert any(expected in error for error in errors), errors
    assert all(error.startswith("lab.tcl:") for error in errors)


def test_all_errors_are_reported_together_in_line_order():
    body = LINK + "tb-set-ip $a x\nset l [$ns duplex-link $a $b 10mb 1 DropTail]\ntb-set-link-loss $l 7\n"
    body += "set b_c [$ns node]\nset n [$ns duplex-link $a nobody 1Mb 0 DropTail]\ntb-set-link-loss $n 0.1"
    errors = errors_of(body)
    assert [error.split(": ")[0] for error in errors] == [f"lab.tcl:{line}" for line in (6, 7, 8, 9, 10)], errors


# --- what ends a file ------------------------------------------------------------------------------

FAULTS = {
    "an unknown command": ("nonsense 1 2", 4, "there is no command nonsense"),
    "an unknown tb- command": ("tb-set-everything a b", 4, "there is no command tb-set-everything"),
    "a misspelt tb- command": ("tb-set-node-startcommand a b", 4, "there is no command tb-set-node-startcommand (perhaps tb-set-node-startcmd)"),
    "a doubly misspelt tb- command": ("tb_set-node-os a b", 4, "there is no command tb_set-node-os (perhaps tb-set-node-os)"),
    "an unset variable": ("set x 1\nset y $nothing", 5, 'can\'t read "nothing": no such variable'),
    "an unset variable in a loop": ("foreach x {1 2} {\n\n    set y $nothing\n}", 6, "can't read"),
    "an unset variable in a procedure": ("proc f {} {\n\n    set y $nothing\n}\nf", 8, "no such variable, in line 3 of procedure f"),
    "wrong arguments of Tcl": ("incr", 4, 'wrong # args: should be "incr varName ?increment?"'),
    "wrong arguments of ours": ("$ns duplex-link x", 4, 'wrong # args: should be "ns duplex-link node node bandwidth delay queue"'),
    "an error in a procedure": ("proc f {} {\n    nonsense\n}\nf", 5, "there is no command nonsense"),
    "an error of the file's own": ('error "so not"', 4, "so not"),
    "a brace": ("if {1} {", 4, "missing close-brace"),
    "a variable of a queue": ("$ns set nothing", 4, "ns has no such variable"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_tcl_error_aborts_the_file_and_is_reported_with_its_line(case):
    body, line, expected = FAULTS[case]
    (error,) = errors_of("set a [$ns node]\n" + body)
    assert error.startswith(f"lab.tcl:{line}: ") and expected in error


def test_tcl_error_does_not_hide_earlier_errors():
    errors = errors_of("set a_b [$ns node]\ntb-set-ip $a_b 1.2\nnonsense")
    assert [error.split(": ")[0] for error in errors] == ["lab.tcl:3", "lab.tcl:4", "lab.tcl:4", "lab.tcl:5"]


def test_caught_tcl_error_is_no_error():
    assert not errors_of("set a [$ns node]\ncatch {nonsense}\nif {[catch {tb-set-nothing}]} {set b [$ns node]}")


@pytest.mark.parametrize(("text", "expected"), [
    (HEAD + TWO, "lab.tcl: $ns run is missing"), ("", "lab.tcl: is empty"), ("# nothing\n", "lab.tcl: $ns run is missing"),
    (b"set ns \0", "lab.tcl:1: contains a NUL byte"), (b"\n\x1a", "lab.tcl:2: contains a Control-Z"), ("x" * 5_000_000, "is larger than 4 MB"),
])  # fmt: skip
def test_file_that_is_no_ns_file_is_refused(text, expected):
    (error,) = errors_of(text, whole=True)
    assert expected in error


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfset ns [new Simulator]\n$ns run\n", b"# caf\xe9\nset ns [new Simulator]\r\n$ns run\r\n"])
def test_byte_order_marks_encodings_and_line_ends_are_accepted(text):
    assert read(text, whole=True)[0].computers == ()


def test_statements_after_run_have_no_effect_and_give_a_warning():
    topology, warnings = read(HEAD + TWO + "$ns run\nset c [$ns node]\ntb-set-hardware $a x\n", whole=True)
    assert [node.name for node in topology.computers] == ["a", "b"] and "what comes after $ns run has no effect" in warnings[0]


EMULAB = {
    "a fast link": "set l [$ns duplex-link $a $b 2Gb 0ms DropTail]",
    "a small delay": "set l [$ns duplex-link $a $b 1Mb 1ms DropTail]",
    "microseconds": "set l [$ns duplex-link $a $b 1Mb 5000us DropTail]",
    "a second start command": "tb-set-node-startcmd $a x\ntb-set-node-startcmd $a y",
    "a start command of two lines": 'tb-set-node-startcmd $a "one\ntwo"',
    "a tar file with another name": "tb-set-node-tarfiles $a /opt x.zip",
    "a tar file in a relative folder": "tb-set-node-tarfiles $a opt x.tar",
    "a command of earlier sites": "tb-set-node-deltas $a x",
    "a long start command": f"tb-set-node-startcmd $a {'x' * 257}",
    "a long name with a start command": f"set {'n' * 24} [$ns node]\ntb-set-node-startcmd ${'n' * 24} x",
}


@pytest.mark.parametrize("case", EMULAB)
def test_profile_emulab_is_stricter(case):
    assert not errors_of(LINK + EMULAB[case])
    (error,) = errors_of(LINK + EMULAB[case], profile="emulab")
    assert error.startswith("lab.tcl:")
