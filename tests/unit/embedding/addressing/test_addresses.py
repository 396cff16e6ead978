# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of the experiment network (spec/semantics.md §1, our rule)."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.addressing.addresses import assign_addresses
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import addresses, vtopo, vtopos
from hypothesis import given, settings
from hypothesis import strategies as st

MASK = " 255.255.255.0"


def assigned(topology, *more):
    return addresses(assign_addresses(topology, *more))


def refused(topology, *more):
    with pytest.raises(InputError) as caught:
        assign_addresses(topology, *more)
    return [str(problem) for problem in caught.value.problems]


def test_substrates_take_subnets_and_members_hosts_in_document_order():
    assert assigned(vtopo({"l1": "b a", "l0": "b c"}, nodes="a b c")) == {
        ("a", "l1"): "10.0.0.1" + MASK,
        ("b", "l1"): "10.0.0.2" + MASK,
        ("b", "l0"): "10.0.1.1" + MASK,
        ("c", "l0"): "10.0.1.2" + MASK,
    }


def test_a_substrate_without_members_takes_no_subnet():
    assert assigned(vtopo({"empty": "", "l0": "a b"}))["a", "l0"] == "10.0.0.1" + MASK


def test_the_257th_substrate_goes_on_in_the_next_16():
    found = assigned(vtopo({f"l{number}": "a b" for number in range(258)}))
    assert found["a", "l255"] == "10.0.255.1" + MASK
    assert found["b", "l256"] == "10.1.0.2" + MASK


def test_a_fixed_address_stays_and_its_substrate_keeps_the_subnet():
    found = assigned(vtopo({"l0": "a b c", "l1": "a b"}, fixed={("b", "l0"): "192.168.7.2"}))
    assert found == {
        ("a", "l0"): "192.168.7.1" + MASK,
        ("b", "l0"): "192.168.7.2" + MASK,
        ("c", "l0"): "192.168.7.3" + MASK,
        ("a", "l1"): "10.0.0.1" + MASK,
        ("b", "l1"): "10.0.0.2" + MASK,
    }


def test_a_fixed_subnet_is_skipped_by_earlier_substrates():
    found = assigned(vtopo({"l0": "a b", "l1": "a b"}, fixed={("b", "l1"): "10.0.0.9"}))
    assert (found["a", "l0"], found["a", "l1"]) == ("10.0.1.1" + MASK, "10.0.0.1" + MASK)


def test_a_fixed_netmask_counts_for_all_members():
    found = assigned(vtopo({"l0": "a b"}, fixed={("b", "l0"): "10.9.0.1 255.255.0.0"}))
    assert found == {("a", "l0"): "10.9.0.2 255.255.0.0", ("b", "l0"): "10.9.0.1 255.255.0.0"}


def test_a_netmask_alone_decides_the_size_of_a_free_subnet():
    found = assigned(vtopo({"l0": "a b", "l1": "a b", "l2": "a b"}, fixed={("b", "l1"): "- 255.255.255.252"}))
    assert (found["a", "l1"], found["a", "l2"]) == ("10.0.1.1 255.255.255.252", "10.0.2.1" + MASK)


def test_more_than_254_members_take_the_smallest_prefix_that_fits():
    names = [f"n{number}" for number in range(255)]
    found = assigned(vtopo({"l0": "a b", "big": " ".join(names), "l1": "a b"}, nodes="a b"))
    assert found["n0", "big"] == "10.0.2.1 255.255.254.0"
    assert found["n253", "big"] == "10.0.2.254 255.255.254.0"
    assert found["n254", "big"] == "10.0.3.1 255.255.254.0"
    assert found["a", "l1"] == "10.0.1.1" + MASK


def test_no_host_ends_in_0_or_255():
    names = [f"n{number}" for number in range(600)]
    last = {int(text.split()[0].rpartition(".")[2]) for text in assigned(vtopo({"big": " ".join(names)})).values()}
    assert not last & {0, 255}


def test_the_base_is_a_setting():
    assert assigned(vtopo({"l0": "a b"}), "172.20.0.0/16")["b", "l0"] == "172.20.0.2" + MASK


def test_the_control_network_is_not_touched():
    assert assigned(vtopo({"l0": "a b"}), "10.0.0.0/16", ("10.0.0.0/20",))["a", "l0"] == "10.0.16.1" + MASK
    assert refused(vtopo({"l0": "a b"}, fixed={("a", "l0"): "10.254.0.9"}), "10.0.0.0/16", ("10.254.0.0/16",)) == [
        "test.xml:2: substrate l0: its subnet 10.254.0.0/24 overlaps the control network 10.254.0.0/16 (every substrate has a subnet of its own)"
    ]


