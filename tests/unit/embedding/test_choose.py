# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which machines of the pool carry which vhosts."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.choose import Offer, choose
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError
from hypothesis import given
from hypothesis import strategies as st

NEEDS = {"pnode-0000": 5, "pnode-0001": 2}


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
    assert choose(NEEDS, offers, kept, types) == dict(zip(NEEDS, chosen))


@pytest.mark.parametrize(("offers", "kept", "types", "message"), [
    ([], {}, (), "the experiment needs 2 pnodes, 0 of 0 machines can be had\n  the inventory group pnode_pool is empty"),
    ([Offer("m1"), Offer("m2", taken_by="leased by P.e")], {}, (), "1 of 2 machines can be had\n  m1: free\n  m2: leased by P.e"),
    ([Offer("m1"), Offer("m2", unreachable="no route")], {}, (), "m2: cannot be reached: no route"),
    ([Offer("m1"), Offer("m2", type="x")], {}, ("y", "z"), "m1: is of type none, not y or z\n  m2: is of type x"),
    ([Offer("m1", slots=4), Offer("m2", slots=2)], {}, (),
     "no machine of the pool has room for pnode-0000, which carries 5 vnodes\n  m1: free, room for 4 vnodes"),
    ([Offer("m1"), Offer("m2", unreachable="dead")], {"pnode-0001": "m2"}, (), r"already carry this experiment cannot be reached: m2 \(dead\)"),
    ([Offer("m1")], {"pnode-0001": "m2"}, (), r"m2 \(no longer in the pool\); swap out, or bring them back"),
])
def test_a_pool_that_does_not_do_accounts_for_every_machine(offers, kept, types, message):
    with pytest.raises(ExperimentError, match=message):
        choose(NEEDS, offers, kept, types)


troubles = st.tuples(st.sampled_from(["", "x"]), st.sampled_from(["", "y"]), st.sampled_from(["", "a"]), st.integers(0, 4))
offers_of_any_sort = st.lists(troubles, max_size=5).map(lambda found: [Offer(f"m{number}", *rest) for number, rest in enumerate(found)])


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), offers_of_any_sort)
def test_it_finds_machines_whenever_trying_all_ways_does(sizes, offers):
    needs = {f"p{number}": size for number, size in enumerate(sizes)}
    usable = [offer for offer in offers if not offer.taken_by and not offer.unreachable]
    possible = any(all(not offer.slots or offer.slots >= size for offer, size in zip(way, sizes)) for way in itertools.permutations(usable, len(sizes)))
    try:
        chosen = choose(needs, offers, {})
    except ExperimentError:
        assert not possible
    else:
        assert possible
        assert len(set(chosen.values())) == len(needs)
        assert all(next(o for o in usable if o.name == name).slots in (0, *range(needs[vhost], 5)) for vhost, name in chosen.items())
