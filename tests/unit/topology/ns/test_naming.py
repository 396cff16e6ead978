# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of an NS file are named after their first global variable, or by a counter that all kinds share (Emulab's parse.tcl)."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.tests.unit.topology.ns.files import LINK, TWO, errors_of, members, names, topology_of

NAMES = {
    "a variable": ("set a [$ns node]", ["a"]),
    "an array": ("set n(3) [$ns node]", ["n-3"]),
    "an array with a computed index": ("for {set i 0} {$i < 3} {incr i} { set n([expr $i * 10]) [$ns node] }", ["n-0", "n-10", "n-20"]),
    "no variable": ("$ns node\n$ns node", ["tbnode-n1", "tbnode-n2"]),
    "the inner of two sets": ("set a [set b [$ns node]]", ["b"]),
    "a second variable is another name for the same": ("set a [$ns node]\nset b $a", ["a"]),
    "lappend names nothing": ("lappend all [$ns node]", ["tbnode-n1"]),
    "an intervening set": ("$ns node\nset x 5\nset y tbnode-n1", ["tbnode-n1"]),
    "an intervening read": ("lappend l [$ns node]\nset l\nset a tbnode-n1", ["a"]),
    "a local variable": ("proc make {} { global ns; set here [$ns node]; return x }\nmake", ["tbnode-n1"]),
    "a global variable within a procedure": ("proc make {} { global ns a; set a [$ns node]; return x }\nmake", ["a"]),
    "what a procedure returns": ("proc make {} { global ns; set here [$ns node]; return $here }\nset a [make]", ["a"]),
    "a name with hyphens": ("set big-lan [$ns node]", ["big-lan"]),
    "uplevel": ('proc make {name} { uplevel #0 "set $name \\[\\$ns node\\]" }\nmake x\nmake y', ["x", "y"]),
    "eval": ("eval set a \\[$ns node\\]", ["a"]),
    "foreach": ("foreach name {red green} { set $name [$ns node] }", ["red", "green"]),
    "a qualified name": ("set ::a [$ns node]", ["a"]),
}


@pytest.mark.parametrize("case", NAMES)
def test_node_is_named_after_its_first_global_variable(case):
    body, expected = NAMES[case]
    assert names(topology_of(body)) == expected


def test_all_kinds_of_objects_share_one_counter():
    body = "set center [$ns node]\nfor {set i 0} {$i < 9} {incr i} {\nset n($i) [$ns node]\n$ns duplex-link $center $n($i) 100Mb 0ms DropTail\n}"
    assert list(members(topology_of(body))) == [f"tblink-l{number}" for number in range(3, 20, 2)]
    unknown = TWO + "$ns duplex-link $a $b 1Mb 0ms DropTail\n$ns rtptoto Static\n$ns make-lan {a b} 1Mb 0ms"
    assert list(members(topology_of(unknown))) == ["tblink-l3", "tblan-lan5"]


def test_object_name_is_a_command_and_the_value_of_its_variable():
    body = 'set router [$ns node]\nset x [$ns node]\nset lan0 [ns make-lan "router $x" 100Mb 0ms]\ntb-set-ip x 10.1.2.3\nrouter start-command "echo hi"'
    topology = topology_of(body)
    assert members(topology) == {"lan0": ["router", "x"]}
    assert topology.computers[1].interfaces[0].attribute("ip4_address") == "10.1.2.3"
    assert topology.computers[0].attribute("startup") == "echo hi"


TAKEN = {
    "a variable used twice in a loop": ("for {set i 0} {$i < 2} {incr i} { set n [$ns node] }", "lab.tcl:3: there is already an object named n"),
    "a link set twice": (LINK + "set link0 [$ns duplex-link $a $b 10Mb 10ms DropTail]", "lab.tcl:6: there is already an object named link0"),
    "a command of Tcl's": ("set list [$ns node]", "lab.tcl:3: list cannot be the name of an object"),
    "the simulator": ("set ns [$ns node]", "lab.tcl:3: there is already an object named ns"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_duplicate_name_aborts_the_file(case):
    body, expected = TAKEN[case]
    (error,) = errors_of(body)
    assert error.startswith(expected)


ILLEGAL = {
    "an underscore": ("set a_b [$ns node]", "node 'a_b': the name has '_' in it (letters, digits and '-')"),
    "a dot": ("set a.b [$ns node]", "the name has '.' in it"),
    "two indices": ("set n(1,2) [$ns node]", "node 'n-1,2': the name has ',' in it"),
    "a name that is too long": (f"set {'n' * 33} [$ns node]", "the name has 33 characters (at most 32)"),
    "a reserved name": ("set ops [$ns node]", "this name is reserved"),
    "a hyphen first": ("set -n [$ns node]", "the name begins with '-'"),
    "a link's": (TWO + "set l_0 [$ns duplex-link $a $b 1Mb 0ms DropTail]", "link 'l_0': the name has '_' in it"),
}


@pytest.mark.parametrize("case", ILLEGAL)
def test_name_that_is_no_host_name_is_an_error(case):
    body, expected = ILLEGAL[case]
    (error,) = errors_of(body)
    assert expected in error


def test_all_invalid_names_are_reported_together_with_their_lines():
    errors = errors_of("set a_b [$ns node]\nset c.d [$ns node]\nset ok [$ns node]")
    assert [error.split(": ")[0] for error in errors] == ["lab.tcl:3", "lab.tcl:4"]