def test_running_out_of_subnets_is_said():
    substrates = {f"l{number}": "a b" for number in range(257)}
    assert refused(vtopo(substrates), "192.168.0.0/16") == [
        "setting address_base: the topology needs 257 subnets (257 of /24), but from 192.168.0.0 to 192.168.255.255 there is room for 256 of them"
        " (a larger one, such as 10.0.0.0/8; with address_profile hierarchical they take 1,028 addresses in all)"
    ]


def test_running_out_of_subnets_of_several_sizes_is_said_once():
    substrates = {"big": " ".join(f"n{number}" for number in range(600)), **{f"l{number}": "n0 n1" for number in range(17)}}
    assert refused(vtopo(substrates), "203.0.112.0/20", ("203.0.112.0/22",)) == [
        "setting address_base: the topology needs 18 subnets (17 of /24 and 1 of /22), but from 203.0.112.0 to 203.0.127.255 there is room for 9 of them"
        " (a larger one, such as 10.0.0.0/8; with address_profile hierarchical they take 1,092 addresses in all)"
    ]
    assert assigned(vtopo(substrates), "203.0.112.0/20", ("203.0.112.0/22",), "hierarchical")["n0", "big"].endswith("255.255.252.0")


def test_running_out_of_the_smallest_subnets_leaves_fewer_ways_out():
    assert refused(vtopo({f"l{number}": "a b" for number in range(5)}), "203.0.112.0/28", (), "hierarchical") == [
        "setting address_base: the topology needs 5 subnets (5 of /30), but from 203.0.112.0 to 203.0.112.15 there is room for 4 of them"
        " (a larger one, such as 10.0.0.0/8)"
    ]


def test_running_out_of_hosts_is_said():
    assert refused(vtopo({"l0": "a b c d"}, fixed={("a", "l0"): "10.3.0.1 255.255.255.252"})) == [
        "test.xml:2: substrate l0: 10.3.0.0/30 has no room for 2 of its 4 members (a shorter ip4_netmask)"
    ]


def test_every_fault_of_fixed_addresses_is_reported_at_once_in_order_of_lines():
    topology = vtopo(
        {"l0": "a b", "l1": "a b c", "l2": "c d", "l3": "d e", "l4": "d e"},
        fixed={
            ("a", "l0"): "10.0.0.300",
            ("b", "l0"): "10.0.0.1 255.0.255.0",
            ("a", "l1"): "10.1.0.1",
            ("b", "l1"): "10.1.0.1",
            ("c", "l1"): "10.1.1.1",
            ("c", "l2"): "10.1.0.7 255.255.0.0",
            ("d", "l3"): "10.3.0.255",
            ("d", "l4"): "10.4.0.1 255.255.255.0",
            ("e", "l4"): "10.4.0.2 255.255.255.128",
        },
    )
    assert refused(topology) == [
        "test.xml:4: substrate l2: its subnet 10.1.0.0/16 overlaps substrate l1 (every substrate has a subnet of its own)",
        "test.xml:101: computer a, interface inf000: '10.0.0.300' is not an IPv4 address (four numbers from 0 to 255; the netmask goes into ip4_netmask)",
        "test.xml:111: computer b, interface inf000: '255.0.255.0' is not a netmask (from 255.0.0.0 to 255.255.255.252)",
        "test.xml:112: computer b, interface inf001: 10.1.0.1 is taken by computer a, interface inf001 (every address is given once)",
        "test.xml:132: computer d, interface inf001: 10.3.0.255 is not a host address of 10.3.0.0/24",
        "test.xml:142: computer e, interface inf001: its netmask 255.255.255.128 is not that of computer d, interface inf002, 255.255.255.0"
        " (all members of l4 have one netmask)",
    ]


@pytest.mark.parametrize("address", ["127.0.0.1", "224.0.0.5", "0.1.2.3", "255.255.255.254", "10.0.0.0"])
def test_an_address_no_host_can_have_is_refused(address):
    assert "is not a host address of" in refused(vtopo({"l0": "a b"}, fixed={("a", "l0"): address}))[0]


@settings(max_examples=100, deadline=None)
@given(vtopos())
def test_addresses_are_unique_in_one_subnet_for_each_substrate_and_come_out_the_same_again(topology):
    numbered = assign_addresses(topology)
    found = addresses(numbered)
    assert len({text.split()[0] for text in found.values()}) == len(found)
    subnets = {}
    for (_node, substrate), text in found.items():
        subnets.setdefault(substrate, set()).add(ipaddress.IPv4Interface(text.replace(" ", "/")).network)
    assert all(len(networks) == 1 for networks in subnets.values())
    networks = [next(iter(networks)) for networks in subnets.values()]
    assert not any(one.overlaps(other) for place, one in enumerate(networks) for other in networks[:place])
    assert assign_addresses(numbered) == numbered


