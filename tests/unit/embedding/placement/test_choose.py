# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machines of the pool carry which vhosts."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.choose import Need, Offer, choose
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.memory import HostMemory, MemoryNeed
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError
from hypothesis import given, settings
from hypothesis import strategies as st

NEEDS = {"pnode-0000": Need(5), "pnode-0001": Need(2)}
LARGE, SMALL = MemoryNeed(6720, "10 qemu of 512 and 160 for each QEMU"), MemoryNeed(672, "1 qemu of 512 and 160 for each QEMU")
GROWING = {"pnode-0000": Need(1, SMALL), "pnode-0001": Need(10, LARGE)}
METAL = {"pnode-0000": Need(1), "pnode-0001": Need(1, alone=True)}


def of_types(needs, types):
    return {vhost: dataclasses.replace(need, types=types) for vhost, need in needs.items()}


def has(name, gib, **more):
    return Offer(name, memory=HostMemory(gib << 10, 512, more.pop("others", 0)), **more)


@pytest.mark.parametrize(("offers", "kept", "types", "chosen"), [
    ([Offer("m10"), Offer("m9"), Offer("m2")], {}, (), ["m2", "m9"]),
    ([Offer("m1", taken_by="x"), Offer("m2", unreachable="y"), Offer("m3"), Offer("m4")], {}, (), ["m3", "m4"]),
    ([Offer("m1"), Offer("m2"), Offer("m3")], {"pnode-0000": "m3"}, (), ["m3", "m1"]),
    ([Offer("m1"), Offer("m2"), Offer("m3", taken_by="x")], {"pnode-0000": "m3"}, (), ["m1", "m2"]),
    ([Offer("m1", type="a"), Offer("m2", type="b"), Offer("m3", type="b")], {}, ("b",), ["m2", "m3"]),
    ([Offer("m1", slots=2), Offer("m2", slots=5)], {}, (), ["m2", "m1"]),
    ([Offer("m1", slots=9), Offer("m2", slots=2), Offer("m3", slots=5)], {}, (), ["m3", "m2"]),
    ([Offer("m1"), Offer("m2", slots=5), Offer("m3", slots=2)], {}, (), ["m2", "m3"]),
])
def test_machines_are_chosen_by_name_type_room_and_what_was_lent_before(offers, kept, types, chosen):
    assert choose(of_types(NEEDS, types), offers, kept) == dict(zip(NEEDS, chosen))


@pytest.mark.parametrize(("offers", "kept", "chosen"), [
    ([has("m1", 8), has("m2", 8)], {}, ["m1", "m2"]),
    ([has("m1", 8), has("m2", 2)], {}, ["m2", "m1"]),
    ([has("m1", 2), has("m2", 8)], {}, ["m1", "m2"]),
    ([has("m1", 64), has("m2", 8), has("m3", 2)], {}, ["m3", "m2"]),
    ([has("m1", 64), has("m2", 32), has("m3", 16)], {}, ["m3", "m2"]),
    ([has("m1", 8, others=1000), has("m2", 8)], {}, ["m1", "m2"]),
    ([Offer("m1"), has("m2", 8)], {}, ["m2", "m1"]),
    ([has("m1", 8), Offer("m2", memory=HostMemory((8 << 10) + 3, 512))], {}, ["m1", "m2"]),
    ([has("m1", 8), has("m2", 2, slots=1), has("m3", 8, slots=9)], {}, ["m2", "m1"]),
    ([has("m1", 2), has("m2", 8), has("m3", 8)], {"pnode-0001": "m1"}, ["m1", "m2"]),
    ([has("m1", 2, ours=True), has("m2", 8), has("m3", 8)], {"pnode-0001": "m1"}, ["m2", "m1"]),
])
def test_the_smallest_machine_with_enough_memory_is_taken_and_one_that_is_ours_stays(offers, kept, chosen):
    assert choose(GROWING, offers, kept) == dict(zip(GROWING, chosen))


