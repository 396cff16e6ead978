# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control addresses: each node one of its machine's range, nobody two, the same again."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.control_addresses import ControlOffer, assign_control_addresses
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

NETWORK = ipaddress.IPv4Network("172.28.0.0/26")
M0 = ControlOffer("m0", "172.28.0.32-172.28.0.62", str(NETWORK), "172.28.0.11", "172.28.0.1")
M1 = dataclasses.replace(M0, name="m1", address="172.28.0.12")

places = st.integers(0, 63).map(lambda number: str(NETWORK[number]))


@st.composite
def pools(draw):
    """Nodes on two machines of one network, whose ranges, addresses, gateways and uses may be anything."""
    offers = []
    for name in ("m0", "m1"):
        first, last = sorted((draw(st.integers(0, 63)), draw(st.integers(0, 63))))
        text = draw(st.sampled_from([f"{NETWORK[first]}-{NETWORK[last]}", str(NETWORK), f"{NETWORK[32]}/27"]))
        offers.append(ControlOffer(name, text, str(NETWORK), draw(places), draw(st.one_of(st.just(""), places)), tuple(draw(st.lists(places, max_size=20)))))
    names = draw(st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=12))
    nodes = {name: draw(st.sampled_from(["m0", "m1"])) for name in names}
    kept = {name: draw(places) + draw(st.sampled_from(["", "/26"])) for name in draw(st.lists(st.sampled_from(names), unique=True)) if names} if names else {}
    return nodes, offers, kept


def allowed(offer: ControlOffer) -> set[str]:
    """All that a range holds but what no node may have."""
    if "-" in offer.range:
        first, last = (int(ipaddress.IPv4Address(part)) for part in offer.range.split("-"))
    else:
        first, last = int(ipaddress.IPv4Network(offer.range)[0]), int(ipaddress.IPv4Network(offer.range)[-1])
    return {str(ipaddress.IPv4Address(number)) for number in range(first, last + 1)} - {str(NETWORK[0]), str(NETWORK[-1])}


@given(pools())
def test_every_node_has_an_address_of_its_machines_range_that_nothing_else_has(pool):
    nodes, offers, kept = pool
    by_name = {offer.name: offer for offer in offers}
    taken = {text for offer in offers for text in (offer.address, offer.gateway, *offer.used)}
    try:
        given_addresses = assign_control_addresses(nodes, offers, kept)
    except InputError as exc:
        hosts = {problem.element.split()[-1] for problem in exc.problems}
        for host in hosts:
            others = sum(1 for carrier in nodes.values() if carrier != host)
            assert len(allowed(by_name[host]) - taken) < sum(1 for carrier in nodes.values() if carrier == host) + others, "there was room"
        return
    assert list(given_addresses) == list(nodes)
    plain = [address.removesuffix("/26") for address in given_addresses.values()]
    assert len(set(plain)) == len(plain)
    for (node, host), address in zip(nodes.items(), plain, strict=True):
        assert address in allowed(by_name[host]) - taken, node
    assert assign_control_addresses(nodes, offers, given_addresses) == given_addresses, "what they had, they keep"
    assert assign_control_addresses(nodes, list(reversed(offers)), kept) == given_addresses, "the order of the pool does not matter"


@given(pools())
def test_a_node_keeps_what_it_had_unless_another_has_it_now(pool):
    nodes, offers, kept = pool
    by_name = {offer.name: offer for offer in offers}
    taken = {text for offer in offers for text in (offer.address, offer.gateway, *offer.used)}
    try:
        given_addresses = assign_control_addresses(nodes, offers, kept)
    except InputError:
        return
    seen = set()
    for node in nodes:
        had = kept.get(node, "").split("/")[0]
        if had and had in allowed(by_name[nodes[node]]) - taken and had not in seen:
            assert given_addresses[node] == f"{had}/26"
            seen.add(had)


def test_the_lowest_free_addresses_are_given_in_the_order_of_the_nodes():
    used = dataclasses.replace(M1, used=("172.28.0.33",))
    assert assign_control_addresses({"b": "m0", "a": "m1", "c": "m0"}, [M0, used], {"c": "172.28.0.32"}) == {
        "b": "172.28.0.34/26", "a": "172.28.0.35/26", "c": "172.28.0.32/26"}


def test_machines_on_networks_of_their_own_give_their_own_addresses():
    far = ControlOffer("far", "192.0.2.128/25", "192.0.2.0/24", "192.0.2.5", "192.0.2.129")
    assert assign_control_addresses({"a": "far", "b": "m0", "c": "far"}, [M0, far], {}) == {
        "a": "192.0.2.128/24", "b": "172.28.0.32/26", "c": "192.0.2.130/24"}


def test_an_address_that_was_had_on_another_machine_is_not_kept_where_it_does_not_belong():
    far = ControlOffer("far", "192.0.2.128/25", "192.0.2.0/24", "192.0.2.5", "192.0.2.1")
    assert assign_control_addresses({"a": "far"}, [M0, far], {"a": "172.28.0.40/26"}) == {"a": "192.0.2.128/24"}


def test_without_nodes_the_pool_need_not_say_anything():
    assert assign_control_addresses({}, [ControlOffer("m0")], {}) == {}


@pytest.mark.parametrize(("change", "message"), [
    ({"range": ""}, "pool host m0: the pool does not say which control addresses nodes on it may have .set benito_control_addresses"),
    ({"network": ""}, "pool host m0: it could not tell its control network"),
    ({"range": "172.28.0.40-172.28.0.32"}, "'172.28.0.40-172.28.0.32' ends before it begins"),
    ({"range": "172.28.0.40-172.28.1.2"}, "is not within its control network 172.28.0.0/26"),
    ({"range": "10.0.0.0/24"}, "is not within its control network 172.28.0.0/26"),
    ({"range": "some-more"}, "'some-more' is no range of addresses"),
    ({"range": "172.28.0.40/26"}, "is no range of addresses: 172.28.0.40/26 has host bits set"),
    ({"range": "172.28.0.40-172.28.0.41", "used": ("172.28.0.41",)}, "pool host m0: 1 node has no control address: all of .* are in use"),
    ({"range": "172.28.0.11-172.28.0.11"}, "pool host m0: 2 nodes have no control address"),
])
def test_a_range_that_is_missing_wrong_or_used_up_is_named_with_what_to_do(change, message):
    with pytest.raises(InputError, match=message):
        assign_control_addresses({"a": "m0", "b": "m0"}, [dataclasses.replace(M0, **change), M1], {})


def test_all_machines_that_lack_a_range_are_named_at_once():
    with pytest.raises(InputError) as raised:
        assign_control_addresses({"a": "m0", "b": "m1", "c": "m2"}, [dataclasses.replace(M0, range=""), dataclasses.replace(M1, range="")], {})
    assert [problem.element for problem in raised.value.problems] == ["pool host m0", "pool host m1", "pool host m2"]


def test_an_offer_is_read_as_the_machine_told_it():
    told = {"control_addresses": "172.28.0.32/27", "control_network": "172.28.0.0/26", "control_address": "172.28.0.11", "control_gateway": "172.28.0.1",
            "control_prefix_length": 26, "control_addresses_used": ["172.28.0.33"]}
    assert ControlOffer.of("m0", told) == ControlOffer("m0", "172.28.0.32/27", "172.28.0.0/26", "172.28.0.11", "172.28.0.1", ("172.28.0.33",))
    assert ControlOffer.of("lost", {"unreachable": "no route"}) == ControlOffer("lost")
