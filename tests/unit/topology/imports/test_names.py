# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of interfaces stay distinct and recognisable when they become names of network devices."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.names import is_interface_name
from ansible_collections.deter.benito.plugins.module_utils.topology.imports.names import InterfaceNames
from hypothesis import given
from hypothesis import strategies as st


def given_to(*wanted):
    names = InterfaceNames()
    return [names.give(one) for one in wanted]


NAMED = {
    ("eth1", "ens3f0np0", "inf003"): ["eth1", "ens3f0np0", "inf003"],
    ("GigabitEthernet0/0/0/1", "GigabitEthernet0/0/0/10", "eth1"): ["Gi0-0-0-1", "Gi0-0-0-10", "eth1"],
    ("TwentyFiveGigE0/0/0/1", "HundredGigE0/0/0/1", "TenGigE0/0/0/1"): ["Tw0-0-0-1", "Hu0-0-0-1", "TenGigE0-0-0-1"],
    ("ethernet-1/1", "ethernet-1/1/c1/1"): ["ethernet-1-1", "et1-1-c1-1"],
    ("eth1/1", "eth1.1", "eth1-1"): ["eth1-1", "eth1-1-2", "eth1-1-3"],
    ("a-rather-long-name", "a-rather-long-word"): ["a-rather-long-n", "a-rather-long-w"],
    ("a-rather-long-nose", "a-rather-long-neck"): ["a-rather-long-n", "a-rather-long-2"],
    ("", "", "lo", "control0", "/"): ["inf000", "inf001", "inf002", "inf003", "inf004"],
    ("inf001", "", "", "inf000"): ["inf001", "inf002", "inf003", "inf000"],
    ("1" * 20, "1" * 20 + "2"): ["1" * 15, "1" * 14 + "2"],
}


@pytest.mark.parametrize("wanted", NAMED, ids=" ".join)
def test_name_keeps_what_tells_interfaces_apart(wanted):
    assert given_to(*wanted) == NAMED[wanted]


WORDS = st.sampled_from(["GigabitEthernet", "eth", "e-", "x" * 14, "inf00"])


@given(st.lists(st.tuples(WORDS, st.integers(0, 1200)), max_size=30))
def test_names_are_valid_and_never_given_twice(wanted):
    names = given_to(*(f"{word}{number}" for word, number in wanted))
    assert all(map(is_interface_name, names)) and len(set(names)) == len(names)


def test_thousands_of_interfaces_of_one_name_are_named_at_once():
    names = given_to(*["eth/1"] * 40_000)
    assert len(set(names)) == 40_000 and names[-1] == "eth-1-40000"
