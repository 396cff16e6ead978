# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts file of a node: one list for all, in which a bare name may mean another address here."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base.hosts_file import HostsFile
from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostsEntry
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from hypothesis import given
from hypothesis import strategies as st

HEAD = "127.0.0.1\tlocalhost loghost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
ENTRIES = plan().hosts


@pytest.mark.parametrize(("aliases", "lines"), [
    ({}, ["10.0.0.1\ta-lan0 a-0 a", "10.0.0.254\tr-lan0 r-0 r", "10.0.1.254\tr-lan1 r-1", "10.0.1.1\tb-lan1 b-0 b"]),
    ({"r": "10.0.1.254"}, ["10.0.0.1\ta-lan0 a-0 a", "10.0.0.254\tr-lan0 r-0", "10.0.1.254\tr-lan1 r-1 r", "10.0.1.1\tb-lan1 b-0 b"]),
    ({"r": "10.0.0.254"}, ["10.0.0.1\ta-lan0 a-0 a", "10.0.0.254\tr-lan0 r-0 r", "10.0.1.254\tr-lan1 r-1", "10.0.1.1\tb-lan1 b-0 b"]),
    ({"new": "10.0.0.1"}, ["10.0.0.1\ta-lan0 a-0 a new", "10.0.0.254\tr-lan0 r-0 r", "10.0.1.254\tr-lan1 r-1", "10.0.1.1\tb-lan1 b-0 b"]),
])
def test_a_bare_name_stands_behind_the_address_it_means_here(aliases, lines):
    assert HostsFile(ENTRIES).text(aliases) == HEAD + "".join(f"{line}\n" for line in lines)


def test_an_entry_that_loses_its_only_name_is_left_out():
    entries = (HostsEntry("10.0.0.1", ("a",)), HostsEntry("10.0.0.2", ("b",)))
    assert HostsFile(entries).text({"a": "10.0.0.2"}) == HEAD + "10.0.0.2\tb a\n"


def test_an_experiment_without_addresses_has_only_the_head():
    assert HostsFile(()).text({}) == HEAD


def resolve(text):
    """What each name means: the first line that has it."""
    found = {}
    for line in text.splitlines():
        address, *names = line.split()
        for name in names:
            found.setdefault(name, address)
    return found


@st.composite
def networks(draw):
    """Nodes with some addresses each; the first carries the bare name."""
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    addresses = [[f"10.0.{node}.{port}" for port in range(count)] for node, count in enumerate(counts)]
    entries = tuple(HostsEntry(address, (f"n{node}-{port}", f"n{node}") if port == 0 else (f"n{node}-{port}",))
                    for node, own in enumerate(addresses) for port, address in enumerate(own))
    aliases = {f"n{node}": draw(st.sampled_from(own)) for node, own in enumerate(addresses) if draw(st.booleans())}
    return entries, aliases


@given(networks())
def test_names_mean_what_the_aliases_say_and_else_what_the_shared_list_says(network):
    entries, aliases = network
    hosts = HostsFile(entries)
    assert resolve(hosts.text(aliases)) == {**resolve(hosts.text({})), **aliases}
    assert sorted(hosts.text(aliases).split()) == sorted(hosts.text({}).split())
    assert hosts.text({}) == HostsFile(entries).text({}), "rendering one node changes no other"
