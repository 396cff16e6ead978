# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file says of routes and a setting of addresses, from the file to the experiment's own."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.create import Request, prepare

NS = """source tb_compat.tcl
set ns [new Simulator]
foreach name {a b c d} {
    set $name [$ns node]
}
set ab [$ns duplex-link $a $b 100Mb 0ms DropTail]
set bd [$ns duplex-link $b $d 100Mb 0ms DropTail]
set ac [$ns duplex-link $a $c 100Mb 0ms DropTail]
set cd [$ns duplex-link $c $d 100Mb 0ms DropTail]
set e [$ns node]
set de [$ns duplex-link $d $e 100Mb 0ms DropTail]
"""


def created(tmp_path, text, **settings):
    source = tmp_path / "ring.tcl"
    source.write_text(NS + text + "$ns run\n")
    return prepare(Request("P", "e", str(source), home=str(tmp_path), settings={"default_container": "process", **settings}))


def routes(creation):
    return {name.removeprefix("route/"): text.splitlines() for name, text in creation.files.items() if name.startswith("route/")}


def test_static_routes_are_the_shortest_and_may_cover_what_a_node_is_on(tmp_path):
    assert routes(created(tmp_path, "$ns rtproto Static\n"))["a"] == ["10.0.0.0/16 via 10.0.0.2", "10.0.2.0/23 via 10.0.2.2"]


def test_the_cost_of_a_link_counts(tmp_path):
    assert routes(created(tmp_path, "$ns rtproto Static\n$ab cost 5\n"))["a"] == ["10.0.0.0/16 via 10.0.2.2"]
    assert routes(created(tmp_path, "$ns cost $a $b 5\n"))["a"] == ["10.0.0.0/16 via 10.0.2.2"]


def test_manual_has_what_was_added_and_nothing_else(tmp_path):
    creation = created(tmp_path, "$ns rtproto Manual\n$a add-route $e $c\n$a add-route [$ns link $b $d] $b\n")
    assert routes(creation) == {"a": ["10.0.1.0/24 via 10.0.0.2", "10.0.4.2/32 via 10.0.2.2"]}
    assert not [warning for warning in creation.warnings if "route" in str(warning)]


def test_session_is_computed_and_said(tmp_path):
    creation = created(tmp_path, "$ns rtproto Session\n")
    assert len(routes(creation)) == 5
    assert [warning.message for warning in creation.warnings if warning.element == "rtproto"] == [
        "routes are computed once, as with Static: no routing daemon is run for 'Session'"
    ]


def test_small_subnets_are_a_setting(tmp_path):
    creation = created(tmp_path, "", address_profile="hierarchical")
    assert "255.255.255.252" in creation.files["partitioned.xml"].decode() and "255.255.255.0<" not in creation.files["partitioned.xml"].decode()
    assert "address_profile: hierarchical" in creation.files["site.yml"]
    assert sum(len(lines) for lines in routes(creation).values()) <= sum(len(lines) for lines in routes(created(tmp_path, "")).values())


def test_too_few_addresses_are_one_error_beside_the_others(tmp_path):
    with pytest.raises(InputError) as caught:
        created(tmp_path, "", address_base="203.0.112.0/23", address_profile="default")
    assert [str(problem) for problem in caught.value.problems] == [
        "setting address_base: the topology needs 5 subnets (5 of /24), but from 203.0.112.0 to 203.0.113.255 there is room for 2 of them"
        " (a larger one, such as 10.0.0.0/8; with address_profile hierarchical they take 20 addresses in all)"
    ]
    with pytest.raises(InputError, match="'clever' is not allowed"):
        created(tmp_path, "", address_profile="clever")