@pytest.mark.parametrize(("offers", "kept", "chosen"), [
    ([Offer("m1"), Offer("m2", shared_with="x")], {}, ["m2", "m1"]),
    ([Offer("m1", shared_with="x"), Offer("m2", shared_with="x"), Offer("m3")], {}, ["m1", "m3"]),
    ([Offer("m1", shared_with="x"), Offer("m2"), Offer("m3")], {"pnode-0001": "m1"}, ["m1", "m2"]),
])
def test_a_machine_that_is_a_node_is_one_that_nobody_else_has(offers, kept, chosen):
    assert choose(METAL, offers, kept) == dict(zip(METAL, chosen))


@pytest.mark.parametrize(("offers", "kept", "types", "message"), [
    ([], {}, (), "the experiment needs 2 pnodes, 0 of 0 machines can be had\n  the inventory group pnode_pool is empty"),
    ([Offer("m1"), Offer("m2", taken_by="leased by P.e")], {}, (), "1 of 2 machines can be had\n  m1: free\n  m2: leased by P.e"),
    ([Offer("m1", slots=7, memory=HostMemory(8192, 512)), Offer("m2", unreachable="no route")], {}, (),
     "m1: free, room for 7 vnodes, 7,680 MiB for nodes (8,192, less 512 for itself)\n  m2: cannot be reached: no route"),
    ([Offer("m1"), Offer("m2", type="x")], {}, ("y", "z"), "m1: is of type none, not y or z\n  m2: is of type x"),
    ([Offer("m1", slots=4), Offer("m2", slots=2)], {}, (),
     "no machine of the pool has room for pnode-0000, which carries 5 vnodes\n  m1: has room for 4 vnodes\n  m2: has room for 2 vnodes"),
    ([Offer("m1", slots=1), Offer("m2", slots=5)], {}, (),
     "has room for pnode-0001, which carries 2 vnodes\n  m1: has room for 1 vnode\n  m2: goes to pnode-0000"),
    ([Offer("m1"), Offer("m2", unreachable="dead")], {"pnode-0001": "m2"}, (), "already carry this experiment cannot be reached: m2 (dead)"),
    ([Offer("m1")], {"pnode-0001": "m2"}, (), "m2 (no longer in the pool); swap out, or bring them back"),
])
def test_a_pool_that_does_not_do_accounts_for_every_machine(offers, kept, types, message):
    with pytest.raises(ExperimentError, match=re.escape(message)):
        choose(of_types(NEEDS, types), offers, kept)


def test_where_memory_does_not_do_it_says_what_is_needed_for_what_and_what_each_machine_has():
    offers = [has("m1", 2), has("m2", 9, others=5000), has("m3", 1, taken_by="leased by P.e"), has("m4", 6, slots=3)]
    with pytest.raises(ExperimentError) as caught:
        choose(GROWING, offers, {})
    assert str(caught.value).splitlines() == [
        "no machine of the pool has room for pnode-0001, which carries 10 vnodes and needs 6,720 MiB: 10 qemu of 512 and 160 for each QEMU",
        "  m1: has 1,536 MiB for nodes (2,048, less 512 for itself)",
        "  m2: has 3,704 MiB for nodes (9,216, less 512 for itself, and 5,000 for other experiments)",
        "  m3: leased by P.e",
        "  m4: has room for 3 vnodes; has 5,632 MiB for nodes (6,144, less 512 for itself)",
    ]


def test_where_every_machine_is_shared_it_says_that_a_physical_node_shares_with_nobody():
    with pytest.raises(ExperimentError) as caught:
        choose(METAL, [Offer("m1", shared_with="leased by P.e of x since y"), Offer("m2", shared_with="leased by P.f of x since y")], {})
    assert str(caught.value).splitlines() == [
        "no machine of the pool has room for pnode-0001, which carries 1 vnode",
        "  m1: leased by P.e of x since y; pnode-0001 is a node itself, and shares its machine with nobody",
        "  m2: leased by P.f of x since y; pnode-0001 is a node itself, and shares its machine with nobody",
    ]