def test_emulab_counts_from_10_1_1_2_and_leaves_third_octets_0_and_255_out():
    found = assigned(vtopo({f"l{number}": "a b" for number in range(256)}), "10.0.0.0/16", (), "emulab")
    assert (found["a", "l0"], found["b", "l0"]) == ("10.1.1.2" + MASK, "10.1.1.3" + MASK)
    assert (found["a", "l253"], found["a", "l254"], found["a", "l255"]) == ("10.1.254.2" + MASK, "10.2.1.2" + MASK, "10.2.2.2" + MASK)


def test_emulab_gives_host_1_only_where_nothing_else_is_left():
    found = assigned(vtopo({"l0": "a b"}, fixed={("b", "l0"): "- 255.255.255.252"}), "10.0.0.0/16", (), "emulab")
    assert [text.split()[0].rpartition(".")[2] for text in found.values()] == ["2", "1"]
    names = " ".join(f"n{number}" for number in range(254))
    assert assigned(vtopo({"l0": names}), "10.0.0.0/16", (), "emulab")["n0", "l0"] == "10.1.2.2 255.255.254.0"


def test_emulab_takes_another_base():
    assert assigned(vtopo({"l0": "a b"}), "192.168.0.0/16", (), "emulab")["a", "l0"] == "192.168.1.2" + MASK


@pytest.mark.parametrize(("members", "mask"), [(1, 252), (2, 252), (3, 248), (6, 248), (7, 240), (14, 240), (30, 224), (62, 192), (126, 128), (254, 0)])
def test_hierarchical_takes_the_smallest_prefix_that_has_room(members, mask):
    found = assigned(vtopo({"l0": " ".join(f"n{number}" for number in range(members))}), "10.0.0.0/16", (), "hierarchical")
    assert {text.split()[1] for text in found.values()} == {f"255.255.255.{mask}"}


def test_hierarchical_gives_near_substrates_near_numbers():
    """Two stars joined by a link: each has a prefix that holds all of its links and none of the other's."""
    links = {}
    for number in range(4):
        links.update({f"x{number}": f"x h{number}", f"y{number}": f"y g{number}"})
    found = assigned(vtopo({**links, "middle": "x y"}, nodes="x y"), "10.0.0.0/16", (), "hierarchical")
    of_y = {ipaddress.IPv4Address(found["y", f"y{number}"].split()[0]) for number in range(4)}
    around = ipaddress.IPv4Network((min(of_y), 28), strict=False)
    assert of_y <= set(around.hosts())
    assert not any(ipaddress.IPv4Address(found["x", f"x{number}"].split()[0]) in around for number in range(4))


def test_hierarchical_keeps_fixed_addresses_and_leaves_the_control_network_alone():
    topology = vtopo({"l0": "a b", "l1": "b c", "l2": "c d"}, fixed={("b", "l1"): "10.0.0.1 255.255.255.0"})
    found = assigned(topology, "10.0.0.0/16", ("10.0.1.0/24",), "hierarchical")
    assert found["b", "l1"] == "10.0.0.1" + MASK
    assert {found["a", "l0"], found["c", "l2"]} == {"10.0.2.1 255.255.255.252", "10.0.2.5 255.255.255.252"}


@settings(max_examples=150, deadline=None)
@given(vtopos(), st.sampled_from(["default", "emulab", "hierarchical"]), st.sampled_from(["10.0.0.0/16", "10.0.0.32/27", "192.168.7.0/24", "203.0.112.0/20"]))
def test_every_profile_numbers_without_overlap_within_its_block_and_beside_the_control_network(topology, profile, base):
    avoid = ("10.0.0.0/28", "192.168.8.0/24")
    numbered = assign_addresses(topology, base, avoid, profile)
    subnets = {}
    for (_node, substrate), text in addresses(numbered).items():
        subnets.setdefault(substrate, set()).add(ipaddress.IPv4Interface(text.replace(" ", "/")).network)
    networks = [next(iter(networks)) for networks in subnets.values()]
    assert all(len(networks) == 1 for networks in subnets.values())
    assert not any(one.overlaps(other) for place, one in enumerate(networks) for other in networks[:place])
    assert not any(network.overlaps(ipaddress.IPv4Network(text)) for network in networks for text in avoid)
    assert len({text.split()[0] for text in addresses(numbered).values()}) == len(addresses(numbered))
    assert assign_addresses(numbered, base, avoid, profile) == numbered


def test_numbering_a_long_chain_is_no_recursion():
    found = assigned(vtopo({f"l{number}": f"n{number} n{number + 1}" for number in range(1500)}), "10.0.0.0/16", (), "hierarchical")
    assert len({text.split()[0] for text in found.values()}) == 3000
