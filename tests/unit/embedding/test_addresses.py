# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses of the experiment network (spec/semantics.md §1, our rule)."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.addresses import assign_addresses
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import addresses, vtopo, vtopos
from hypothesis import given, settings

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
        "test.xml:258: substrate l256: no free /24 is left for its 2 members: 192.168.0.0 to 192.168.255.255 is used up (choose a larger address_base)"
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
        "test.xml:121: computer c, interface inf000: 10.1.1.1 is not in 10.1.0.0/24, the subnet of l1 (the first fixed address decides the subnet)",
        "test.xml:132: computer d, interface inf001: 10.3.0.255 is not a host address of 10.3.0.0/24",
        "test.xml:142: computer e, interface inf001: its netmask 255.255.255.128 is not that of computer d, interface inf002, 255.255.255.0"
        " (all members of l4 are in one subnet)",
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