BY_TYPE = {"pnode-0000": Need(5, types=("a",)), "pnode-0001": Need(2, types=("b", "c")), "pnode-0002": Need(2)}


@pytest.mark.parametrize(("offers", "kept", "chosen"), [
    ([Offer("m1", type="a"), Offer("m2", type="b"), Offer("m3", type="c")], {}, ["m1", "m2", "m3"]),
    ([Offer("m1", type="c"), Offer("m2", type="a"), Offer("m3")], {}, ["m2", "m1", "m3"]),
    ([Offer("m1", type="a"), Offer("m2", type="a"), Offer("m3", type="c")], {"pnode-0001": "m1"}, ["m1", "m3", "m2"]),
    ([Offer("m1", type="a", ours=True), Offer("m2", type="a"), Offer("m3", type="d")], {"pnode-0001": "m1"}, ["m2", "m1", "m3"]),
])
def test_each_vhost_has_its_own_types_of_machine_and_what_is_ours_stays(offers, kept, chosen):
    assert choose(BY_TYPE, offers, kept) == dict(zip(BY_TYPE, chosen))


def test_where_one_vhost_finds_no_machine_of_its_types_it_is_named():
    with pytest.raises(ExperimentError) as caught:
        choose(BY_TYPE, [Offer("m1", type="a"), Offer("m2", type="a"), Offer("m3")], {})
    assert str(caught.value).splitlines() == [
        "no machine of the pool has room for pnode-0001, which carries 2 vnodes",
        "  m1: is of type a, not b or c",
        "  m2: is of type a, not b or c",
        "  m3: is of type none, not b or c",
    ]


small = st.integers(0, 4)
some_types = st.lists(st.sampled_from(["", "z"]), max_size=1).map(tuple)
needs_of_any_sort = st.lists(st.builds(Need, st.integers(1, 4), st.builds(MemoryNeed, small), st.booleans(), some_types), min_size=1, max_size=4).map(
    lambda found: {f"p{number}": need for number, need in enumerate(found)})
memories = st.none() | st.builds(HostMemory, st.integers(0, 6), st.integers(0, 1), st.integers(0, 1))
troubles = st.tuples(*(st.sampled_from(["", word]) for word in "xyz"), small, memories, st.sampled_from(["", "z"]))
offers_of_any_sort = st.lists(troubles, max_size=5).map(lambda found: [Offer(f"m{number}", *rest) for number, rest in enumerate(found)])


def does(offer, need):
    """Whether that machine can carry that vhost."""
    memory = offer.memory is None or offer.memory.free_mb >= need.memory.memory_mb
    if offer.taken_by or offer.unreachable or (need.types and offer.type not in need.types):
        return False
    return offer.slots in (0, *range(need.vnodes, 5)) and memory and not (need.alone and offer.shared_with)


@settings(deadline=None)
@given(needs_of_any_sort, offers_of_any_sort)
def test_it_finds_machines_whenever_trying_all_ways_does(needs, offers):
    possible = any(all(does(offer, need) for offer, need in zip(way, needs.values())) for way in itertools.permutations(offers, len(needs)))
    try:
        chosen = choose(needs, offers, {})
    except ExperimentError as exc:
        assert not possible
        assert len(str(exc).splitlines()) == 1 + (len(offers) or 1), "a line for each machine"
    else:
        assert possible and list(chosen) == list(needs)
        assert len(set(chosen.values())) == len(needs)
        assert all(does(next(offer for offer in offers if offer.name == name), needs[vhost]) for vhost, name in chosen.items())


@settings(deadline=None)
@given(needs_of_any_sort, offers_of_any_sort, st.randoms(use_true_random=False))
def test_the_order_in_which_machines_and_vhosts_are_named_does_not_matter(needs, offers, random):
    def outcome(some_needs, some_offers):
        try:
            return choose(some_needs, some_offers, {})
        except ExperimentError as exc:
            return str(exc)

    shuffled = dict(random.sample(list(needs.items()), len(needs)))
    assert outcome(needs, offers) == outcome(shuffled, random.sample(offers, len(offers)))
